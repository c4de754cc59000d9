// SPDX-License-Identifier: GPL-2.0

//! READLINK: asks for a symbolic link's target.
//!
//! C counterpart: `fuse_readlink_folio` (dir.c). Takes no locks.

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

/// Asks for the target of the symbolic link that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Readlink {
    /// The longest target in bytes: a page less one, for the NUL that the reader adds.
    pub max: u32,
}

impl Op for Readlink {
    const OPCODE: Opcode = Opcode::Readlink;
    /// The target's length; 0 is possible, and so is a NUL within.
    type Out = u32;

    fn in_len(&self, _minor: Minor) -> usize {
        0
    }

    fn encode(&self, _out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        Ok(())
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Payload(self.max)
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u32, BadReply> {
        body.payload(self.max)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    pub fn case() -> Case {
        Case::new(Readlink { max: 4095 }, |_| 0, |_| Expect::Payload(4095))
    }

    #[test]
    fn no_bytes() {
        expect(Readlink { max: 4095 }, 46, wire());
    }

    #[test]
    fn what_comes_is_counted() {
        let decode = |len| decode_payload(Readlink { max: 4095 }, len);
        assert_eq!(decode(4095), Ok(4095));
        assert_eq!(decode(4096), Err(BadReply::Length));
    }
}
