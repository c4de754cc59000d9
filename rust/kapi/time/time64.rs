// SPDX-License-Identifier: GPL-2.0

//! Points in time and spans of it, in seconds and nanoseconds.
//!
//! C header: [`include/linux/time64.h`](srctree/include/linux/time64.h).

use crate::bindings;

/// A `struct timespec64`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timespec64 {
    /// Seconds since the epoch.
    pub(crate) sec: i64,
    /// Nanoseconds, below 10^9.
    pub(crate) nsec: u32,
}

impl Timespec64 {
    /// The C form.
    pub(in crate::kapi) fn into_raw(self) -> bindings::timespec64 {
        bindings::timespec64 {
            tv_sec: self.sec,
            tv_nsec: self.nsec as isize,
        }
    }

    /// From the C form; the nanoseconds of a valid `struct timespec64` fit.
    pub(in crate::kapi) fn from_raw(raw: bindings::timespec64) -> Self {
        Self {
            sec: raw.tv_sec,
            nsec: raw.tv_nsec as u32,
        }
    }
}
