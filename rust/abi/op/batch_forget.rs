// SPDX-License-Identifier: GPL-2.0

//! BATCH_FORGET: gives references to many nodes back. From 7.16 on. Sent as it is, not as a request:
//! nobody waits for it.
//!
//! C counterpart: `fuse_read_batch_forget` (dev.c). Takes no locks.

use crate::abi::{
    error::Overflow,
    header::InHeader,
    ids::{
        Nlookup,
        NodeId,
        Unique, //
    },
    opcode::Opcode, //
};
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

/// What the message begins with; so many [`FuseForgetOne`]s follow. Is about no node, has nobody's
/// credentials, and no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, IntoBytes, Immutable)]
#[repr(C)]
pub struct BatchForget {
    header: InHeader,
    body: FuseBatchForgetIn,
}

impl BatchForget {
    /// Gives references to `count` nodes back; see [`max_in`](Self::max_in).
    ///
    /// # Errors
    ///
    /// [`Overflow`] if the message would be longer than 32 bits can say.
    pub fn new(unique: Unique, count: u32) -> Result<Self, Overflow> {
        let len = (size_of::<FuseForgetOne>() as u32)
            .checked_mul(count)
            .and_then(|len| len.checked_add(size_of::<Self>() as u32))
            .ok_or(Overflow)?;

        Ok(Self {
            header: InHeader::of_message(Opcode::BatchForget, unique, 0, len),
            body: FuseBatchForgetIn { count, dummy: 0 },
        })
    }

    /// Bytes of the message, with all that follows.
    pub const fn message_len(&self) -> usize {
        self.header.len as usize
    }

    /// How many nodes fit into a reader's buffer of so many bytes.
    pub const fn max_in(buf_len: usize) -> usize {
        match buf_len
            .saturating_sub(size_of::<Self>())
            .checked_div(size_of::<FuseForgetOne>())
        {
            Some(count) => count,
            None => 0,
        }
    }
}
