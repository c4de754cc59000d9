// SPDX-License-Identifier: GPL-2.0

//! RELEASEDIR: ends what OPENDIR began. On the wire as RELEASE.
//!
//! C counterpart: `fuse_file_release` (file.c). Takes no locks.

use super::{
    FuseReleaseIn,
    Op,
    Release, //
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

/// Closes an open directory for good. Has nobody's credentials.
#[derive(Clone, Copy, Debug)]
pub struct Releasedir(pub Release);

impl Op for Releasedir {
    const OPCODE: Opcode = Opcode::Releasedir;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseReleaseIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&self.0.to_wire())
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
        op::release::tests::release,
        testing::*, //
    };

    pub fn case() -> Case {
        Case::new(Releasedir(release(None)), |_| 24, header_only)
    }

    #[test]
    fn bytes() {
        let expected = wire().u64(9).u32(0o100002).u32(0).u64(0);
        expect(Releasedir(release(None)), 46, expected);
    }
}
