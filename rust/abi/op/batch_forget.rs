// SPDX-License-Identifier: GPL-2.0

//! BATCH_FORGET: gives references to many nodes back. From 7.16 on.
//!
//! C counterpart: `fuse_read_batch_forget` (dev.c). Takes no locks.

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
    ids::{
        Nlookup,
        NodeId, //
    },
    opcode::Opcode,
    version::Minor, //
};
use zerocopy::IntoBytes;
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// C: `struct fuse_batch_forget_in`.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseBatchForgetIn {
    pub count: u32,
    pub dummy: u32,
}

const _: () = assert!(size_of::<FuseBatchForgetIn>() == 8);

/// C: `struct fuse_forget_one`.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseForgetOne {
    pub nodeid: u64,
    pub nlookup: u64,
}

const _: () = assert!(size_of::<FuseForgetOne>() == 16);

impl FuseForgetOne {
    /// References to one node.
    pub const fn new(node: NodeId, nlookup: Nlookup) -> Self {
        Self {
            nodeid: node.get(),
            nlookup: nlookup.get(),
        }
    }
}

/// Gives references to many nodes back. Is about no node, has nobody's credentials, and no reply.
#[derive(Clone, Copy, Debug)]
pub struct BatchForget<'a> {
    /// Which nodes; see [`max_in`](Self::max_in).
    pub forgets: &'a [FuseForgetOne],
}

impl BatchForget<'_> {
    /// How many nodes fit into a reader's buffer of so many bytes, which holds the header as well.
    pub const fn max_in(buf_len: usize) -> usize {
        const FIXED: usize = crate::abi::header::InHeader::SIZE + size_of::<FuseBatchForgetIn>();

        match buf_len
            .saturating_sub(FIXED)
            .checked_div(size_of::<FuseForgetOne>())
        {
            Some(count) => count,
            None => 0,
        }
    }
}

impl Op for BatchForget<'_> {
    const OPCODE: Opcode = Opcode::BatchForget;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of_val(self.forgets).saturating_add(size_of::<FuseBatchForgetIn>())
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseBatchForgetIn {
            count: u32::try_from(self.forgets.len()).map_err(|_| Overflow)?,
            dummy: 0,
        })?;
        out.bytes(self.forgets.as_bytes())
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::None
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<(), BadReply> {
        body.empty()
    }
}
