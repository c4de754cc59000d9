// SPDX-License-Identifier: GPL-2.0

//! GETATTR: asks for attributes.
//!
//! C counterpart: `fuse_do_getattr` (dir.c). Takes no locks.

use super::Op;
use crate::abi::{
    attr::{
        Attr,
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
    flags::GetattrFlags,
    ids::FileHandle,
    opcode::Opcode,
    time::Timeout,
    version::Minor, //
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// C: `struct fuse_getattr_in`.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseGetattrIn {
    pub getattr_flags: u32,
    pub dummy: u32,
    pub fh: u64,
}

const _: () = assert!(size_of::<FuseGetattrIn>() == 16);

/// Asks for attributes.
#[derive(Clone, Copy, Debug)]
pub struct Getattr {
    /// Of an open regular file, if one is at hand; directories have handles of another kind.
    pub fh: Option<FileHandle>,
}

impl Getattr {
    /// As [`decode`](Op::decode), looked at where the reply lies.
    ///
    /// # Errors
    ///
    /// As [`decode`](Op::decode).
    #[inline(always)]
    pub fn look<R>(
        body: Body<'_>,
        minor: Minor,
        then: impl FnOnce(Result<Attr<'_>, BadAttr>, Timeout) -> R,
    ) -> Result<R, BadReply> {
        FuseAttrOut::look(body, minor, then)
    }
}

impl Op for Getattr {
    const OPCODE: Opcode = Opcode::Getattr;
    /// An inode whose attributes are bad becomes bad itself, and its caller gets EIO.
    type Out = Result<AttrReply, BadAttr>;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseGetattrIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        let flags = GetattrFlags::EMPTY.with_if(self.fh.is_some(), GetattrFlags::FH);

        out.put(&FuseGetattrIn {
            getattr_flags: flags.bits(),
            dummy: 0,
            fh: self.fh.unwrap_or_default().get(),
        })
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseAttrOut::wire_len(minor))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Self::Out, BadReply> {
        FuseAttrOut::decode(body, minor)
    }
}
