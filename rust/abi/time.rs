// SPDX-License-Identifier: GPL-2.0

//! Points in time and lengths of it.
//!
//! C counterpart: `struct timespec64`, `fuse_time_to_jiffies` (dir.c), the clamping of
//! nanoseconds in `fuse_change_attributes_common` (inode.c). Takes no locks.

const NSEC_MAX: u32 = 999_999_999;

const fn clamp_nsec(nsec: u32) -> u32 {
    if nsec > NSEC_MAX {
        NSEC_MAX
    } else {
        nsec
    }
}

/// A point in time, since 1970; may be before.
///
/// # Invariants
///
/// Less than 10^9 nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Timestamp {
    secs: i64,
    nsecs: u32,
}

impl Timestamp {
    /// Nanoseconds beyond 999999999 become that.
    pub const fn new(secs: i64, nsecs: u32) -> Self {
        // INVARIANT: clamped.
        Self {
            secs,
            nsecs: clamp_nsec(nsecs),
        }
    }

    /// From the wire, where seconds are unsigned but mean a `time64_t`.
    pub(super) const fn from_wire(secs: u64, nsecs: u32) -> Self {
        Self::new(secs as i64, nsecs)
    }

    /// Seconds.
    pub const fn secs(self) -> i64 {
        self.secs
    }

    /// Nanoseconds, less than 10^9.
    pub const fn nsecs(self) -> u32 {
        self.nsecs
    }

    /// Seconds as they stand on the wire.
    pub(super) const fn wire_secs(self) -> u64 {
        self.secs as u64
    }
}

/// How long the daemon vouches for a name or for attributes.
///
/// Seconds are the daemon's to choose: up to `u64::MAX`, which whoever converts this to jiffies
/// must let saturate (`timespec64_to_jiffies` does).
///
/// # Invariants
///
/// Less than 10^9 nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Timeout {
    secs: u64,
    nsecs: u32,
}

impl Timeout {
    /// Not at all: ask again the next time.
    pub const ZERO: Self = Self { secs: 0, nsecs: 0 };

    /// Nanoseconds beyond 999999999 become that.
    pub const fn new(secs: u64, nsecs: u32) -> Self {
        // INVARIANT: clamped.
        Self {
            secs,
            nsecs: clamp_nsec(nsecs),
        }
    }

    /// Seconds.
    pub const fn secs(self) -> u64 {
        self.secs
    }

    /// Nanoseconds, less than 10^9.
    pub const fn nsecs(self) -> u32 {
        self.nsecs
    }

    /// Whether it is [`ZERO`](Self::ZERO).
    pub const fn is_zero(self) -> bool {
        self.secs == 0 && self.nsecs == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_clamped() {
        for (nsec, clamped) in [
            (0, 0),
            (999_999_999, 999_999_999),
            (1_000_000_000, 999_999_999),
            (u32::MAX, 999_999_999),
        ] {
            let timeout = Timeout::new(u64::MAX, nsec);
            assert_eq!((timeout.secs(), timeout.nsecs()), (u64::MAX, clamped));
            assert!(!timeout.is_zero());
            let time = Timestamp::new(i64::MIN, nsec);
            assert_eq!((time.secs(), time.nsecs()), (i64::MIN, clamped));
        }
    }

    #[test]
    fn zero_is_both() {
        assert!(Timeout::new(0, 0).is_zero() && Timeout::ZERO.is_zero());
        assert!(!Timeout::new(0, 1).is_zero() && !Timeout::new(1, 0).is_zero());
    }
}
