// SPDX-License-Identifier: GPL-2.0

//! DESTROY: the filesystem is being unmounted.
//!
//! C counterpart: `fuse_send_destroy` (inode.c). Takes no locks.

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

/// Closes the conversation. Is about no node, has nobody's credentials; what the daemon answers
/// does not matter, only that it does.
#[derive(Clone, Copy, Debug)]
pub struct Destroy;

impl Op for Destroy {
    const OPCODE: Opcode = Opcode::Destroy;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        0
    }

    fn encode(&self, _out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        Ok(())
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
        Case::new(Destroy, |_| 0, header_only)
    }

    #[test]
    fn bytes() {
        expect(Destroy, 46, wire());
    }
}
