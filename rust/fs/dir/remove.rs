// SPDX-License-Identifier: GPL-2.0

//! Removing names: UNLINK and RMDIR.
//!
//! C counterpart: `fuse_unlink()`, `fuse_rmdir()` (dir.c).
//!
//! The VFS holds `i_rwsem` of the directory, and of what is removed, exclusively; waits for callers
//! that have left. Takes `Inode::inner` of what is removed. Sleeps for the daemon's answer.

use crate::{
    abi::op::{
        Op,
        Rmdir,
        Unlink, //
    },
    fs::{
        name::{
            doubt::Change,
            wire_name::wire_name, //
        },
        Dentry,
        Fuse,
        Inode, //
    },
    kapi::vfs::dentry::NamedDentry,
    transport::{
        Hold,
        Outcome, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// `unlink`.
pub(in crate::fs) fn unlink(dir: &Inode, entry: NamedDentry<'_, Fuse>) -> Result {
    let op = Unlink {
        name: wire_name(entry.name())?,
    };
    remove(dir, entry, &op)
}

/// `rmdir`.
pub(in crate::fs) fn rmdir(dir: &Inode, entry: NamedDentry<'_, Fuse>) -> Result {
    let op = Rmdir {
        name: wire_name(entry.name())?,
    };
    remove(dir, entry, &op)
}

/// Sends UNLINK or RMDIR.
fn remove<O: Op<Out = ()>>(dir: &Inode, entry: NamedDentry<'_, Fuse>, op: &O) -> Result {
    let victim = entry.inode();
    let waited = await_removal(dir, victim)?;
    dir.check_bad()?;
    if waited && entry.is_unhashed() {
        // A caller that had left has changed the name; the VFS looks it up again.
        return Err(ESTALE);
    }

    let mut left = false;
    let then = || {
        left = true;
        let (dir, entry) = (ARef::from(dir), ARef::from(entry.dentry()));
        move |outcome: &mut Outcome<'_>| removed_behind(&dir, &entry, outcome.result().map(drop))
    };
    let result = dir.conn().call_then((dir, victim), op, then);
    if left {
        return Err(EINTR);
    }
    match result {
        Ok(()) => {
            dir.dir_changed();
            entry_unlinked(&entry);
        }
        Err(e) => entry.change_failed(Change::Removes, e),
    }
    result
}

/// Waits for callers that have left, and hold the directory or what is in it and is locked with it;
/// whether it did.
pub(super) fn await_removal(dir: &Inode, child: Option<&Inode>) -> Result<bool> {
    let waited = dir.await_hold(Hold::Exclusive)?;
    // Of a rename the VFS does not lock each child.
    let waited_too = match child {
        Some(child) => child.await_if_locked()?,
        None => false,
    };
    if dir.is_deaddir() {
        return Err(ENOENT);
    }
    Ok(waited || waited_too)
}

/// After UNLINK or RMDIR, in place of a caller that has left.
fn removed_behind(dir: &Inode, entry: &Dentry, result: Result) {
    match result {
        Ok(()) => {
            dir.dir_changed();
            entry_unlinked(entry);
            if let Some(inode) = entry.inode().filter(|inode| inode.is_dir()) {
                inode.set_dead();
            }
            entry.unhash();
        }
        Err(e) => entry.change_failed_behind(Change::Removes, e),
    }
}

/// A name is gone (`fuse_entry_unlinked()`).
pub(super) fn entry_unlinked(entry: &Dentry) {
    let Some(inode) = entry.inode() else {
        return;
    };
    {
        let mut inner = inode.lock_inner();
        inner.attr_version = inode.conn().bump_attr_version();
        // Links as the daemon counts them need not add up.
        if inode.is_dir() {
            inner.clear_nlink();
        } else {
            inner.drop_nlink();
        }
    }
    entry.invalidate_entry_cache();
    inode.update_ctime();
}
