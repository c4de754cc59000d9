// SPDX-License-Identifier: GPL-2.0

//! The superblock's operations: which function does what.
//!
//! C counterpart: `fuse_super_operations` (inode.c). Takes no locks.

use crate::{
    fs::{
        inode::lifecycle::{
            Lifecycle,
            INODE_CACHE, //
        },
        mount::superblock,
        Dentry,
        Fuse,
        SuperBlock, //
    },
    kapi::vfs::{
        statfs::KStatFs,
        super_operations::{
            SuperOperations,
            SuperOperationsTable, //
        },
    },
};
use kernel::{
    prelude::*,
    seq_file::SeqFile, //
};

/// The superblock's operations.
pub(super) static SUPER_OPERATIONS: SuperOperationsTable<Fuse> =
    SuperOperationsTable::new::<Operations, Lifecycle>(&INODE_CACHE);

enum Operations {}

impl SuperOperations<Fuse> for Operations {
    fn statfs(dentry: &Dentry, buf: &mut KStatFs) -> Result {
        superblock::statfs(dentry, buf)
    }

    fn umount_begin(sb: &SuperBlock) {
        sb.data().conn.chan.abort();
    }

    fn show_options(m: &SeqFile, root: &Dentry) -> Result {
        superblock::show_options(m, root)
    }
}
