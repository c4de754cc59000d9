// SPDX-License-Identifier: GPL-2.0

//! SETATTR: sets attributes, and reports what they are then.
//!
//! C counterpart: `iattr_to_fattr`, `fuse_do_setattr`, `fuse_flush_times` (dir.c). Takes no locks.

use super::Op;
use crate::abi::{
    attr::{
        AttrReply,
        FuseAttrOut, //
    },
    codec::{
        Body,
        Reply,
        Writer, //
    },
    error::{
        BadAttr,
        BadReply,
        Overflow, //
    },
    flags::SetattrValid,
    ids::{
        FileHandle,
        LockOwner, //
    },
    opcode::Opcode,
    time::Timestamp,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_setattr_in`.
    struct FuseSetattrIn: 88 {
        valid: u32,
        padding: u32,
        fh: u64,
        size: u64,
        lock_owner: u64,
        atime: u64,
        mtime: u64,
        ctime: u64,
        atimensec: u32,
        mtimensec: u32,
        ctimensec: u32,
        mode: u32,
        unused4: u32,
        uid: u32,
        gid: u32,
        unused5: u32,
    }
}

/// A time to set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetTime {
    /// The daemon's own idea of now. Ours travels along, and means nothing.
    Now(Timestamp),
    /// Just this.
    To(Timestamp),
}

impl SetTime {
    const fn time(self) -> Timestamp {
        match self {
            Self::Now(time) | Self::To(time) => time,
        }
    }

    const fn is_now(self) -> bool {
        matches!(self, Self::Now(_))
    }
}

/// Sets those attributes that are `Some`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Setattr {
    /// Type and permissions.
    pub mode: Option<u32>,
    /// The owner, in the daemon's user namespace.
    pub uid: Option<u32>,
    /// The group, in the daemon's user namespace.
    pub gid: Option<u32>,
    /// Bytes.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<SetTime>,
    /// Last change of the contents.
    pub mtime: Option<SetTime>,
    /// Last change of contents or attributes; from 7.23 on.
    pub ctime: Option<Timestamp>,
    /// The open file that this comes through.
    pub fh: Option<FileHandle>,
    /// Whose mandatory locks do not stand in the way of a new size.
    pub lock_owner: Option<LockOwner>,
    /// Clear set-id bits.
    pub kill_suidgid: bool,
}

impl Setattr {
    fn valid(&self) -> SetattrValid {
        SetattrValid::EMPTY
            .with_if(self.mode.is_some(), SetattrValid::MODE)
            .with_if(self.uid.is_some(), SetattrValid::UID)
            .with_if(self.gid.is_some(), SetattrValid::GID)
            .with_if(self.size.is_some(), SetattrValid::SIZE)
            .with_if(self.atime.is_some(), SetattrValid::ATIME)
            .with_if(
                self.atime.is_some_and(SetTime::is_now),
                SetattrValid::ATIME_NOW,
            )
            .with_if(self.mtime.is_some(), SetattrValid::MTIME)
            .with_if(
                self.mtime.is_some_and(SetTime::is_now),
                SetattrValid::MTIME_NOW,
            )
            .with_if(self.ctime.is_some(), SetattrValid::CTIME)
            .with_if(self.fh.is_some(), SetattrValid::FH)
            .with_if(self.lock_owner.is_some(), SetattrValid::LOCKOWNER)
            .with_if(self.kill_suidgid, SetattrValid::KILL_SUIDGID)
    }
}

impl Op for Setattr {
    const OPCODE: Opcode = Opcode::Setattr;
    /// An inode whose attributes are bad becomes bad itself, and its caller gets EIO.
    type Out = Result<AttrReply, BadAttr>;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseSetattrIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        let atime = self.atime.map(SetTime::time).unwrap_or_default();
        let mtime = self.mtime.map(SetTime::time).unwrap_or_default();
        let ctime = self.ctime.unwrap_or_default();

        out.put(&FuseSetattrIn {
            valid: self.valid().bits(),
            padding: 0,
            fh: self.fh.unwrap_or_default().get(),
            size: self.size.unwrap_or_default(),
            lock_owner: LockOwner::to_wire(self.lock_owner),
            atime: atime.wire_secs(),
            mtime: mtime.wire_secs(),
            ctime: ctime.wire_secs(),
            atimensec: atime.nsecs(),
            mtimensec: mtime.nsecs(),
            ctimensec: ctime.nsecs(),
            mode: self.mode.unwrap_or_default(),
            unused4: 0,
            uid: self.uid.unwrap_or_default(),
            gid: self.gid.unwrap_or_default(),
            unused5: 0,
        })
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseAttrOut::wire_len(minor))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Self::Out, BadReply> {
        FuseAttrOut::decode(body, minor)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    fn setattr() -> Setattr {
        Setattr {
            mode: Some(0o100644),
            uid: Some(1000),
            gid: Some(1001),
            size: Some(1 << 33),
            atime: Some(SetTime::Now(Timestamp::new(10, 11))),
            mtime: Some(SetTime::To(Timestamp::new(-12, 13))),
            ctime: Some(Timestamp::new(14, 15)),
            fh: Some(FileHandle::from_raw(9)),
            lock_owner: Some(LockOwner::from_raw(77)),
            kill_suidgid: true,
        }
    }

    pub fn case() -> Case {
        Case::new(setattr(), |_| 88, attr_only)
    }

    #[test]
    fn bytes() {
        expect(Setattr::default(), 46, Wire(vec![0; 88]));
        // Every field, and every bit but MTIME_NOW.
        let all = wire()
            .u32(0b1110_1111_1111)
            .u32(0)
            .u64(9)
            .u64(1 << 33)
            .u64(77)
            .u64(10)
            .u64(-12i64 as u64)
            .u64(14)
            .u32(11)
            .u32(13)
            .u32(15)
            .u32(0o100644)
            .u32(0)
            .u32(1000)
            .u32(1001)
            .u32(0);
        expect(setattr(), 46, all);
    }

    #[test]
    fn says_which_fields_are_valid() {
        let time = Timestamp::new(1, 2);
        let check = |change: &dyn Fn(&mut Setattr), valid: u32| {
            let mut op = Setattr::default();
            change(&mut op);
            assert_eq!(encode(&op, 46)[..4], valid.to_ne_bytes(), "{op:?}");
        };
        check(&|op| op.mode = Some(0), 1 << 0);
        check(&|op| op.uid = Some(0), 1 << 1);
        check(&|op| op.gid = Some(0), 1 << 2);
        check(&|op| op.size = Some(0), 1 << 3);
        check(&|op| op.atime = Some(SetTime::To(time)), 1 << 4);
        check(&|op| op.mtime = Some(SetTime::To(time)), 1 << 5);
        check(&|op| op.fh = Some(FileHandle::ZERO), 1 << 6);
        check(
            &|op| op.atime = Some(SetTime::Now(time)),
            (1 << 4) | (1 << 7),
        );
        check(
            &|op| op.mtime = Some(SetTime::Now(time)),
            (1 << 5) | (1 << 8),
        );
        check(&|op| op.lock_owner = Some(LockOwner::from_raw(0)), 1 << 9);
        check(&|op| op.ctime = Some(time), 1 << 10);
        check(&|op| op.kill_suidgid = true, 1 << 11);
    }
}
