// SPDX-License-Identifier: GPL-2.0

//! FSYNC: makes a file's data durable.
//!
//! C counterpart: `fuse_fsync_common` (file.c). Takes no locks.

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
    flags::FsyncFlags,
    ids::FileHandle,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_fsync_in`, FSYNCDIR's as well.
    struct FuseFsyncIn: 16 {
        fh: u64,
        fsync_flags: u32,
        padding: u32,
    }
}

/// Makes the file that the request is about durable.
#[derive(Clone, Copy, Debug)]
pub struct Fsync {
    /// The open file.
    pub fh: FileHandle,
    /// Data only, as of fdatasync(2).
    pub datasync: bool,
}

impl Fsync {
    pub(super) fn to_wire(self) -> FuseFsyncIn {
        FuseFsyncIn {
            fh: self.fh.get(),
            fsync_flags: FsyncFlags::EMPTY
                .with_if(self.datasync, FsyncFlags::FDATASYNC)
                .bits(),
            padding: 0,
        }
    }
}

impl Op for Fsync {
    const OPCODE: Opcode = Opcode::Fsync;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseFsyncIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&self.to_wire())
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

    pub fn fsync(datasync: bool) -> Fsync {
        Fsync {
            fh: FileHandle::from_raw(9),
            datasync,
        }
    }

    pub fn case() -> Case {
        Case::new(fsync(true), |_| 16, header_only)
    }

    #[test]
    fn bytes() {
        for datasync in [false, true] {
            let expected = wire().u64(9).u32(datasync.into()).u32(0);
            expect(fsync(datasync), 46, expected);
        }
    }
}
