// SPDX-License-Identifier: GPL-2.0

//! SYMLINK: makes a symbolic link.
//!
//! C counterpart: `fuse_symlink`, `create_new_entry` (dir.c). Takes no locks.

use super::Op;
use crate::abi::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    create_ext::CreateExt,
    entry::{
        Entry,
        FuseEntryOut, //
    },
    error::{
        BadReply,
        Overflow, //
    },
    mode::FileType,
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

/// Makes a symbolic link in the directory that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Symlink<'a> {
    /// The new name.
    pub name: Name<'a>,
    /// What it points to.
    pub target: Name<'a>,
    /// What else is said of it.
    pub ext: CreateExt<'a>,
}

impl Op for Symlink<'_> {
    const OPCODE: Opcode = Opcode::Symlink;
    /// A symbolic link.
    type Out = Entry;

    fn in_len(&self, _minor: Minor) -> usize {
        self.name
            .wire_len()
            .saturating_add(self.target.wire_len())
            .saturating_add(self.ext_len())
    }

    fn ext_len(&self) -> usize {
        self.ext.wire_len()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        self.name.encode(out)?;
        self.target.encode(out)?;
        self.ext.encode(out)
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseEntryOut::wire_len(minor))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Entry, BadReply> {
        FuseEntryOut::decode_created(body, minor, FileType::Symlink)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    pub fn symlink() -> Symlink<'static> {
        Symlink {
            name: name("ab"),
            target: name("../c/d"),
            ext: CreateExt::NONE,
        }
    }

    pub fn case() -> Case {
        Case::new(symlink(), |_| 3 + 7, entry_only)
    }

    #[test]
    fn names_and_nuls() {
        expect(symlink(), 46, wire().text("ab\0../c/d\0"));
    }
}
