// SPDX-License-Identifier: GPL-2.0

//! TMPFILE: makes a regular file without a name, and opens it.
//!
//! C counterpart: `fuse_tmpfile`, `fuse_create_open` (dir.c). It is CREATE under another number,
//! but no version of the protocol has it shorter. Takes no locks.

use super::{
    Create,
    CreateOut,
    FuseOpenOut,
    Op, //
};
use crate::abi::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    entry::FuseEntryOut,
    error::{
        BadReply,
        Overflow, //
    },
    opcode::Opcode,
    version::Minor, //
};

/// Makes a regular file in the directory that the request is about, with a name that means nothing,
/// and opens it.
#[derive(Clone, Copy, Debug)]
pub struct Tmpfile<'a>(pub Create<'a>);

impl Tmpfile<'_> {
    /// Checks the body of a reply without an error.
    ///
    /// # Errors
    ///
    /// [`BadReply`]: the caller gets EIO.
    pub fn decode(body: Body<'_>, _minor: Minor) -> Result<CreateOut, BadReply> {
        CreateOut::decode(body, Minor::OURS)
    }
}

impl Op for Tmpfile<'_> {
    const OPCODE: Opcode = Opcode::Tmpfile;
    type Out = CreateOut;

    fn in_len(&self, _minor: Minor) -> usize {
        self.0.in_len(Minor::OURS)
    }

    fn ext_len(&self) -> usize {
        self.0.ext_len()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        self.0.encode(out, Minor::OURS)
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(FuseEntryOut::wire_len(Minor::OURS).saturating_add(size_of::<FuseOpenOut>()))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<CreateOut, BadReply> {
        Tmpfile::decode(body, minor)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    pub fn tmpfile() -> Tmpfile<'static> {
        Tmpfile(Create {
            name: name("/"),
            ..crate::abi::op::create::tests::create(true)
        })
    }

    pub fn case() -> Case {
        Case::new(tmpfile(), |_| 16 + 2, |_| Expect::Exactly(128 + 16))
    }

    #[test]
    fn the_same_bytes_for_all() {
        let bytes = || {
            wire()
                .u32(0o1102)
                .u32(0o100640)
                .u32(0o22)
                .u32(1)
                .text("/\0")
        };
        for minor in [0, 8, 11, 12, 46] {
            expect(tmpfile(), minor, bytes());
        }
    }

    #[test]
    fn a_whole_entry_from_all() {
        let own = [raw_entry(5, 0o100600).as_bytes(), &[7; 16]].concat();
        for minor in [0, 8, 9, 46] {
            let out = decode(tmpfile(), &own, minor).expect("a file");
            assert_eq!((out.entry.node, out.entry.attr().uid()), (node(5), 1000));
            assert_eq!(decode(tmpfile(), &own[8..], minor), Err(BadReply::Length));
        }
    }
}
