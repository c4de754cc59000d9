// SPDX-License-Identifier: GPL-2.0

//! OPEN: opens a file.
//!
//! C counterpart: `fuse_send_open` (file.c). Takes no locks.

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
    flags::{
        OpenInFlags,
        OpenOutFlags, //
    },
    ids::FileHandle,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_open_in`.
    struct FuseOpenIn: 8 {
        flags: u32,
        open_flags: u32,
    }
    /// C: `struct fuse_open_out`, unchecked.
    struct FuseOpenOut: 16 {
        fh: u64,
        open_flags: u32,
        backing_id: i32,
    }
}

/// Opens the file that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Of open(2), as far as the daemon is to see them: `O_CREAT`, `O_EXCL` and `O_NOCTTY` are not
    /// sent, and `O_TRUNC` only if the daemon truncates.
    pub flags: u32,
    /// Clear set-id bits, since the file is truncated.
    pub kill_suidgid: bool,
}

/// An open file or directory, as the daemon knows it. Holding one means owing a RELEASE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenOut {
    /// The daemon's name for it.
    pub fh: FileHandle,
    /// Known ones only. Which of them go together is for the opener to see.
    pub flags: OpenOutFlags,
}

impl From<FuseOpenOut> for OpenOut {
    fn from(raw: FuseOpenOut) -> Self {
        Self {
            fh: FileHandle::from_raw(raw.fh),
            flags: OpenOutFlags::from_bits(raw.open_flags).masked(OpenOutFlags::KNOWN),
        }
    }
}

impl Open {
    pub(super) fn to_wire(self) -> FuseOpenIn {
        FuseOpenIn {
            flags: self.flags,
            open_flags: OpenInFlags::EMPTY
                .with_if(self.kill_suidgid, OpenInFlags::KILL_SUIDGID)
                .bits(),
        }
    }
}

impl Op for Open {
    const OPCODE: Opcode = Opcode::Open;
    type Out = OpenOut;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseOpenIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&self.to_wire())
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseOpenOut>())
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<OpenOut, BadReply> {
        OpenOut::decode(body, minor)
    }
}

impl OpenOut {
    /// Checks the body of a reply without an error, to OPEN or OPENDIR.
    ///
    /// # Errors
    ///
    /// [`BadReply`]: the caller gets EIO.
    pub fn decode(body: Body<'_>, _minor: Minor) -> Result<Self, BadReply> {
        Ok(body.fixed::<FuseOpenOut>()?.into())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    pub fn open(kill_suidgid: bool) -> Open {
        Open {
            flags: 0o101002,
            kill_suidgid,
        }
    }

    pub fn case() -> Case {
        Case::new(open(true), |_| 8, open_only)
    }

    #[test]
    fn bytes() {
        expect(open(false), 46, wire().u32(0o101002).u32(0));
        expect(open(true), 46, wire().u32(0o101002).u32(1));
    }

    #[test]
    fn unknown_flags_are_dropped() {
        let raw = FuseOpenOut {
            fh: u64::MAX,
            open_flags: u32::MAX,
            backing_id: -1,
        };
        let out = decode(open(true), raw.as_bytes(), 46).expect("open");
        assert_eq!((out.fh.get(), out.flags), (u64::MAX, OpenOutFlags::KNOWN));
    }
}
