// SPDX-License-Identifier: GPL-2.0

//! LINK: makes a hard link.
//!
//! C counterpart: `fuse_link`, `create_new_entry` (dir.c). Takes no locks.

use super::Op;
use crate::abi::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    entry::{
        Entry,
        FuseEntryOut, //
    },
    error::{
        BadReply,
        Overflow, //
    },
    ids::NodeId,
    mode::FileType,
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_link_in`.
    struct FuseLinkIn: 8 {
        oldnodeid: u64,
    }
}

/// Makes a hard link in the directory that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// What to link to.
    pub old: NodeId,
    /// Its type, which is not sent: the reply's must be the same.
    pub kind: FileType,
    /// The new name.
    pub name: Name<'a>,
}

impl Op for Link<'_> {
    const OPCODE: Opcode = Opcode::Link;
    /// Of the linked node's type. Whether it is the same node is not checked here.
    type Out = Entry;

    fn in_len(&self, _minor: Minor) -> usize {
        self.name.wire_len().saturating_add(size_of::<FuseLinkIn>())
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseLinkIn {
            oldnodeid: self.old.get(),
        })?;
        self.name.encode(out)
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseEntryOut::wire_len(minor))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Entry, BadReply> {
        FuseEntryOut::decode_created(body, minor, self.kind)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    pub fn case() -> Case {
        Case::new(link(FileType::Regular), |_| 8 + 3, entry_only)
    }

    pub fn link(kind: FileType) -> Link<'static> {
        Link {
            old: node(6),
            kind,
            name: name("ab"),
        }
    }

    #[test]
    fn bytes() {
        expect(link(FileType::Fifo), 46, wire().u64(6).text("ab\0"));
    }
}
