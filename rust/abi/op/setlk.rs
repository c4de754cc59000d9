// SPDX-License-Identifier: GPL-2.0

//! SETLK: takes a lock of a file, changes it, or gives it back.
//!
//! C counterpart: `fuse_setlk` (file.c). Takes no locks.

use super::{
    getlk::Lk,
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
    opcode::Opcode,
    version::Minor, //
};

/// Takes a lock, or gives it back; EAGAIN if another one is in the way.
#[derive(Clone, Copy, Debug)]
pub struct Setlk(pub Lk);

impl Op for Setlk {
    const OPCODE: Opcode = Opcode::Setlk;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        Lk::LEN
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        self.0.encode(out)
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
    use crate::abi::{
        lock::LockKind,
        op::getlk::tests::{
            lk,
            wire_lk, //
        },
        testing::*, //
    };

    pub fn case() -> Case {
        Case::new(Setlk(lk(LockKind::Write, false)), |_| 48, header_only)
    }

    #[test]
    fn bytes() {
        for (kind, number) in [
            (LockKind::Read, 0),
            (LockKind::Write, 1),
            (LockKind::Unlock, 2),
        ] {
            expect(Setlk(lk(kind, false)), 46, wire_lk(number, 0));
            expect(Setlk(lk(kind, true)), 46, wire_lk(number, 1));
            expect(Setlk(lk(kind, true)), 16, wire_lk(number, 1));
        }
    }
}
