// SPDX-License-Identifier: GPL-2.0

//! Symbolic links: READLINK.
//!
//! C counterpart: `fuse_get_link()`, `fuse_readlink_folio()` (dir.c). Takes no locks.

use crate::{
    abi::op::Readlink,
    fs::{
        attr::{
            getattr,
            setattr, //
        },
        Dentry,
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        attr::Iattr,
        inode_operations::{
            InodeOperations,
            InodeOperationsTable, //
        },
        kstat::Kstat,
        mnt_idmapping::MntIdmap, //
    },
    transport::Payload, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// The inode operations of symbolic links.
pub(in crate::fs) static SYMLINK_INODE_OPERATIONS: InodeOperationsTable<Fuse> =
    InodeOperationsTable::new::<SymlinkOperations>();

enum SymlinkOperations {}

#[vtable]
impl InodeOperations<Fuse> for SymlinkOperations {
    fn get_link(_dentry: &Dentry, inode: &Inode) -> Result<KVVec<u8>> {
        inode.check_bad()?;
        readlink(inode)
    }

    fn setattr(idmap: &MntIdmap, dentry: &Dentry, attr: &mut Iattr<Fuse>) -> Result {
        setattr::setattr(idmap, dentry, attr)
    }

    fn getattr(
        idmap: &MntIdmap,
        dentry: &Dentry,
        stat: &mut Kstat,
        request_mask: u32,
        flags: u32,
    ) -> Result {
        getattr::getattr(idmap, dentry, stat, request_mask, flags)
    }
}

/// Asks for a link's text, at most a page less one byte.
fn readlink(inode: &Inode) -> Result<KVVec<u8>> {
    // With room for the NUL that the VFS wants.
    let text = KVVec::with_capacity(PAGE_SIZE, GFP_KERNEL)?;
    let op = Readlink {
        max: (PAGE_SIZE - 1) as u32,
    };

    let (result, payload) =
        inode
            .conn()
            .call_with(inode, &op, Payload::Out(text, PAGE_SIZE - 1), || {
                inode.then_invalidate_atime()
            });
    inode.invalidate_atime();

    result?;
    match payload {
        Payload::Out(text, _) => Ok(text),
        // It goes with a caller that leaves, who has an error then.
        _ => Err(EIO),
    }
}
