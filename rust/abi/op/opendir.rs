// SPDX-License-Identifier: GPL-2.0

//! OPENDIR: opens a directory. On the wire as OPEN.
//!
//! C counterpart: `fuse_send_open` (file.c). Takes no locks.

use super::{
    FuseOpenIn,
    FuseOpenOut,
    Op,
    Open,
    OpenOut, //
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

/// Opens the directory that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Opendir(pub Open);

impl Op for Opendir {
    const OPCODE: Opcode = Opcode::Opendir;
    /// The handle is of another kind than a file's.
    type Out = OpenOut;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseOpenIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&self.0.to_wire())
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseOpenOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<OpenOut, BadReply> {
        Ok(body.fixed::<FuseOpenOut>()?.into())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::{
        op::open::tests::open,
        testing::*,
        FileHandle,
        OpenOutFlags, //
    };
    use zerocopy::IntoBytes;

    pub fn case() -> Case {
        Case::new(Opendir(open(true)), |_| 8, open_only)
    }

    #[test]
    fn bytes() {
        expect(Opendir(open(false)), 46, wire().u32(0o101002).u32(0));
    }

    #[test]
    fn the_reply_is_as_opens() {
        let raw = FuseOpenOut {
            fh: 0,
            open_flags: 0b110,
            backing_id: 0,
        };
        let out = decode(Opendir(open(true)), raw.as_bytes(), 46).expect("open");
        assert_eq!(out.fh, FileHandle::ZERO);
        assert_eq!(
            out.flags,
            OpenOutFlags::KEEP_CACHE | OpenOutFlags::NONSEEKABLE
        );
    }
}
