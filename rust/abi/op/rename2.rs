// SPDX-License-Identifier: GPL-2.0

//! RENAME2: renames, with flags. From 7.23 on.
//!
//! C counterpart: `fuse_rename_common` (dir.c). Takes no locks.
//!
//! After the header, "ab" to "cde" in node 6, with `RENAME_EXCHANGE`:
//!
//! ```text
//! 06 00 00 00 00 00 00 00              newdir
//! 02 00 00 00  flags                   00 00 00 00  padding
//! 61 62 00                             the old name
//! 63 64 65 00                          the new one
//! ```

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
    /// C: `struct fuse_rename2_in`.
    struct FuseRename2In: 16 {
        newdir: u64,
        flags: u32,
        padding: u32,
    }
}

/// Renames an entry of the directory that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Rename2<'a> {
    /// The new name's directory.
    pub newdir: NodeId,
    /// `RENAME_*` of renameat2(2).
    pub flags: u32,
    /// The old name.
    pub old: Name<'a>,
    /// The new name.
    pub new: Name<'a>,
}

impl Op for Rename2<'_> {
    const OPCODE: Opcode = Opcode::Rename2;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        self.old
            .wire_len()
            .saturating_add(self.new.wire_len())
            .saturating_add(size_of::<FuseRename2In>())
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseRename2In {
            newdir: self.newdir.get(),
            flags: self.flags,
            padding: 0,
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

    fn rename2() -> Rename2<'static> {
        Rename2 {
            newdir: node(6),
            flags: 2,
            old: name("ab"),
            new: name("cde"),
        }
    }

    pub fn case() -> Case {
        Case::new(rename2(), |_| 16 + 3 + 4, header_only)
    }

    #[test]
    fn bytes() {
        expect(rename2(), 46, wire().u64(6).u32(2).u32(0).text("ab\0cde\0"));
    }
}
