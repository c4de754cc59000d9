// SPDX-License-Identifier: GPL-2.0

//! The memory of inodes, and giving them back to the daemon.
//!
//! C counterpart: `fuse_alloc_inode()`, `fuse_evict_inode()`, `fuse_inode_cachep` (inode.c). Takes
//! `Inode::inner`, and after it the engine's lock. Making an inode may sleep; what is done here
//! when it is evicted does not.

use super::fuse_inode::{
    FuseInode,
    Inner, //
};
use crate::{
    fs::{
        Fuse,
        SuperBlock, //
    },
    kapi::vfs::{
        inode_cache::{
            Evicting,
            InodeCache,
            InodeLifecycle, //
        },
        unload::Unload,
    },
    transport::Forget, //
};
use kernel::prelude::*;

/// What all our inodes come from.
pub(in crate::fs) static INODE_CACHE: InodeCache<Fuse> = InodeCache::new();

/// Makes what inodes need before there is one.
///
/// # Errors
///
/// ENOMEM.
pub(in crate::fs) fn init() -> Result<Unload<Fuse>> {
    Unload::new(&INODE_CACHE, c"fuse_inode", c"fuse-iput")
}

/// The life of our inodes.
pub(in crate::fs) enum Lifecycle {}

impl InodeLifecycle<Fuse> for Lifecycle {
    fn alloc_inode(_sb: &SuperBlock) -> Result<(impl PinInit<FuseInode>, Inner)> {
        let forget = Forget::new(GFP_KERNEL_ACCOUNT)?;
        Ok((FuseInode::new(), Inner::new(forget)))
    }

    /// Gives the daemon's references back; at unmount it knows without being told.
    fn evict_inode(inode: Evicting<'_, Fuse>) {
        if !inode.sb_active() {
            return;
        }
        let fi = inode.data();
        let conn = &inode.sb().data().conn;

        let (nlookup, forget) = {
            let mut inner = inode.lock_inner();
            match inner.nlookup {
                0 => (0, None),
                nlookup => (nlookup, inner.forget.take()),
            }
        };
        if let Some(forget) = forget {
            conn.chan.forget(forget, fi.nodeid(), nlookup);
        }
        // A LOOKUP under way may bring attributes that are older than those which go now, and with
        // the inode goes the version that would tell.
        if inode.i_nlink() > 0 {
            conn.bump_evict_ctr();
        }
    }
}
