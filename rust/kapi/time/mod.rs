// SPDX-License-Identifier: GPL-2.0

//! Time.

pub(crate) mod jiffies;
pub(crate) mod time64;
pub(crate) mod timekeeping;
