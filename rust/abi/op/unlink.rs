// SPDX-License-Identifier: GPL-2.0

//! UNLINK: removes a name that is no directory's.
//!
//! C counterpart: `fuse_unlink` (dir.c). Takes no locks.

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
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

/// Removes a name from the directory that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Unlink<'a> {
    /// The name.
    pub name: Name<'a>,
}

impl Op for Unlink<'_> {
    const OPCODE: Opcode = Opcode::Unlink;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        self.name.wire_len()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        self.name.encode(out)
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

    pub fn case() -> Case {
        Case::new(Unlink { name: name("ab") }, |_| 3, header_only)
    }

    #[test]
    fn a_name_and_a_nul() {
        expect(Unlink { name: name("ab") }, 46, wire().text("ab\0"));
    }
}
