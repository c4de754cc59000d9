// SPDX-License-Identifier: GPL-2.0

//! RENAME: renames, and replaces what had the new name.
//!
//! C counterpart: `fuse_rename_common` (dir.c). Takes no locks.

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
    ids::NodeId,
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_rename_in`.
    struct FuseRenameIn: 8 {
        newdir: u64,
    }
}

/// Renames an entry of the directory that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Rename<'a> {
    /// The new name's directory.
    pub newdir: NodeId,
    /// The old name.
    pub old: Name<'a>,
    /// The new name.
    pub new: Name<'a>,
}

impl Op for Rename<'_> {
    const OPCODE: Opcode = Opcode::Rename;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        self.old
            .wire_len()
            .saturating_add(self.new.wire_len())
            .saturating_add(size_of::<FuseRenameIn>())
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseRenameIn {
            newdir: self.newdir.get(),
        })?;
        self.old.encode(out)?;
        self.new.encode(out)
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

    fn rename() -> Rename<'static> {
        Rename {
            newdir: node(6),
            old: name("ab"),
            new: name("cde"),
        }
    }

    pub fn case() -> Case {
        Case::new(rename(), |_| 8 + 3 + 4, header_only)
    }

    #[test]
    fn bytes() {
        expect(rename(), 46, wire().u64(6).text("ab\0cde\0"));
    }
}
