// SPDX-License-Identifier: GPL-2.0

//! The kernel's coarse clock.
//!
//! C header: [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h). The kernel crate has
//! spans in jiffies, but not the time in them.

use super::time64::Timespec64;
use crate::bindings;

/// A point in time, in ticks since boot (`get_jiffies_64()`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jiffies64(u64);

impl Jiffies64 {
    /// The beginning, used as "has passed".
    pub(crate) const ZERO: Self = Self(0);

    /// Now.
    #[inline]
    pub(crate) fn now() -> Self {
        // SAFETY: The counter is a machine word (Kbuild refuses 32 bits) that the timer interrupt
        // writes: one load.
        Self(unsafe { (&raw const bindings::jiffies_64).read_volatile() })
    }

    /// So long from now, rounded up and limited as `timespec64_to_jiffies()` does.
    pub(crate) fn after(delay: Timespec64) -> Self {
        let raw = delay.into_raw();
        // SAFETY: The argument is valid.
        let ticks = unsafe { bindings::timespec64_to_jiffies(&raw) };
        Self(Self::now().0.wrapping_add(ticks as u64))
    }

    /// So many ticks later.
    #[inline]
    pub(crate) fn plus(self, ticks: u64) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// Milliseconds from `earlier` until this; 0 if that is later.
    pub(crate) fn millis_since(self, earlier: Self) -> u64 {
        let ticks = self.0.saturating_sub(earlier.0);
        // SAFETY: Arithmetic.
        unsafe { bindings::jiffies64_to_msecs(ticks) }
    }

    /// `time_before64(self, other)`.
    #[inline]
    pub(in crate::kapi) fn before(self, other: Self) -> bool {
        // As in C: the difference as a signed number, so that a wrap does no harm.
        (self.0.wrapping_sub(other.0) as i64) < 0
    }

    /// The one of the two that comes first.
    pub(crate) fn earlier(self, other: Self) -> Self {
        if other.before(self) {
            other
        } else {
            self
        }
    }

    /// Whether this has passed.
    #[inline]
    pub(crate) fn has_passed(self) -> bool {
        self.before(Self::now())
    }

    /// Ticks from now until this, for `schedule_timeout()`; 0 if it has passed.
    pub(in crate::kapi) fn ticks_left(self) -> isize {
        let left = self.0.wrapping_sub(Self::now().0) as i64;
        isize::try_from(left.max(0)).unwrap_or(isize::MAX)
    }

    /// So many seconds from now.
    pub(crate) fn after_secs(secs: u32) -> Self {
        Self::after(Timespec64 {
            sec: secs.into(),
            nsec: 0,
        })
    }

    /// As stored in an atomic.
    #[inline]
    pub(crate) const fn to_u64(self) -> u64 {
        self.0
    }

    /// From [`to_u64`](Self::to_u64).
    #[inline]
    pub(crate) const fn from_u64(ticks: u64) -> Self {
        Self(ticks)
    }
}
