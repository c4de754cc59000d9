// SPDX-License-Identifier: GPL-2.0

//! FORGET: gives references to one node back.
//!
//! C counterpart: `fuse_read_single_forget` (dev.c). Takes no locks.

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
    ids::Nlookup,
    opcode::Opcode,
    version::Minor, //
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// C: `struct fuse_forget_in`.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseForgetIn {
    pub nlookup: u64,
}

const _: () = assert!(size_of::<FuseForgetIn>() == 8);

/// Gives references to the node that the request is about back. Has nobody's credentials, and no
/// reply.
#[derive(Clone, Copy, Debug)]
pub struct Forget {
    /// How many.
    pub nlookup: Nlookup,
}

impl Op for Forget {
    const OPCODE: Opcode = Opcode::Forget;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseForgetIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseForgetIn {
            nlookup: self.nlookup.get(),
        })
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::None
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<(), BadReply> {
        body.empty()
    }
}
