// SPDX-License-Identifier: GPL-2.0

//! Removing and renaming.
//!
//! C counterpart: `fuse_unlink()`, `fuse_rmdir()`, `fuse_rename2()` (dir.c).
//!
//! The VFS holds `i_rwsem` of the directories, and of what is removed, exclusively. Takes
//! `FuseInode::inner` of what is removed.

use super::{
    conn::NoOp,
    create::wire_name,
    Dentry,
    Fuse,
    Inode, //
};
use crate::{
    abi::op::{
        Rename,
        Rename2,
        Rmdir,
        Unlink, //
    },
    kapi::{
        dentry::NamedDentry,
        namei::{
            RENAME_EXCHANGE,
            RENAME_NOREPLACE,
            RENAME_WHITEOUT, //
        },
    },
};
use kernel::prelude::*;

/// `unlink`.
pub(super) fn unlink(dir: &Inode, entry: NamedDentry<'_, Fuse>) -> Result {
    dir.check_bad()?;
    let op = Unlink {
        name: wire_name(entry.name())?,
    };
    let result = dir.conn().call((dir, entry.inode()), &op);
    removed(dir, entry, result)
}

/// `rmdir`.
pub(super) fn rmdir(dir: &Inode, entry: NamedDentry<'_, Fuse>) -> Result {
    dir.check_bad()?;
    let op = Rmdir {
        name: wire_name(entry.name())?,
    };
    let result = dir.conn().call((dir, entry.inode()), &op);
    removed(dir, entry, result)
}

/// After UNLINK and RMDIR.
fn removed(dir: &Inode, entry: NamedDentry<'_, Fuse>, result: Result) -> Result {
    match result {
        Ok(()) => {
            dir.dir_changed();
            entry_unlinked(&entry);
        }
        Err(e) if leaves_doubt(e) => entry.invalidate_entry(),
        Err(_) => (),
    }
    result
}

/// Whether an error says that we do not know what a name stands for any more.
fn leaves_doubt(e: Error) -> bool {
    e == EINTR || e == ENOENT
}

/// A name is gone (`fuse_entry_unlinked()`).
fn entry_unlinked(entry: &Dentry) {
    let Some(inode) = entry.inode() else {
        return;
    };
    {
        let mut inner = inode.data().inner.lock();
        inner.attr_version = inode.conn().bump_attr_version();
        // Links as the daemon counts them need not add up.
        if inode.is_dir() {
            inode.clear_nlink();
        } else {
            inode.drop_nlink();
        }
    }
    entry.invalidate_entry_cache();
    inode.update_ctime();
}

/// `rename`.
pub(super) fn rename(
    old_dir: &Inode,
    old: NamedDentry<'_, Fuse>,
    new_dir: &Inode,
    new: NamedDentry<'_, Fuse>,
    flags: u32,
) -> Result {
    old_dir.check_bad()?;
    if flags & !(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) != 0 {
        return Err(EINVAL);
    }

    let conn = old_dir.conn();
    let (old_name, new_name) = (wire_name(old.name())?, wire_name(new.name())?);
    let newdir = new_dir.nodeid();

    if flags == 0 {
        let op = Rename {
            newdir,
            old: old_name,
            new: new_name,
        };
        let result = conn.call((old_dir, Some(new_dir)), &op);
        return renamed(old_dir, old, new_dir, new, flags, result);
    }

    if conn.lacks(NoOp::Rename2) || conn.minor().before(23) {
        return Err(EINVAL);
    }
    let op = Rename2 {
        newdir,
        flags,
        old: old_name,
        new: new_name,
    };
    let result = conn.call((old_dir, Some(new_dir)), &op);
    match renamed(old_dir, old, new_dir, new, flags, result) {
        Err(e) if e == ENOSYS => {
            conn.set_lacks(NoOp::Rename2);
            Err(EINVAL)
        }
        result => result,
    }
}

/// After RENAME and RENAME2 (`fuse_rename_common()`).
fn renamed(
    old_dir: &Inode,
    old: NamedDentry<'_, Fuse>,
    new_dir: &Inode,
    new: NamedDentry<'_, Fuse>,
    flags: u32,
    result: Result,
) -> Result {
    let exchange = flags & RENAME_EXCHANGE != 0;

    match result {
        Ok(()) => {
            if let Some(inode) = old.inode() {
                inode.update_ctime();
            }
            if let Some(inode) = new.inode().filter(|_| exchange) {
                inode.update_ctime();
            }
            old_dir.dir_changed();
            if old_dir != new_dir {
                new_dir.dir_changed();
            }
            // What had the new name has lost it.
            if !exchange {
                entry_unlinked(&new);
            }
        }
        // After EINTR nobody knows whether it took place. If the names are in use and cannot be
        // dropped, what is cached may differ from what the daemon has.
        Err(e) if leaves_doubt(e) => {
            old.invalidate_entry();
            if new.inode().is_some() {
                new.invalidate_entry();
            }
        }
        Err(_) => (),
    }
    result
}
