// SPDX-License-Identifier: GPL-2.0

//! READ: reads from a file.
//!
//! C counterpart: `fuse_read_args_fill`, `fuse_send_read` (file.c). Takes no locks.

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
    flags::ReadFlags,
    ids::{
        FileHandle,
        LockOwner, //
    },
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_read_in`, READDIR's as well.
    struct FuseReadIn: 40 {
        fh: u64,
        offset: u64,
        size: u32,
        read_flags: u32,
        lock_owner: u64,
        flags: u32,
        padding: u32,
    }
}

/// Reads from the file that the request is about. What is read comes as payload.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// The open file.
    pub fh: FileHandle,
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub size: u32,
    /// Whose mandatory locks do not stand in the way.
    pub lock_owner: Option<LockOwner>,
    /// The flags of open(2) that the file has now.
    pub flags: u32,
}

impl Op for Read {
    const OPCODE: Opcode = Opcode::Read;
    /// How many bytes have come, at most [`size`](Read::size); fewer mean the end of the file.
    type Out = u32;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseReadIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseReadIn {
            fh: self.fh.get(),
            offset: self.offset,
            size: self.size,
            read_flags: ReadFlags::EMPTY
                .with_if(self.lock_owner.is_some(), ReadFlags::LOCKOWNER)
                .bits(),
            lock_owner: LockOwner::to_wire(self.lock_owner),
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    fn read(lock_owner: Option<LockOwner>, size: u32) -> Read {
        Read {
            fh: FileHandle::from_raw(9),
            offset: 1 << 40,
            size,
            lock_owner,
            flags: 0o100000,
        }
    }

    pub fn case() -> Case {
        Case::new(read(None, 200), |_| 40, |_| Expect::Payload(200))
    }

    #[test]
    fn bytes() {
        let fixed = || wire().u64(9).u64(1 << 40).u32(4096);
        expect(
            read(None, 4096),
            46,
            fixed().u32(0).u64(0).u32(0o100000).u32(0),
        );
        let owner = Some(LockOwner::from_raw(77));
        expect(
            read(owner, 4096),
            0,
            fixed().u32(2).u64(77).u32(0o100000).u32(0),
        );
    }

    #[test]
    fn what_comes_is_counted() {
        let read = read(None, u32::MAX);
        let payload = |len| Op::reply(&read, V46).split(len).map(|split| split.payload);
        assert_eq!(payload(u32::MAX as usize), Ok(u32::MAX as usize));
        assert_eq!(payload(1 << 32), Err(BadReply::Length));
        assert_eq!(decode_payload(read, 4096), Ok(4096));
        assert_eq!(decode_payload(read, 0), Ok(0));
    }
}
