// SPDX-License-Identifier: GPL-2.0

//! A name is out of date (INVAL_ENTRY), or was removed (DELETE).
//!
//! C counterpart: `fuse_reverse_inval_entry()` (dir.c). There both take the directory's lock, and
//! wait for whoever changes it or looks a name up in it: that is, for an answer of the daemon whose
//! thread this is. Here INVAL_ENTRY takes no lock; what requests under way are about to bring is
//! out of date by [`FuseInode::outdate_names`](crate::fs::inode::fuse_inode::FuseInode). DELETE
//! makes a change in the directory, so it takes its lock and the removed inode's, killably, and
//! waits for callers that have left. Called with killsb held for reading: an unmount ends what is
//! waited for first.

use crate::{
    abi::NodeId,
    fs::{
        Dentry,
        Inode,
        SuperBlock, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// INVAL_ENTRY; with `expire_only` the name is only to be looked up again. Sleeps, but not for the
/// daemon.
///
/// # Errors
///
/// ENOENT if the directory or the name is not cached; ENOTDIR.
pub(super) fn inval_entry(
    sb: &SuperBlock,
    parent: NodeId,
    name: &[u8],
    expire_only: bool,
) -> Result {
    let dir = directory(sb, parent)?;
    let entry = find(&dir, name)?;
    outdate(&dir, &entry, expire_only);
    Ok(())
}

/// DELETE of the name of `child`. Sleeps, for whoever has the directory or `child` locked.
///
/// # Errors
///
/// ENOENT if the directory or the name is not cached, or the name is another node's; ENOTDIR;
/// EBUSY if something is mounted there; ENOTEMPTY if what is in it is in use; EINTR if killed. With
/// the last four, and for another node, the name is out of date.
pub(super) fn delete(sb: &SuperBlock, parent: NodeId, child: NodeId, name: &[u8]) -> Result {
    let dir = directory(sb, parent)?;
    let _lock = dir.lock_parent()?;
    let entry = find(&dir, name)?;
    outdate(&dir, &entry, false);
    let Some(inode) = entry.inode() else {
        return Ok(());
    };
    remove(&entry, inode, child)?;
    Dentry::d_delete(entry);
    Ok(())
}

/// Makes the inode of a name one that is gone, as UNLINK and RMDIR do.
fn remove(entry: &Dentry, inode: &Inode, child: NodeId) -> Result {
    let _lock = inode.lock()?;
    if inode.nodeid() != child {
        return Err(ENOENT);
    }
    if entry.is_mountpoint() {
        return Err(EBUSY);
    }
    if inode.is_dir() {
        entry.shrink_children();
        if !entry.has_no_children() {
            return Err(ENOTEMPTY);
        }
        inode.set_dead();
    }
    entry.dont_mount();
    inode.lock_inner().clear_nlink();
    Ok(())
}

/// The directory of a name.
fn directory(sb: &SuperBlock, parent: NodeId) -> Result<ARef<Inode>> {
    let dir = sb.ilookup(parent).ok_or(ENOENT)?;
    if !dir.is_dir() {
        return Err(ENOTDIR);
    }
    Ok(dir)
}

/// The name, if it is cached; what is about to be is out of date.
fn find(dir: &Inode, name: &[u8]) -> Result<ARef<Dentry>> {
    dir.data().outdate_names();
    let alias = dir.d_find_alias().ok_or(ENOENT)?;
    alias.d_lookup(name).ok_or(ENOENT)
}

/// Makes the name be looked up again, and unless it is `expire_only`, takes it out of the tree of
/// names, with what is below and not in use, and what is mounted there.
fn outdate(dir: &Inode, entry: &Dentry, expire_only: bool) {
    dir.dir_changed();
    if expire_only {
        entry.invalidate_entry_cache();
    } else {
        entry.invalidate_entry();
    }
}
