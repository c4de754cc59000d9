// SPDX-License-Identifier: GPL-2.0

//! The wire's times and the kernel's.
//!
//! C counterpart: `fuse_time_to_jiffies()` (inode.c). Takes no locks.

use crate::{
    abi::{
        Timeout,
        Timestamp, //
    },
    kapi::time::{
        jiffies::Jiffies64,
        time64::Timespec64, //
    },
};

impl From<Timestamp> for Timespec64 {
    fn from(time: Timestamp) -> Self {
        Self {
            sec: time.secs(),
            nsec: time.nsecs(),
        }
    }
}

impl From<Timespec64> for Timestamp {
    fn from(time: Timespec64) -> Self {
        Self::new(time.sec, time.nsec)
    }
}

/// Until when something is good from now on (`fuse_time_to_jiffies()`).
pub(in crate::fs) fn valid_until(timeout: Timeout) -> Jiffies64 {
    if timeout.is_zero() {
        return Jiffies64::ZERO;
    }
    Jiffies64::after(Timespec64 {
        // Seconds beyond what fits are negative here, and taken for very many.
        sec: timeout.secs() as i64,
        nsec: timeout.nsecs(),
    })
}
