// SPDX-License-Identifier: GPL-2.0

//! Making files, directories, links and the rest.
//!
//! C counterpart: `fuse_mknod()`, `fuse_mkdir()`, `fuse_symlink()`, `fuse_link()`,
//! `create_new_entry()` (dir.c).
//!
//! The VFS holds the directory's `i_rwsem` exclusively. Takes no other locks.

use super::{
    conn::NoOp,
    dentry::NamedAt,
    inode::AskedAt,
    lookup::splice,
    req::{
        left,
        On, //
    },
    Dentry,
    Fuse,
    Inode, //
};
use crate::{
    abi::{
        op::{
            Link,
            Mkdir,
            Mknod,
            Op,
            Symlink, //
        },
        Entry,
        FileType,
        Name,
        Rdev, //
    },
    kapi::{
        dentry::NamedDentry,
        namei::current_umask,
        stat::new_encode_dev, //
    },
    transport::Undo,
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// The permissions to ask for, and the umask to send along.
pub(super) fn masked_perm(dir: &Inode, mode: u16) -> (u32, u32) {
    let umask = current_umask();
    let mode = if dir.conn().dont_mask() {
        mode
    } else {
        mode & !umask
    };
    (mode.into(), umask.into())
}

/// A name as the wire takes it. The VFS gives us no other.
pub(super) fn wire_name(name: &[u8]) -> Result<Name<'_>> {
    Name::new(name).ok_or(EINVAL)
}

/// Sends a request that makes an object, and gives the dentry its inode (`create_new_entry()`).
/// Returns the dentry to use in place of `dentry`, if another.
fn create_new_entry<'a, O: Op<Out = Entry>>(
    dir: &'a Inode,
    on: impl Into<On<'a>>,
    dentry: NamedDentry<'_, Fuse>,
    op: &O,
) -> Result<Option<ARef<Dentry>>> {
    dir.check_bad()?;
    let conn = dir.conn();
    let asked = NamedAt::now(conn);

    let entry = conn.call_undo(on, op, Undo::forget).inspect_err(|e| {
        if *e == EEXIST || left(*e) {
            dentry.invalidate_entry();
        }
    })?;
    let inode = match dir.sb().iget(&entry, AskedAt::CREATED) {
        Ok(inode) => inode,
        Err(e) => {
            conn.chan.forget_one(entry.node);
            return Err(e);
        }
    };

    let other = splice(dentry.d_drop(), Some(inode), asked, entry.entry_valid)?;
    dir.dir_changed();
    Ok(other)
}

/// The same for what is not a directory, of which there is never another dentry.
fn create_new_nondir<'a, O: Op<Out = Entry>>(
    dir: &'a Inode,
    on: impl Into<On<'a>>,
    dentry: NamedDentry<'_, Fuse>,
    op: &O,
) -> Result {
    create_new_entry(dir, on, dentry, op).map(drop)
}

/// `mknod`, and `create` without an open.
pub(super) fn mknod(dir: &Inode, dentry: NamedDentry<'_, Fuse>, mode: u16, rdev: u32) -> Result {
    let (perm, umask) = masked_perm(dir, mode);
    let op = Mknod {
        kind: FileType::from_mode(mode.into()).ok_or(EINVAL)?,
        perm,
        rdev: Rdev::from_raw(new_encode_dev(rdev)),
        umask,
        name: wire_name(dentry.name())?,
    };
    create_new_nondir(dir, dir, dentry, &op)
}

/// `mkdir`.
pub(super) fn mkdir(
    dir: &Inode,
    dentry: NamedDentry<'_, Fuse>,
    mode: u16,
) -> Result<Option<ARef<Dentry>>> {
    let (perm, umask) = masked_perm(dir, mode);
    let op = Mkdir {
        perm,
        umask,
        name: wire_name(dentry.name())?,
    };
    create_new_entry(dir, dir, dentry, &op)
}

/// `symlink`.
pub(super) fn symlink(dir: &Inode, dentry: NamedDentry<'_, Fuse>, target: &[u8]) -> Result {
    let op = Symlink {
        name: wire_name(dentry.name())?,
        target: wire_name(target)?,
    };
    create_new_nondir(dir, dir, dentry, &op)
}

/// `link`.
pub(super) fn link(old: &Dentry, dir: &Inode, new: NamedDentry<'_, Fuse>) -> Result {
    let conn = dir.conn();
    let inode = old.inode().ok_or(ENOENT)?;

    if conn.lacks(NoOp::Link) {
        return Err(EPERM);
    }
    let op = Link {
        old: inode.nodeid(),
        kind: FileType::from_mode(inode.i_mode().into()).ok_or(EIO)?,
        name: wire_name(new.name())?,
    };
    match create_new_nondir(dir, (dir, Some(inode)), new, &op) {
        Ok(()) => {
            inode.update_ctime_in_cache();
            Ok(())
        }
        Err(e) if e == EINTR => {
            inode.invalidate_attr();
            Err(e)
        }
        Err(e) if e == ENOSYS => {
            conn.set_lacks(NoOp::Link);
            Err(EPERM)
        }
        Err(e) => Err(e),
    }
}
