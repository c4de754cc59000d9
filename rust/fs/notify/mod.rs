// SPDX-License-Identifier: GPL-2.0

//! Notifications from the daemon that are about the filesystem. Uses the superblock and the
//! connection; mounting uses it.
//!
//! - [`notified`]: what they do to the superblock.

pub(in crate::fs) mod notified;
