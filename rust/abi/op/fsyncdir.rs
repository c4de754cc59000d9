// SPDX-License-Identifier: GPL-2.0

//! FSYNCDIR: makes a directory durable. On the wire as FSYNC.
//!
//! C counterpart: `fuse_fsync_common` (file.c). Takes no locks.

use super::{
    Fsync,
    FuseFsyncIn,
    Op, //
};
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
    opcode::Opcode,
    version::Minor, //
};

/// Makes the directory that the request is about durable.
#[derive(Clone, Copy, Debug)]
pub struct Fsyncdir(pub Fsync);

impl Op for Fsyncdir {
    const OPCODE: Opcode = Opcode::Fsyncdir;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseFsyncIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&self.0.to_wire())
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::HeaderOnly
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<(), BadReply> {
        body.empty()
    }
}
