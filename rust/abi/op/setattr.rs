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
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// C: `struct fuse_setattr_in`.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseSetattrIn {
    pub valid: u32,
    pub padding: u32,
    pub fh: u64,
    pub size: u64,
    pub lock_owner: u64,
    pub atime: u64,
    pub mtime: u64,
    pub ctime: u64,
    pub atimensec: u32,
    pub mtimensec: u32,
    pub ctimensec: u32,
    pub mode: u32,
    pub unused4: u32,
    pub uid: u32,
    pub gid: u32,
    pub unused5: u32,
}

const _: () = assert!(size_of::<FuseSetattrIn>() == 88);

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
