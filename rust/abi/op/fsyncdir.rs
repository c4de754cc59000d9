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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::{
        op::fsync::tests::fsync,
        testing::*, //
    };

    pub fn case() -> Case {
        Case::new(Fsyncdir(fsync(true)), |_| 16, header_only)
    }

    #[test]
    fn bytes() {
        for datasync in [false, true] {
            let expected = wire().u64(9).u32(datasync.into()).u32(0);
            expect(Fsyncdir(fsync(datasync)), 46, expected);
        }
    }
}
