// SPDX-License-Identifier: GPL-2.0

//! MKDIR: makes a directory.
//!
//! C counterpart: `fuse_mkdir`, `create_new_entry` (dir.c). Takes no locks.

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
    mode::{
        FileType,
        S_IALLUGO, //
    },
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_mkdir_in`.
    struct FuseMkdirIn: 8 {
        mode: u32,
        umask: u32,
    }
}

/// Makes a directory in the one that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Mkdir<'a> {
    /// Permissions, with the umask applied unless the daemon does that. Type bits are not sent.
    pub perm: u32,
    /// The caller's.
    pub umask: u32,
    /// The new name.
    pub name: Name<'a>,
    /// What else is said of it.
    pub ext: CreateExt<'a>,
}

impl Op for Mkdir<'_> {
    const OPCODE: Opcode = Opcode::Mkdir;
    /// A directory.
    type Out = Entry;

    fn in_len(&self, _minor: Minor) -> usize {
        self.name
            .wire_len()
            .saturating_add(size_of::<FuseMkdirIn>())
            .saturating_add(self.ext_len())
    }

    fn ext_len(&self) -> usize {
        self.ext.wire_len()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseMkdirIn {
            mode: self.perm & S_IALLUGO,
            umask: self.umask,
        })?;
        self.name.encode(out)?;
        self.ext.encode(out)
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseEntryOut::wire_len(minor))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Entry, BadReply> {
        FuseEntryOut::decode_created(body, minor, FileType::Directory)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    pub fn mkdir(perm: u32) -> Mkdir<'static> {
        Mkdir {
            perm,
            umask: 0o22,
            name: name("ab"),
            ext: CreateExt::NONE,
        }
    }

    pub fn case() -> Case {
        Case::new(mkdir(0o755), |_| 8 + 3, entry_only)
    }

    /// No type bits, whatever the VFS passes.
    #[test]
    fn bytes() {
        expect(
            mkdir(0o041755),
            46,
            wire().u32(0o1755).u32(0o22).text("ab\0"),
        );
    }
}
