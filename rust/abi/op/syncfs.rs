// SPDX-License-Identifier: GPL-2.0

//! SYNCFS: what has been written to the filesystem is to be durable.
//!
//! C counterpart: `fuse_sync_fs` (inode.c). Takes no locks.

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
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_syncfs_in`.
    struct FuseSyncfsIn: 8 {
        padding: u64,
    }
}

/// Makes all that has been written durable; sent to the root.
#[derive(Clone, Copy, Debug)]
pub struct Syncfs;

impl Op for Syncfs {
    const OPCODE: Opcode = Opcode::Syncfs;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseSyncfsIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseSyncfsIn { padding: 0 })
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::HeaderOnly
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<(), BadReply> {
        body.empty()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    pub fn case() -> Case {
        Case::new(Syncfs, |_| 8, header_only)
    }

    #[test]
    fn bytes() {
        expect(Syncfs, 46, wire().u64(0));
    }
}
