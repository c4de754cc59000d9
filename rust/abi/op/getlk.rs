// SPDX-License-Identifier: GPL-2.0

//! GETLK: asks for a lock of a file that is in the way of another.
//!
//! C counterpart: `fuse_getlk`, `fuse_lk_fill`, `convert_fuse_file_lock` (file.c). Takes no locks.

use super::Op;
use crate::abi::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    error::{
        BadReply,
        Overflow, //
    },
    flags::LkFlags,
    ids::{
        FileHandle,
        LockOwner, //
    },
    lock::{
        LockKind,
        LockRange, //
    },
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_file_lock`.
    struct FuseFileLock: 24 {
        start: u64,
        end: u64,
        r#type: u32,
        pid: u32,
    }
    /// C: `struct fuse_lk_in`, that of SETLK and SETLKW as well.
    struct FuseLkIn: 48 {
        fh: u64,
        owner: u64,
        lk: FuseFileLock,
        lk_flags: u32,
        padding: u32,
    }
    /// C: `struct fuse_lk_out`.
    struct FuseLkOut: 24 {
        lk: FuseFileLock,
    }
}

/// A lock that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Lk {
    /// The open file.
    pub fh: FileHandle,
    /// Who is to have it, or has had it.
    pub owner: LockOwner,
    /// Which bytes.
    pub range: LockRange,
    /// What is to become of them.
    pub kind: LockKind,
    /// The process that asks, 0 if that does not matter.
    pub pid: u32,
    /// It is one of flock(2).
    pub flock: bool,
}

impl Lk {
    pub(super) const LEN: usize = size_of::<FuseLkIn>();

    pub(super) fn encode(&self, out: &mut Writer<'_>) -> Result<(), Overflow> {
        let (start, end) = self.range.to_wire();
        out.put(&FuseLkIn {
            fh: self.fh.get(),
            owner: self.owner.get(),
            lk: FuseFileLock {
                start,
                end,
                r#type: self.kind.get(),
                pid: self.pid,
            },
            lk_flags: LkFlags::EMPTY.with_if(self.flock, LkFlags::FLOCK).bits(),
            padding: 0,
        })
    }
}

/// A lock that somebody has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// To read or to write; never [`LockKind::Unlock`].
    pub kind: LockKind,
    /// Which bytes.
    pub range: LockRange,
    /// The process that has it, in the daemon's namespace; any number.
    pub pid: u32,
}

/// Asks for a lock that is in the way of this one.
#[derive(Clone, Copy, Debug)]
pub struct Getlk(pub Lk);

impl Op for Getlk {
    const OPCODE: Opcode = Opcode::Getlk;
    /// `None`: there is none.
    type Out = Option<Conflict>;

    fn in_len(&self, _minor: Minor) -> usize {
        Lk::LEN
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        self.0.encode(out)
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseLkOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<Option<Conflict>, BadReply> {
        let FuseLkOut { lk } = body.fixed()?;
        let kind = LockKind::new(lk.r#type).ok_or(BadReply::Lock)?;
        if kind == LockKind::Unlock {
            // C looks at nothing else then.
            return Ok(None);
        }
        Ok(Some(Conflict {
            kind,
            range: LockRange::from_wire(lk.start, lk.end).ok_or(BadReply::Lock)?,
            pid: lk.pid,
        }))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    const LAST: u64 = i64::MAX as u64;

    pub fn lk(kind: LockKind, flock: bool) -> Lk {
        Lk {
            fh: FileHandle::from_raw(9),
            owner: LockOwner::from_raw(77),
            range: LockRange::new(5, i64::MAX).expect("a range"),
            kind,
            pid: 100,
            flock,
        }
    }

    /// What [`lk`] is on the wire.
    pub fn wire_lk(kind: u32, flags: u32) -> Wire {
        let fixed = wire().u64(9).u64(77).u64(5).u64(LAST);
        fixed.u32(kind).u32(100).u32(flags).u32(0)
    }

    pub fn case() -> Case {
        let op = Getlk(lk(LockKind::Write, false));
        Case::new(op, |_| 48, |_| Expect::Exactly(24))
    }

    #[test]
    fn bytes() {
        for (kind, number) in [
            (LockKind::Read, 0),
            (LockKind::Write, 1),
            (LockKind::Unlock, 2),
        ] {
            expect(Getlk(lk(kind, false)), 46, wire_lk(number, 0));
            expect(Getlk(lk(kind, false)), 8, wire_lk(number, 0));
        }
    }

    fn answered(start: u64, end: u64, kind: u32, pid: u32) -> Result<Option<Conflict>, BadReply> {
        let lk = FuseFileLock {
            start,
            end,
            r#type: kind,
            pid,
        };
        decode(Getlk(self::lk(LockKind::Read, false)), lk.as_bytes(), 46)
    }

    #[test]
    fn no_lock_has_no_range() {
        for (start, end) in [(0, 0), (0, LAST), (9, 3), (u64::MAX, 0), (LAST, u64::MAX)] {
            assert_eq!(answered(start, end, 2, 7), Ok(None));
        }
    }

    #[test]
    fn a_lock_has_a_range_of_a_file() {
        for (number, kind) in [(0, LockKind::Read), (1, LockKind::Write)] {
            for (start, end) in [(0, 0), (0, LAST), (5, 6), (LAST, LAST)] {
                let range = LockRange::new(start as i64, end as i64).expect("a range");
                for pid in [0, 1, 1 << 31, u32::MAX] {
                    let conflict = Conflict { kind, range, pid };
                    assert_eq!(answered(start, end, number, pid), Ok(Some(conflict)));
                }
            }
            for (start, end) in [
                (1, 0),
                (LAST, 0),
                (0, LAST + 1),
                (LAST + 1, LAST + 1),
                (0, u64::MAX),
                (u64::MAX, u64::MAX),
            ] {
                assert_eq!(answered(start, end, number, 1), Err(BadReply::Lock));
            }
        }
        for number in [3, 4, 256, 1 << 31, u32::MAX] {
            assert_eq!(answered(0, 0, number, 1), Err(BadReply::Lock));
        }
    }
}
