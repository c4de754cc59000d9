// SPDX-License-Identifier: GPL-2.0

//! STATFS: asks for the size of the filesystem and what is free.
//!
//! C counterpart: `fuse_statfs`, `convert_fuse_statfs`, `fuse_adjust_compat` (inode.c, dev.c).
//! Takes no locks.

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
    /// C: `struct fuse_statfs_out`, unchecked.
    struct FuseStatfsOut: 80 {
        blocks: u64,
        bfree: u64,
        bavail: u64,
        files: u64,
        ffree: u64,
        bsize: u32,
        namelen: u32,
        frsize: u32,
        padding: u32,
        spare: [u32; 6],
    }
}

/// Bytes of `struct fuse_statfs_out` before 7.4.
const COMPAT_STATFS_SIZE: usize = 48;

/// Asks for the size of the filesystem.
#[derive(Clone, Copy, Debug)]
pub struct Statfs;

/// The size of the filesystem. Any numbers, as in C: nothing in the kernel counts on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatfsOut {
    /// In all, in units of `frsize`.
    pub blocks: u64,
    /// Free ones.
    pub bfree: u64,
    /// Free ones for other users than root.
    pub bavail: u64,
    /// Inodes.
    pub files: u64,
    /// Free inodes.
    pub ffree: u64,
    /// The preferred size of a transfer, in bytes.
    pub bsize: u32,
    /// The longest name in bytes.
    pub namelen: u32,
    /// The unit, in bytes; 0 for `bsize` (always before 7.4).
    pub frsize: u32,
}

impl Statfs {
    const fn out_len(minor: Minor) -> usize {
        if minor.before(4) {
            COMPAT_STATFS_SIZE
        } else {
            size_of::<FuseStatfsOut>()
        }
    }
}

impl Op for Statfs {
    const OPCODE: Opcode = Opcode::Statfs;
    type Out = StatfsOut;

    fn in_len(&self, _minor: Minor) -> usize {
        0
    }

    fn encode(&self, _out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        Ok(())
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(Self::out_len(minor))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<StatfsOut, BadReply> {
        let raw: FuseStatfsOut = body.short(Self::out_len(minor))?;

        Ok(StatfsOut {
            blocks: raw.blocks,
            bfree: raw.bfree,
            bavail: raw.bavail,
            files: raw.files,
            ffree: raw.ffree,
            bsize: raw.bsize,
            namelen: raw.namelen,
            frsize: raw.frsize,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    pub fn case() -> Case {
        Case::new(
            Statfs,
            |_| 0,
            |minor| Expect::Exactly(if minor < 4 { 48 } else { 80 }),
        )
    }

    #[test]
    fn no_bytes() {
        expect(Statfs, 46, wire());
    }

    #[test]
    fn the_filesystems_size() {
        let raw = FuseStatfsOut {
            blocks: 1,
            bfree: u64::MAX,
            bavail: 3,
            files: 4,
            ffree: 5,
            bsize: 6,
            namelen: 7,
            frsize: 8,
            padding: u32::MAX,
            spare: [u32::MAX; 6],
        };
        let expected = StatfsOut {
            blocks: 1,
            bfree: u64::MAX,
            bavail: 3,
            files: 4,
            ffree: 5,
            bsize: 6,
            namelen: 7,
            frsize: 8,
        };
        assert_eq!(decode(Statfs, raw.as_bytes(), 46), Ok(expected));
        assert_eq!(decode(Statfs, raw.as_bytes(), 4), Ok(expected));
        let old = StatfsOut {
            frsize: 0,
            ..expected
        };
        assert_eq!(decode(Statfs, &raw.as_bytes()[..48], 3), Ok(old));
    }
}
