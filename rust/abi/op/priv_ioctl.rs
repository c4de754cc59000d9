// SPDX-License-Identifier: GPL-2.0

//! IOCTL, as the kernel sends it by itself: for a file's attributes.
//!
//! C counterpart: `fuse_priv_ioctl` (ioctl.c). Takes no locks.

use super::{
    FuseIoctlIn,
    FuseIoctlOut,
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
    flags::IoctlFlags,
    ids::FileHandle,
    opcode::Opcode,
    version::Minor, //
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

wire! {
    /// C: `struct fsxattr` (linux/fs.h).
    struct Fsxattr: 28 {
        fsx_xflags: u32,
        fsx_extsize: u32,
        fsx_nextents: u32,
        fsx_projid: u32,
        fsx_cowextsize: u32,
        fsx_pad: [u8; 8],
    }
}

/// A command that the kernel sends by itself.
pub trait PrivCommand {
    /// Its number.
    const CMD: u32;
    /// What the daemon reads.
    type In: IntoBytes + Immutable;
    /// What it writes.
    type Out: FromBytes;
}

/// `_IOC`: who writes, 1 the caller and 2 the kernel, as it was meant; a letter, a number, and the
/// size of what is written.
const fn ioc(dir: u32, letter: u8, number: u32, size: usize) -> u32 {
    (dir << 30) | ((size as u32) << 16) | ((letter as u32) << 8) | number
}

/// `FS_IOC_GETFLAGS`, whose size is a `long` in its name alone: which of `FS_*_FL` a file has.
pub enum Getflags {}

impl PrivCommand for Getflags {
    const CMD: u32 = ioc(2, b'f', 1, size_of::<usize>());
    type In = ();
    type Out = u32;
}

/// `FS_IOC_SETFLAGS`, likewise.
pub enum Setflags {}

impl PrivCommand for Setflags {
    const CMD: u32 = ioc(1, b'f', 2, size_of::<usize>());
    type In = u32;
    type Out = ();
}

/// `FS_IOC_FSGETXATTR`: which of `FS_XFLAG_*` it has, and what belongs to those.
pub enum Fsgetxattr {}

impl PrivCommand for Fsgetxattr {
    const CMD: u32 = ioc(2, b'X', 31, size_of::<Fsxattr>());
    type In = ();
    type Out = Fsxattr;
}

/// `FS_IOC_FSSETXATTR`, likewise.
pub enum Fssetxattr {}

impl PrivCommand for Fssetxattr {
    const CMD: u32 = ioc(1, b'X', 32, size_of::<Fsxattr>());
    type In = Fsxattr;
    type Out = ();
}

/// Carries out a command on the file that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct PrivIoctl<C: PrivCommand> {
    /// The file, opened for this.
    pub fh: FileHandle,
    /// Whether it is a directory, and the kernel's width.
    pub flags: IoctlFlags,
    /// What the daemon reads.
    pub arg: C::In,
}

impl<C: PrivCommand> Op for PrivIoctl<C> {
    const OPCODE: Opcode = Opcode::Ioctl;
    /// What it has written, or its error, negative and of any number.
    type Out = Result<C::Out, i32>;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseIoctlIn>().saturating_add(size_of::<C::In>())
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        // Structures of a few bytes.
        let len = |bytes: usize| u32::try_from(bytes).map_err(|_| Overflow);
        out.put(&FuseIoctlIn {
            fh: self.fh.get(),
            flags: self.flags.bits(),
            cmd: C::CMD,
            arg: 0,
            in_size: len(size_of::<C::In>())?,
            out_size: len(size_of::<C::Out>())?,
        })?;
        out.put(&self.arg)
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseIoctlOut>().saturating_add(size_of::<C::Out>()))
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<Self::Out, BadReply> {
        let mut reader = body.reader()?;
        let out: FuseIoctlOut = reader.take()?;
        let data = reader.take()?;
        reader.end()?;
        if out.result < 0 {
            return Ok(Err(out.result));
        }
        if IoctlFlags::from_bits(out.flags).contains(IoctlFlags::RETRY) {
            return Err(BadReply::Retry);
        }
        Ok(Ok(data))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    fn op<C: PrivCommand>(arg: C::In) -> PrivIoctl<C> {
        PrivIoctl {
            fh: FileHandle::from_raw(9),
            flags: IoctlFlags::DIR,
            arg,
        }
    }

    fn xattr() -> Fsxattr {
        Fsxattr {
            fsx_xflags: 1,
            fsx_extsize: 2,
            fsx_nextents: 3,
            fsx_projid: 4,
            fsx_cowextsize: 5,
            fsx_pad: [0; 8],
        }
    }

    pub fn cases() -> [Case; 4] {
        [
            Case::new(op::<Getflags>(()), |_| 32, |_| Expect::Exactly(20)),
            Case::new(op::<Setflags>(7), |_| 36, |_| Expect::Exactly(16)),
            Case::new(op::<Fsgetxattr>(()), |_| 32, |_| Expect::Exactly(44)),
            Case::new(op::<Fssetxattr>(xattr()), |_| 60, |_| Expect::Exactly(16)),
        ]
    }

    #[test]
    fn bytes() {
        let fixed = |cmd| wire().u64(9).u32(16).u32(cmd).u64(0);
        expect(op::<Getflags>(()), 46, fixed(0x8008_6601).u32(0).u32(4));
        let flags = fixed(0x4008_6602).u32(4).u32(0);
        expect(op::<Setflags>(7), 46, flags.u32(7));
        expect(op::<Fsgetxattr>(()), 46, fixed(0x801c_581f).u32(0).u32(28));
        let set = fixed(0x401c_5820).u32(28).u32(0);
        let set = set.u32(1).u32(2).u32(3).u32(4).u32(5).u64(0);
        expect(op::<Fssetxattr>(xattr()), 46, set);
    }

    #[test]
    fn an_error_comes_before_all_else() {
        let answer = |result, flags| {
            let out = FuseIoctlOut {
                result,
                flags,
                in_iovs: 1,
                out_iovs: 1,
            };
            [out.as_bytes(), &7u32.to_ne_bytes()].concat()
        };
        let get = |result, flags| decode(op::<Getflags>(()), &answer(result, flags), 46);
        for result in [0, 1, i32::MAX] {
            assert_eq!(get(result, 0), Ok(Ok(7)));
            assert_eq!(get(result, !4), Ok(Ok(7)));
            assert_eq!(get(result, 4), Err(BadReply::Retry));
        }
        for result in [-1, -38, -5000, i32::MIN] {
            assert_eq!(get(result, 0), Ok(Err(result)));
            assert_eq!(get(result, 4), Ok(Err(result)));
        }
    }
}
