// SPDX-License-Identifier: GPL-2.0

//! IOCTL: a command of ioctl(2) that the VFS does not know.
//!
//! C counterpart: `fuse_do_ioctl` (ioctl.c), of a file: the memory that is read and written is what
//! the command says. Takes no locks.

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
    flags::IoctlFlags,
    ids::FileHandle,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_ioctl_in`.
    struct FuseIoctlIn: 32 {
        fh: u64,
        flags: u32,
        cmd: u32,
        arg: u64,
        in_size: u32,
        out_size: u32,
    }
    /// C: `struct fuse_ioctl_out`, unchecked.
    struct FuseIoctlOut: 16 {
        result: i32,
        flags: u32,
        in_iovs: u32,
        out_iovs: u32,
    }
}

/// Carries out a command on the file that the request is about. What the command reads goes as
/// payload, what it writes comes back so.
#[derive(Clone, Copy, Debug)]
pub struct Ioctl {
    /// The open file.
    pub fh: FileHandle,
    /// Who asks, and for what.
    pub flags: IoctlFlags,
    /// The command.
    pub cmd: u32,
    /// Its argument, which is mostly an address of the caller's.
    pub arg: u64,
    /// Bytes that it reads.
    pub in_size: u32,
    /// Bytes that it writes.
    pub out_size: u32,
    /// Bytes that a reply may have: not fewer.
    pub room: u32,
}

impl Op for Ioctl {
    const OPCODE: Opcode = Opcode::Ioctl;
    type Out = IoctlOut;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseIoctlIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseIoctlIn {
            fh: self.fh.get(),
            flags: self.flags.bits(),
            cmd: self.cmd,
            arg: self.arg,
            in_size: self.in_size,
            out_size: self.out_size,
        })
    }

    fn payload_in(&self) -> u32 {
        self.in_size
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::FixedThen(size_of::<FuseIoctlOut>(), self.room)
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<IoctlOut, BadReply> {
        let (out, len): (FuseIoctlOut, u32) = body.fixed_then(self.room)?;
        if IoctlFlags::from_bits(out.flags).contains(IoctlFlags::RETRY) {
            return Err(BadReply::Retry);
        }
        if len > self.out_size {
            return Err(BadReply::Count);
        }
        Ok(IoctlOut {
            result: out.result,
            len,
        })
    }
}

/// What has become of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoctlOut {
    /// What ioctl(2) returns, an error if negative, whatever the number.
    pub result: i32,
    /// Bytes that were written, at most [`out_size`](Ioctl::out_size); also with an error.
    pub len: u32,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    fn op() -> Ioctl {
        Ioctl {
            fh: FileHandle::from_raw(9),
            flags: IoctlFlags::COMPAT | IoctlFlags::_32BIT,
            cmd: 0xc0ff_ee01,
            arg: 1 << 40,
            in_size: 3,
            out_size: 5,
            room: 100,
        }
    }

    pub fn case() -> Case {
        Case::new(op(), |_| 32, |_| Expect::Then(16, 100))
    }

    #[test]
    fn bytes() {
        let fixed = wire().u64(9).u32(1 | 8).u32(0xc0ff_ee01).u64(1 << 40);
        expect(op(), 46, fixed.u32(3).u32(5));
    }

    #[test]
    fn a_result_and_as_much_as_was_asked_for() {
        let decode = |flags, len| {
            let out = FuseIoctlOut {
                result: -7,
                flags,
                in_iovs: 1,
                out_iovs: 2,
            };
            Op::decode(&op(), Body::new(out.as_bytes(), len), V46)
        };
        for flags in [0, 1, 2, 8, 16, 32, !4] {
            for len in 0..=5 {
                let result = IoctlOut { result: -7, len };
                assert_eq!(decode(flags, len as usize), Ok(result));
            }
            assert_eq!(decode(flags, 6), Err(BadReply::Count));
            assert_eq!(decode(flags, 100), Err(BadReply::Count));
            assert_eq!(decode(flags, 101), Err(BadReply::Length));
        }
        assert_eq!(decode(4, 0), Err(BadReply::Retry));
        assert_eq!(decode(!0, 5), Err(BadReply::Retry));
    }
}
