// SPDX-License-Identifier: GPL-2.0

//! Notifications from the daemon.
//!
//! - [`notified`]: what they do to the superblock.

pub(in crate::fs) mod notified;
