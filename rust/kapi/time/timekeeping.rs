// SPDX-License-Identifier: GPL-2.0

//! The kernel's fine clock.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h).
//!
//! The kernel crate's `Instant` keeps its number to itself, so that it cannot lie in an atomic.

use crate::bindings;

/// Nanoseconds since boot, without the time asleep. C: `ktime_get_ns()`.
#[inline]
pub(crate) fn ktime_get_ns() -> u64 {
    // SAFETY: May be called in any context but NMI.
    let now = unsafe { bindings::ktime_get() };
    now as u64
}
