// SPDX-License-Identifier: GPL-2.0

//! Making files, directories, links and the rest.
//!
//! C counterpart: `fuse_mknod()`, `fuse_mkdir()`, `fuse_symlink()`, `fuse_link()`,
//! `create_new_entry()` (dir.c).
//!
//! The VFS holds the directory's `i_rwsem` exclusively. Takes no other locks.

use super::create_ext::Extensions;
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
        NodeId,
        Rdev, //
    },
    fs::{
        inode::attr_cache::AskedAt,
        name::{
            dentry::NamedAt,
            doubt::Change,
            lookup::splice,
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
        dentry::{
            Alias,
            NegativeDentry,
            PositiveDentry, //
        },
        mnt_idmapping::MntIdmap,
        stat::{
            new_encode_dev,
            S_IFDIR,
            S_IFLNK, //
        },
    },
    transport::{
        Hold,
        Outcome, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// Where something is made: a directory that the VFS has locked.
pub(super) struct Making<'a> {
    dir: &'a Inode,
    /// What gets another link, locked too.
    linked: Option<&'a Inode>,
    /// Of the mount, unless it is a link.
    idmap: Option<&'a MntIdmap>,
}

impl<'a> Making<'a> {
    /// A new file.
    pub(super) fn new(idmap: &'a MntIdmap, dir: &'a Inode) -> Self {
        Self {
            dir,
            linked: None,
            idmap: Some(idmap),
        }
    }
}

impl Holds for Making<'_> {
    fn hold(&self, held: &mut Held) -> Result {
        (self.dir, self.linked).hold(held)
    }
}

impl Subject for Making<'_> {
    fn node(&self) -> NodeId {
        self.dir.nodeid()
    }

    fn idmap(&self) -> Option<&MntIdmap> {
        self.idmap
    }
}

/// Sends a request that makes an object of type `kind`, or a link, and gives the dentry its inode
/// (`create_new_entry()`). Returns the dentry to use in place of `dentry`, if another.
fn create_new_entry<'a, O: Op<Out = Entry>>(
    making: Making<'_>,
    dentry: NegativeDentry<'a, Fuse>,
    op: &O,
    kind: FileType,
) -> Result<Option<Alias<'a, Fuse>>> {
    let (dir, linked) = (making.dir, making.linked);
    dir.check_bad()?;
    let conn = dir.conn();
    let asked = NamedAt::now(dir);

    let mut left = false;
    let then = || {
        left = true;
        let (dir, dentry) = (ARef::from(dir), ARef::from(dentry.dentry()));
        let linked = linked.map(ARef::from);
        move |outcome: &mut Outcome<'_>| {
            let entry = outcome.parse(|body, minor| Entry::decode_created(body, minor, kind));
            created_behind(&dir, &dentry, linked.as_deref(), entry);
        }
    };
    let entry = conn
        .call_then(making, op, then)
        .inspect_err(|e| dentry.change_failed(Change::Makes, *e));
    if left {
        return Err(EINTR);
    }
    let entry = entry.inspect_err(|e| {
        if *e == EINTR {
            if let Some(inode) = linked {
                inode.invalidate_attr();
            }
        }
    })?;
    let inode = dir.sb().iget(&entry, AskedAt::CREATED)?;

    let other = splice(dir, dentry.d_drop(), Some(inode), asked, entry.entry_valid)?;
    dir.dir_changed();
    Ok(other)
}

/// In place of a caller that has left. The name is looked up anew, as nobody has it.
fn created_behind(dir: &Inode, dentry: &Dentry, linked: Option<&Inode>, entry: Result<Entry>) {
    match entry {
        Ok(entry) => {
            dentry.drop_behind();
            dir.dir_changed();
            if dir.sb().iget(&entry, AskedAt::CREATED).is_ok() {
                if let Some(inode) = linked {
                    inode.update_ctime_in_cache();
                }
            }
        }
        Err(e) => {
            dentry.change_failed_behind(Change::Makes, e);
            if let Some(inode) = linked.filter(|_| e == EINTR) {
                inode.invalidate_attr();
            }
        }
    }
}

/// The same for what is not a directory, of which there is never another dentry.
fn create_new_nondir<O: Op<Out = Entry>>(
    making: Making<'_>,
    dentry: NegativeDentry<'_, Fuse>,
    op: &O,
    kind: FileType,
) -> Result {
    create_new_entry(making, dentry, op, kind).map(drop)
}

/// `mknod`, and `create` without an open.
pub(in crate::fs) fn mknod(
    idmap: &MntIdmap,
    dir: &Inode,
    dentry: NegativeDentry<'_, Fuse>,
    mode: u16,
    rdev: u32,
) -> Result {
    dir.await_names()?;
    let (perm, umask) = dir.conn().masked_perm(mode);
    let kind = FileType::from_mode(mode.into()).ok_or(EINVAL)?;
    let ext = Extensions::new(idmap, dir, *dentry, perm)?;
    let op = Mknod {
        kind,
        perm,
        rdev: Rdev::from_raw(new_encode_dev(rdev)),
        umask,
        name: wire_name(dentry.name())?,
        ext: Extensions::on_wire(&ext)?,
    };
    create_new_nondir(Making::new(idmap, dir), dentry, &op, kind)
}

/// `mkdir`.
pub(in crate::fs) fn mkdir<'a>(
    idmap: &MntIdmap,
    dir: &Inode,
    dentry: NegativeDentry<'a, Fuse>,
    mode: u16,
) -> Result<Option<Alias<'a, Fuse>>> {
    dir.await_names()?;
    let (perm, umask) = dir.conn().masked_perm(mode);
    let ext = Extensions::new(idmap, dir, *dentry, S_IFDIR.into())?;
    let op = Mkdir {
        perm,
        umask,
        name: wire_name(dentry.name())?,
        ext: Extensions::on_wire(&ext)?,
    };
    create_new_entry(Making::new(idmap, dir), dentry, &op, FileType::Directory)
}

/// `symlink`.
pub(in crate::fs) fn symlink(
    idmap: &MntIdmap,
    dir: &Inode,
    dentry: NegativeDentry<'_, Fuse>,
    target: &[u8],
) -> Result {
    dir.await_names()?;
    let ext = Extensions::new(idmap, dir, *dentry, S_IFLNK.into())?;
    let op = Symlink {
        name: wire_name(dentry.name())?,
        target: wire_name(target)?,
        ext: Extensions::on_wire(&ext)?,
    };
    create_new_nondir(Making::new(idmap, dir), dentry, &op, FileType::Symlink)
}

/// `link`.
pub(in crate::fs) fn link(
    old: PositiveDentry<'_, Fuse>,
    dir: &Inode,
    new: NegativeDentry<'_, Fuse>,
) -> Result {
    let conn = dir.conn();
    let inode = old.inode();

    dir.await_names()?;
    // A caller that had left may have removed the last link.
    let waited = inode.await_hold(Hold::Exclusive)?;
    if waited && inode.i_nlink() == 0 && !inode.is_linkable() {
        return Err(ENOENT);
    }
    let kind = FileType::from_mode(inode.i_mode().into()).ok_or(EIO)?;
    let op = Link {
        old: inode.nodeid(),
        kind,
        name: wire_name(new.name())?,
    };
    let making = Making {
        dir,
        linked: Some(inode),
        idmap: None,
    };
    conn.unless_lacking(Link::OPCODE, || create_new_nondir(making, new, &op, kind))?
        .ok_or(EPERM)?;
    inode.update_ctime_in_cache();
    Ok(())
}
