// SPDX-License-Identifier: GPL-2.0

//! What a request carries, and how it is copied to the daemon and back.

pub(super) mod args;
pub(super) mod copy;
pub(super) mod outcome;
pub(super) mod payload;
