// SPDX-License-Identifier: GPL-2.0

//! FLUSH: one of a file's descriptors is being closed.
//!
//! C counterpart: `fuse_flush` (file.c). Takes no locks.

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
        FileHandle,
        LockOwner, //
    },
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_flush_in`.
    struct FuseFlushIn: 24 {
        fh: u64,
        unused: u32,
        padding: u32,
        lock_owner: u64,
    }
}

/// Tells that one of the file's descriptors is being closed; what the daemon answers is what
/// close(2) returns.
#[derive(Clone, Copy, Debug)]
pub struct Flush {
    /// The open file.
    pub fh: FileHandle,
    /// Whose POSIX locks go with the descriptor.
    pub lock_owner: LockOwner,
}

impl Op for Flush {
    const OPCODE: Opcode = Opcode::Flush;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseFlushIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseFlushIn {
            fh: self.fh.get(),
            unused: 0,
            padding: 0,
            lock_owner: self.lock_owner.get(),
        })
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

    fn flush() -> Flush {
        Flush {
            fh: FileHandle::from_raw(9),
            lock_owner: LockOwner::from_raw(77),
        }
    }

    pub fn case() -> Case {
        Case::new(flush(), |_| 24, header_only)
    }

    #[test]
    fn bytes() {
        expect(flush(), 46, wire().u64(9).u32(0).u32(0).u64(77));
    }
}
