// SPDX-License-Identifier: GPL-2.0

//! Changing attributes: SETATTR.
//!
//! C counterpart: `fuse_setattr()`, `fuse_do_setattr()`, `iattr_to_fattr()` (dir.c).
//!
//! The VFS holds the inode's `i_rwsem` exclusively. Takes `Inode::inner`, and truncates the
//! page cache after releasing it. May sleep, as the daemon is asked.

use super::{
    getattr,
    xattr::check_answered, //
};
use crate::{
    abi::{
        attr::AttrReply,
        op::{
            SetTime,
            Setattr, //
        },
        BadAttr,
        InitFlags,
        Timeout, //
    },
    fs::{
        inode::{
            attr_cache,
            fuse_inode::State,
            pages,
            times::valid_until, //
        },
        request::held::Afterwards,
        Dentry,
        File,
        Fuse,
        Inode, //
    },
    kapi::{
        task::uidgid::{
            from_kgid,
            from_kuid, //
        },
        vfs::{
            attr::{
                Iattr,
                ATTR_ATIME_SET,
                ATTR_FILE,
                ATTR_GID,
                ATTR_KILL_SGID,
                ATTR_KILL_SUID,
                ATTR_MODE,
                ATTR_MTIME_SET,
                ATTR_OPEN,
                ATTR_SIZE,
                ATTR_UID, //
            },
            dentry::PositiveDentry,
            file::FlOwner,
            mnt_idmapping::MntIdmap,
            stat::{
                S_ISGID,
                S_ISUID,
                S_IXGRP, //
            },
        },
    },
    transport::{
        Hold,
        Outcome, //
    },
};
use core::pin::Pin;
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// `setattr`.
pub(in crate::fs) fn setattr(
    idmap: &MntIdmap,
    entry: PositiveDentry<'_, Fuse>,
    mut attr: Pin<&mut Iattr<Fuse>>,
) -> Result {
    let inode = entry.inode();
    inode.await_hold(Hold::Exclusive)?;
    inode.check_bad()?;
    if !inode.conn().allow_current_process() {
        return Err(EACCES);
    }

    if attr.has(ATTR_SIZE | ATTR_UID | ATTR_GID) {
        check_answered()?;
    }
    if attr.has(ATTR_KILL_SUID | ATTR_KILL_SGID) {
        // The VFS has made a mode of it already, from one that may be out of date.
        attr.as_mut()
            .clear_valid(ATTR_KILL_SUID | ATTR_KILL_SGID | ATTR_MODE);
        if !inode.conn().handles_killpriv() {
            kill_suidgid(idmap, inode, attr.as_mut())?;
        }
    }
    if attr.valid() == 0 {
        return Ok(());
    }
    do_setattr(idmap, entry, inode, attr.as_mut())?;
    // A change of the mode is one of the ACL.
    inode.forget_acls();

    if changes_access(inode, &attr) {
        entry.invalidate_entry_cache();
    }
    Ok(())
}

/// Whether names in it may be used may have changed.
fn changes_access(inode: &Inode, attr: &Iattr<Fuse>) -> bool {
    inode.is_dir() && attr.has(ATTR_MODE)
}

/// Asks for a mode without set-id bits, made from the mode as it is now and not as it was cached.
fn kill_suidgid(idmap: &MntIdmap, inode: &Inode, attr: Pin<&mut Iattr<Fuse>>) -> Result {
    getattr::do_getattr(idmap, inode, None, attr.file())?;

    let old = inode.i_mode();
    let mut mode = old;
    mode &= !S_ISUID;
    if old & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP {
        mode &= !S_ISGID;
    }
    if mode != old {
        attr.set_mode(mode);
    }
    Ok(())
}

/// Asks the daemon to change attributes, and takes those that it then reports.
fn do_setattr(
    idmap: &MntIdmap,
    entry: PositiveDentry<'_, Fuse>,
    inode: &Inode,
    mut attr: Pin<&mut Iattr<Fuse>>,
) -> Result {
    let conn = inode.conn();
    if !conn.default_permissions() {
        attr.as_mut().set_force();
    }
    attr.as_mut().setattr_prepare(idmap, entry)?;

    let truncates = attr.has(ATTR_SIZE);
    if truncates && !inode.is_reg() {
        return Err(EIO);
    }
    if attr.has(ATTR_OPEN) && conn.agreed(InitFlags::ATOMIC_O_TRUNC) {
        // OPEN has truncated the file; the page cache is left.
        inode.lock_inner().i_size_write(0);
        return pages::truncate(inode, 0);
    }

    let state = &inode.data().state;
    if truncates {
        state.set(State::SIZE_UNSTABLE);
    }
    let sent = send(idmap, &entry, inode, &attr, truncates);
    if truncates && !sent.left {
        state.clear(State::SIZE_UNSTABLE);
    }
    sent.result
}

/// Asks the daemon to take back what a failed write may have added beyond `size`, the end as it is
/// known (`fuse_do_truncate()`). The caller holds `i_rwsem` exclusively.
pub(in crate::fs) fn do_truncate(file: &File, size: i64) {
    let inode = file.inode();
    file.with_truncate_attr(size, |idmap, entry, attr| {
        // The write has failed already, and says so.
        let _ = do_setattr(idmap, entry, inode, attr);
    });
}

/// What became of a SETATTR.
struct Sent {
    result: Result,
    /// The caller has left: what is to be done when the answer has come is done then.
    left: bool,
}

/// A file whose pages are being dropped in place of a caller that has left.
struct Truncated(ARef<Inode>);

impl Afterwards for Truncated {
    fn before(&mut self) -> bool {
        self.0.data().state.clear(State::SIZE_UNSTABLE);
        true
    }
}

/// Sends SETATTR and applies the reply.
fn send(
    idmap: &MntIdmap,
    entry: &Dentry,
    inode: &Inode,
    attr: &Iattr<Fuse>,
    truncates: bool,
) -> Sent {
    let conn = inode.conn();
    // A file that is just being opened is not one that the daemon is to go by.
    let file = attr.file().filter(|_| !attr.has(ATTR_OPEN));
    let op = to_wire(idmap, inode, attr, file);

    let attr_version = conn.attr_version();
    let mut left = false;
    let then = || {
        left = true;
        let inode = ARef::from(inode);
        let entry = changes_access(&inode, attr).then(|| ARef::from(entry));
        move |outcome: &mut Outcome<'_>| {
            if apply(&inode, outcome.decode(&op), attr_version).is_ok() {
                inode.forget_acls();
                if let Some(entry) = &entry {
                    entry.invalidate_entry_cache();
                }
            }
            truncates.then_some(Truncated(inode))
        }
    };
    let reply = conn.call_then((inode, file), &op, then);
    let result = if left {
        Err(EINTR)
    } else {
        apply(inode, reply, attr_version)
    };
    Sent { result, left }
}

/// Takes the reply to a SETATTR that was sent at this version of the attributes. May sleep.
fn apply(inode: &Inode, reply: Result<Result<AttrReply, BadAttr>>, attr_version: u64) -> Result {
    let fi = inode.data();
    let reply = reply.inspect_err(|e| {
        if *e == EINTR {
            inode.invalidate_attr();
        }
    })?;
    let reply = match reply {
        Ok(reply) if !inode.inode_wrong_type(reply.attr().mode() as u16) => reply,
        _ => {
            fi.make_bad();
            return Err(EIO);
        }
    };

    let old_size = {
        let mut inner = inode.lock_inner();
        // A stale reply is applied, for those that look right now, but it times out at once.
        let valid = if inner.attr_version > attr_version {
            Timeout::ZERO
        } else {
            reply.valid
        };
        attr_cache::change_locked(&mut inner, inode, reply.attr(), valid_until(valid), 0)
    };

    if inode.is_reg() && old_size != reply.attr().size() {
        pages::set_size(inode, old_size, reply.attr().size());
    }
    Ok(())
}

/// Whether the daemon is told to clear set-id bits: whoever the caller is if the file changes
/// hands, and if its size changes as with other changes of data.
fn kills_suidgid(inode: &Inode, attr: &Iattr<Fuse>) -> bool {
    let conn = inode.conn();
    let chowns = attr.has(ATTR_UID | ATTR_GID) && !inode.is_dir();
    chowns && conn.agreed(InitFlags::HANDLE_KILLPRIV_V2)
        || attr.has(ATTR_SIZE) && conn.kill_suidgid()
}

/// What is asked for, as the daemon is told (`iattr_to_fattr()`).
fn to_wire(idmap: &MntIdmap, inode: &Inode, attr: &Iattr<Fuse>, file: Option<&File>) -> Setattr {
    let conn = inode.conn();
    let ns = &conn.user_ns;
    // An id that the daemon's namespace has no name for goes as -1.
    const UNMAPPED: u32 = u32::MAX;

    Setattr {
        mode: attr.mode().map(u32::from),
        uid: attr
            .uid(idmap, ns)
            .map(|uid| from_kuid(ns, uid).unwrap_or(UNMAPPED)),
        gid: attr
            .gid(idmap, ns)
            .map(|gid| from_kgid(ns, gid).unwrap_or(UNMAPPED)),
        // Not negative: setattr_prepare() has checked it.
        size: attr.size().map(|size| size as u64),
        atime: attr.atime().map(|time| {
            if attr.has(ATTR_ATIME_SET) {
                SetTime::To(time.into())
            } else {
                SetTime::Now(time.into())
            }
        }),
        mtime: attr.mtime().and_then(|time| {
            if attr.has(ATTR_MTIME_SET) {
                Some(SetTime::To(time.into()))
            } else if attr.has(ATTR_SIZE) && attr.has(ATTR_OPEN | ATTR_FILE) {
                // With O_TRUNC and ftruncate() it goes without saying.
                None
            } else {
                Some(SetTime::Now(time.into()))
            }
        }),
        // The daemon's business, as long as there is no write-back cache.
        ctime: None,
        fh: file.map(|file| file.data().fh),
        lock_owner: attr
            .has(ATTR_SIZE)
            .then(|| conn.lock_owner(FlOwner::current_files().unwrap_or(FlOwner::NONE))),
        kill_suidgid: kills_suidgid(inode, attr),
    }
}
