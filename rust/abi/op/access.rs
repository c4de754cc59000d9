// SPDX-License-Identifier: GPL-2.0

//! ACCESS: asks whether the caller may.
//!
//! C counterpart: `fuse_access` (dir.c). Takes no locks.

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
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_access_in`.
    struct FuseAccessIn: 8 {
        mask: u32,
        padding: u32,
    }
}

/// Asks whether the caller may use the node that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// `MAY_READ` (4), `MAY_WRITE` (2), `MAY_EXEC` (1).
    pub mask: u32,
}

impl Op for Access {
    const OPCODE: Opcode = Opcode::Access;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseAccessIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseAccessIn {
            mask: self.mask,
            padding: 0,
        })
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
        Case::new(Access { mask: 5 }, |_| 8, header_only)
    }

    #[test]
    fn bytes() {
        expect(Access { mask: 5 }, 46, wire().u32(5).u32(0));
    }
}
