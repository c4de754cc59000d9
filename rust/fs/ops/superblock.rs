// SPDX-License-Identifier: GPL-2.0

//! The superblock's operations, extended attributes among them: which function does what.
//!
//! C counterpart: `fuse_super_operations` (inode.c), `fuse_xattr_handlers` (xattr.c). Takes no
//! locks.

use crate::{
    fs::{
        attr::xattr,
        inode::lifecycle::{
            Lifecycle,
            INODE_CACHE, //
        },
        mount::superblock,
        Dentry,
        Fuse,
        Inode,
        SuperBlock, //
    },
    kapi::vfs::{
        statfs::KStatFs,
        super_operations::{
            SuperOperations,
            SuperOperationsTable, //
        },
        xattr::XattrOperations, //
    },
};
use kernel::{
    prelude::*,
    seq_file::SeqFile, //
};

/// The superblock's operations.
pub(super) static SUPER_OPERATIONS: SuperOperationsTable<Fuse> =
    SuperOperationsTable::new::<Operations, Lifecycle, Xattrs>(&INODE_CACHE);

enum Operations {}

impl SuperOperations<Fuse> for Operations {
    fn statfs(dentry: &Dentry, buf: &mut KStatFs) -> Result {
        superblock::statfs(dentry, buf)
    }

    fn umount_begin(sb: &SuperBlock) {
        superblock::umount_begin(sb);
    }

    fn sync_fs(root: &Dentry, wait: bool) -> Result {
        superblock::sync_fs(root, wait)
    }

    fn show_options(m: &SeqFile, root: &Dentry) -> Result {
        superblock::show_options(m, root)
    }
}

enum Xattrs {}

impl XattrOperations<Fuse> for Xattrs {
    fn get_len(inode: &Inode, name: &CStr) -> Result<usize> {
        xattr::get_len(inode, name)
    }

    fn get(inode: &Inode, name: &CStr, max: usize) -> Result<KVVec<u8>> {
        xattr::get(inode, name, max)
    }

    fn set(inode: &Inode, name: &CStr, value: &[u8], flags: u32) -> Result {
        xattr::set(inode, name, value, flags)
    }

    fn remove(inode: &Inode, name: &CStr) -> Result {
        xattr::remove(inode, name)
    }
}
