// SPDX-License-Identifier: GPL-2.0

//! Locks of files: which bytes, and what of them.
//!
//! C counterpart: `F_RDLCK` and so on, `convert_fuse_file_lock` (file.c). Takes no locks.

/// What is to become of bytes, or has (`F_RDLCK`, `F_WRLCK`, `F_UNLCK`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    /// Locked together with others.
    Read,
    /// Locked alone.
    Write,
    /// Not locked.
    Unlock,
}

impl LockKind {
    /// From the number, which is the kernel's as well.
    pub const fn new(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Read),
            1 => Some(Self::Write),
            2 => Some(Self::Unlock),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::Unlock => 2,
        }
    }
}

/// A range of bytes of a file, from a first to a last one, both included.
///
/// # Invariants
///
/// Neither is negative, and the last does not come before the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockRange {
    start: i64,
    end: i64,
}

impl LockRange {
    /// From a first byte to a last one.
    pub const fn new(start: i64, end: i64) -> Option<Self> {
        if start < 0 || end < start {
            return None;
        }
        // INVARIANT: checked here.
        Some(Self { start, end })
    }

    /// From the wire.
    pub(super) fn from_wire(start: u64, end: u64) -> Option<Self> {
        Self::new(i64::try_from(start).ok()?, i64::try_from(end).ok()?)
    }

    /// For the wire.
    pub(super) const fn to_wire(self) -> (u64, u64) {
        (self.start.unsigned_abs(), self.end.unsigned_abs())
    }

    /// The first byte, and the last.
    pub const fn get(self) -> (i64, i64) {
        (self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_a_byte() {
        for (start, end) in [(0, 0), (0, i64::MAX), (7, 8), (i64::MAX, i64::MAX)] {
            let range = LockRange::new(start, end).expect("a range");
            assert_eq!(range.get(), (start, end));
            assert_eq!(range.to_wire(), (start as u64, end as u64));
        }
        for (start, end) in [(1, 0), (-1, 0), (-2, -1), (0, -1), (i64::MIN, i64::MAX)] {
            assert_eq!(LockRange::new(start, end), None);
        }
        let last = i64::MAX as u64;
        assert_eq!(LockRange::from_wire(0, last), LockRange::new(0, i64::MAX));
        for (start, end) in [(0, last + 1), (last + 1, last + 1), (1, 0), (u64::MAX, 0)] {
            assert_eq!(LockRange::from_wire(start, end), None);
        }
    }

    #[test]
    fn there_are_three_kinds() {
        for number in 0..3 {
            assert_eq!(LockKind::new(number).map(LockKind::get), Some(number));
        }
        assert_eq!(LockKind::new(3), None);
        assert_eq!(LockKind::new(u32::MAX), None);
    }
}
