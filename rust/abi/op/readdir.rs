// SPDX-License-Identifier: GPL-2.0

//! READDIR and READDIRPLUS: read a directory. On the wire as READ; [`Dirents`](crate::abi::Dirents)
//! and [`Direntpluses`](crate::abi::Direntpluses) take the payload apart.
//!
//! C counterpart: `fuse_readdir_uncached` (readdir.c). Takes no locks.

use super::{
    FuseReadIn,
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
    ids::FileHandle,
    opcode::Opcode,
    version::Minor, //
};

/// Reads the directory that the request is about. The entries come as payload.
#[derive(Clone, Copy, Debug)]
pub struct Readdir {
    /// The open directory.
    pub fh: FileHandle,
    /// Where: 0, or what the daemon said with an earlier entry.
    pub offset: u64,
    /// How many bytes of entries.
    pub size: u32,
    /// The flags of open(2) that the directory has now.
    pub flags: u32,
}

impl Op for Readdir {
    const OPCODE: Opcode = Opcode::Readdir;
    /// How many bytes have come, at most [`size`](Readdir::size); 0 at the end of the directory.
    type Out = u32;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseReadIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseReadIn {
            fh: self.fh.get(),
            offset: self.offset,
            size: self.size,
            read_flags: 0,
            lock_owner: 0,
            flags: self.flags,
            padding: 0,
        })
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Payload(self.size)
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u32, BadReply> {
        body.payload(self.size)
    }
}

/// The same, with what LOOKUP would say of each entry.
#[derive(Clone, Copy, Debug)]
pub struct Readdirplus(pub Readdir);

impl Op for Readdirplus {
    const OPCODE: Opcode = Opcode::Readdirplus;
    /// As READDIR's.
    type Out = u32;

    fn in_len(&self, minor: Minor) -> usize {
        self.0.in_len(minor)
    }

    fn encode(&self, out: &mut Writer<'_>, minor: Minor) -> Result<(), Overflow> {
        self.0.encode(out, minor)
    }

    fn reply(&self, minor: Minor) -> Reply {
        self.0.reply(minor)
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<u32, BadReply> {
        self.0.decode(body, minor)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    fn readdir(size: u32) -> Readdir {
        Readdir {
            fh: FileHandle::from_raw(9),
            offset: 1 << 40,
            size,
            flags: 0o200000,
        }
    }

    pub fn case() -> Case {
        Case::new(readdir(200), |_| 40, |_| Expect::Payload(200))
    }

    pub fn plus_case() -> Case {
        let op = Readdirplus(readdir(200));
        Case::new(op, |_| 40, |_| Expect::Payload(200))
    }

    #[test]
    fn bytes() {
        let fixed = wire().u64(9).u64(1 << 40).u32(4096);
        expect(readdir(4096), 46, fixed.u32(0).u64(0).u32(0o200000).u32(0));
        let (plus, fixed) = (
            Readdirplus(readdir(4096)),
            wire().u64(9).u64(1 << 40).u32(4096),
        );
        expect(plus, 46, fixed.u32(0).u64(0).u32(0o200000).u32(0));
    }
}
