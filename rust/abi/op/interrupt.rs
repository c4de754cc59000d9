// SPDX-License-Identifier: GPL-2.0

//! INTERRUPT: the caller of a request has a signal pending.
//!
//! C counterpart: `fuse_read_interrupt` (dev.c). Takes no locks.

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
    ids::Unique,
    opcode::Opcode,
    version::Minor, //
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// C: `struct fuse_interrupt_in`.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseInterruptIn {
    pub unique: u64,
}

const _: () = assert!(size_of::<FuseInterruptIn>() == 8);

/// Tells that the caller of a request has a signal pending.
///
/// Is about no node, has nobody's credentials, and the unique [`Unique::interrupt`] of the request's.
/// A reply is possible but not needed; see [`Answer::Interrupt`](crate::abi::header::Answer).
#[derive(Clone, Copy, Debug)]
pub struct Interrupt {
    /// The request.
    pub request: Unique,
}

impl Op for Interrupt {
    const OPCODE: Opcode = Opcode::Interrupt;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseInterruptIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseInterruptIn {
            unique: self.request.get(),
        })
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::None
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<(), BadReply> {
        body.empty()
    }
}
