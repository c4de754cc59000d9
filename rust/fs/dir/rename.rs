// SPDX-License-Identifier: GPL-2.0

//! Renaming: RENAME and RENAME2.
//!
//! C counterpart: `fuse_rename2()`, `fuse_rename_common()` (dir.c).
//!
//! The VFS holds `i_rwsem` of the directories, and of what is replaced, exclusively, and of two
//! directories the superblock's rename lock; waits for callers that have left. Takes
//! `Inode::inner` of what is replaced.

use super::remove::{
    await_removal,
    entry_unlinked, //
};
use crate::{
    abi::{
        op::{
            Op,
            Rename,
            Rename2, //
        },
        NodeId, //
    },
    fs::{
        name::{
            dentry::NamedAt,
            doubt::Change,
            wire_name::wire_name, //
        },
        request::{
            call::{
                Holds,
                Subject, //
            },
            held::Held, //
        },
        Dentry,
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        dentry::NamedDentry,
        mnt_idmapping::MntIdmap,
        namei::{
            RENAME_EXCHANGE,
            RENAME_NOREPLACE,
            RENAME_WHITEOUT, //
        },
    },
    transport::Outcome, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// `rename`.
pub(in crate::fs) fn rename(
    idmap: &MntIdmap,
    old_dir: &Inode,
    old: NamedDentry<'_, Fuse>,
    new_dir: &Inode,
    new: NamedDentry<'_, Fuse>,
    flags: u32,
) -> Result {
    let names = Names {
        old_dir,
        old: old.inode(),
        new_dir,
        new: new.inode(),
        // What stays in the old place is made by it.
        idmap: (flags & RENAME_WHITEOUT != 0).then_some(idmap),
    };
    names.await_all(old.dentry(), new.dentry(), flags)?;
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
        return send(&names, old, new, flags, &op);
    }

    if conn.minor().before(23) {
        return Err(EINVAL);
    }
    let op = Rename2 {
        newdir,
        flags,
        old: old_name,
        new: new_name,
    };
    conn.unless_lacking(Rename2::OPCODE, || send(&names, old, new, flags, &op))?
        .ok_or(EINVAL)
}

/// The inodes of a rename.
struct Names<'a> {
    old_dir: &'a Inode,
    old: Option<&'a Inode>,
    new_dir: &'a Inode,
    new: Option<&'a Inode>,
    /// Of the mount, if something is made.
    idmap: Option<&'a MntIdmap>,
}

impl Names<'_> {
    /// Whether the VFS has the superblock's rename lock.
    fn crosses(&self) -> bool {
        self.old_dir != self.new_dir
    }

    /// Whether a directory moves to another one.
    fn moves_dir(&self) -> bool {
        let is_dir = |inode: Option<&Inode>| inode.is_some_and(Inode::is_dir);
        self.crosses() && (is_dir(self.old) || is_dir(self.new))
    }

    /// Waits for callers that have left, and hold any of this.
    ///
    /// # Errors
    ///
    /// EINTR if killed; ENOENT if a directory was removed meanwhile; ESTALE, for the VFS to look
    /// again, if a name has changed, or a directory was moved, so that this may make a circle.
    fn await_all(&self, old: &Dentry, new: &Dentry, flags: u32) -> Result {
        let conn = self.old_dir.conn();
        if self.crosses() {
            conn.await_renames()?;
        }
        let mut waited = await_removal(self.old_dir, self.old)?;
        waited |= await_removal(self.new_dir, self.new)?;
        let changed = waited && (old.is_unhashed() || (new.inode().is_some() && new.is_unhashed()));
        // What a caller that has left has moved is out of the tree of dentries until it is looked
        // up: with it, the VFS could not see whether this makes a circle.
        let exchange = flags & RENAME_EXCHANGE != 0;
        let unseen = self.moves_dir()
            && conn.left.has_moved()
            && (new.has_unhashed_parent() || (exchange && old.has_unhashed_parent()));
        if changed || unseen {
            return Err(ESTALE);
        }
        Ok(())
    }
}

impl Holds for &Names<'_> {
    fn hold(&self, held: &mut Held) -> Result {
        held.inode(self.old_dir)?;
        if self.crosses() {
            held.inode(self.new_dir)?;
            held.renames()?;
        }
        for inode in [self.old, self.new].into_iter().flatten() {
            held.inode(inode)?;
        }
        Ok(())
    }
}

impl Subject for &Names<'_> {
    fn node(&self) -> NodeId {
        self.old_dir.nodeid()
    }

    fn idmap(&self) -> Option<&MntIdmap> {
        self.idmap
    }
}

/// Sends RENAME or RENAME2, and takes note of what it does.
fn send<O: Op<Out = ()>>(
    names: &Names<'_>,
    old: NamedDentry<'_, Fuse>,
    new: NamedDentry<'_, Fuse>,
    flags: u32,
    op: &O,
) -> Result {
    let (old_dir, new_dir) = (names.old_dir, names.new_dir);
    let asked = (NamedAt::now(old_dir), NamedAt::now(new_dir));
    let mut left = false;
    let then = || {
        left = true;
        let dirs = (ARef::from(old_dir), ARef::from(new_dir));
        let entries = (ARef::from(old.dentry()), ARef::from(new.dentry()));
        let moves_dir = names.moves_dir();
        move |outcome: &mut Outcome<'_>| {
            let result = outcome.result().map(drop);
            renamed(&dirs.0, &entries.0, &dirs.1, &entries.1, flags, result);
            let replaced = entries.1.inode().filter(|_| flags & RENAME_EXCHANGE == 0);
            if let Some(inode) = replaced.filter(|inode| result.is_ok() && inode.is_dir()) {
                inode.set_dead();
            }
            if result.is_ok() && moves_dir {
                dirs.0.conn().left.set_moved();
            }
            if result.is_ok() || result.is_err_and(|e| Change::Removes.leaves_doubt(e)) {
                // The next lookup moves a directory with what is below it.
                for entry in [entries.0, entries.1] {
                    entry.drop_behind();
                }
            }
        }
    };
    let result = old_dir.conn().call_then(names, op, then);
    if left {
        return Err(EINTR);
    }
    renamed(old_dir, &old, new_dir, &new, flags, result);
    if result.is_ok() {
        old.will_be_renamed(asked.1);
        if flags & RENAME_EXCHANGE != 0 {
            new.will_be_renamed(asked.0);
        }
    }
    // After EINTR nobody knows whether it took place. If the names are in use and cannot be
    // dropped, what is cached may differ from what the daemon has.
    if result.is_err_and(|e| Change::Removes.leaves_doubt(e)) {
        old.invalidate_entry();
        if new.inode().is_some() {
            new.invalidate_entry();
        }
    }
    result
}

/// After RENAME and RENAME2 (`fuse_rename_common()`).
fn renamed(
    old_dir: &Inode,
    old: &Dentry,
    new_dir: &Inode,
    new: &Dentry,
    flags: u32,
    result: Result,
) {
    if result.is_err() {
        return;
    }
    let exchange = flags & RENAME_EXCHANGE != 0;
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
        entry_unlinked(new);
    }
}
