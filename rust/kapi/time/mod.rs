// SPDX-License-Identifier: GPL-2.0

//! Clocks, and points in time.
//!
//! - [`time64`]: `struct timespec64`,
//! - [`jiffies`]: `get_jiffies_64()`, the coarse clock,
//! - [`timekeeping`]: `ktime_get()`, the fine clock.
//!
//! May use no other room. Used by `sync` and `vfs`, and by `transport` and `fs`.

pub(crate) mod jiffies;
pub(crate) mod time64;
pub(crate) mod timekeeping;
