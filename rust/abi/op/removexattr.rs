// SPDX-License-Identifier: GPL-2.0

//! REMOVEXATTR: removes an extended attribute.
//!
//! C counterpart: `fuse_removexattr` (xattr.c). Takes no locks.

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

/// Removes an extended attribute of the inode that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Removexattr<'a> {
    /// With its namespace.
    pub name: Name<'a>,
}

impl Op for Removexattr<'_> {
    const OPCODE: Opcode = Opcode::Removexattr;
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

    fn op() -> Removexattr<'static> {
        Removexattr {
            name: name("user.a"),
        }
    }

    pub fn case() -> Case {
        Case::new(op(), |_| 7, header_only)
    }

    #[test]
    fn a_name() {
        expect(op(), 46, wire().text("user.a\0"));
    }
}
