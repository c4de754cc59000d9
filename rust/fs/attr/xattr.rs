// SPDX-License-Identifier: GPL-2.0

//! Extended attributes: GETXATTR, LISTXATTR, SETXATTR, REMOVEXATTR.
//!
//! C counterpart: xattr.c. Takes no locks; may sleep. The VFS holds the inode's `i_rwsem`
//! exclusively where an attribute is changed.
//!
//! Names go to the daemon as they are, whatever their namespace: who may read and set what, the VFS
//! has checked by namespace, and the daemon does.

use crate::{
    abi::{
        op::{
            Getxattr,
            GetxattrLen,
            Listxattr,
            ListxattrLen,
            Op,
            Removexattr,
            Setxattr, //
        },
        InitFlags,
        Name,
        Opcode, //
    },
    fs::{
        name::wire_name::wire_name,
        Dentry,
        Inode, //
    },
    kapi::{
        fuse::moduleparam::killable,
        task::sched::fatal_signal_pending, //
    },
    transport::{
        Hold,
        Outcome,
        Payload, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// The length of a value.
///
/// # Errors
///
/// EIO if the inode is bad; EOPNOTSUPP if the daemon lacks GETXATTR; those of the daemon; EINTR.
pub(in crate::fs) fn get_len(inode: &Inode, name: &CStr) -> Result<usize> {
    let len = ask(inode, name, |name| {
        inode.conn().call(inode, &GetxattrLen { name })
    })?;
    Ok(len as usize)
}

/// A value of at most `max` bytes.
///
/// # Errors
///
/// As [`get_len`], and ENOMEM. A value that is longer is the daemon's ERANGE; EIO if it sends it
/// nevertheless.
pub(in crate::fs) fn get(inode: &Inode, name: &CStr, max: usize) -> Result<KVVec<u8>> {
    ask(inode, name, |name| {
        let op = Getxattr {
            name,
            max: u32::try_from(max)?,
        };
        call_bytes(inode, &op, max)
    })
}

/// The length of the list of names.
///
/// # Errors
///
/// As [`get_len`]; EACCES if the current task may not use the mount.
pub(in crate::fs) fn list_len(entry: &Dentry) -> Result<usize> {
    let len = ask_list(entry, |inode| inode.conn().call(inode, &ListxattrLen))?;
    Ok(len as usize)
}

/// The list, of at most `max` bytes: names, each with a NUL.
///
/// # Errors
///
/// As [`list_len`], and ENOMEM; EIO for one that is no such list.
pub(in crate::fs) fn list(entry: &Dentry, max: usize) -> Result<KVVec<u8>> {
    let names = ask_list(entry, |inode| {
        let op = Listxattr {
            max: u32::try_from(max)?,
        };
        call_bytes(inode, &op, max)
    })?;
    Listxattr::check(&names).map_err(|_| EIO)?;
    Ok(names)
}

/// Asks for at most `max` bytes, into memory that is charged to the current task's memory cgroup.
fn call_bytes<O: Op>(inode: &Inode, op: &O, max: usize) -> Result<KVVec<u8>> {
    let buffer = KVVec::with_capacity(max, GFP_KERNEL_ACCOUNT)?;
    let nothing = || |_: &mut Outcome<'_>| {};
    inode.conn().call_bytes(inode, op, buffer, max, nothing)
}

/// What `send` gives, which asks for the list or its length, unless the daemon lacks LISTXATTR.
fn ask_list<R>(entry: &Dentry, send: impl FnOnce(&Inode) -> Result<R>) -> Result<R> {
    let inode = entry.inode().ok_or(ENOENT)?;
    inode.check_bad()?;
    let conn = inode.conn();
    if !conn.allow_current_process() {
        return Err(EACCES);
    }
    let given = conn.unless_lacking(Opcode::Listxattr, || send(inode))?;
    given.ok_or(EOPNOTSUPP)
}

/// What `send` gives, which asks for the value or its length, unless the daemon lacks GETXATTR.
fn ask<R>(inode: &Inode, name: &CStr, send: impl FnOnce(Name<'_>) -> Result<R>) -> Result<R> {
    // Whoever changes the inode asks for its capabilities first, with the lock held.
    inode.await_if_locked()?;
    inode.check_bad()?;
    let given =
        (inode.conn()).unless_lacking(Opcode::Getxattr, || send(wire_name(name.to_bytes())?))?;
    given.ok_or(EOPNOTSUPP)
}

/// Before data change the VFS asks whether the file has capabilities, and takes an error for a no:
/// also that of a killed caller, which has left the question unanswered. To be called after it.
///
/// # Errors
///
/// EINTR if killed.
pub(in crate::fs) fn check_answered() -> Result {
    if killable() && fatal_signal_pending() {
        return Err(EINTR);
    }
    Ok(())
}

/// Sets a value. `i_rwsem` is held exclusively, by all below.
///
/// # Errors
///
/// EIO if the inode is bad; EOPNOTSUPP if the daemon lacks SETXATTR; E2BIG if the request does not
/// fit into the daemon's buffer; those of the daemon; EINTR, ENOMEM.
pub(in crate::fs) fn set(inode: &Inode, name: &CStr, value: &[u8], flags: u32) -> Result {
    change(inode, || setxattr(inode, name, value, flags, false), |_| ())
}

/// Sets the value that is an ACL; `kill_sgid`: the set-group-id bit goes.
///
/// # Errors
///
/// As [`set`].
pub(super) fn set_acl(inode: &Inode, name: &CStr, value: &[u8], kill_sgid: bool) -> Result {
    let make = || setxattr(inode, name, value, 0, kill_sgid);
    change(inode, make, Inode::acl_changed)
}

/// Removes an attribute.
///
/// # Errors
///
/// As [`set`], but for E2BIG.
pub(in crate::fs) fn remove(inode: &Inode, name: &CStr) -> Result {
    change(inode, || removexattr(name), |_| ())
}

/// Removes one that is an ACL.
///
/// # Errors
///
/// As [`remove`].
pub(super) fn remove_acl(inode: &Inode, name: &CStr) -> Result {
    change(inode, || removexattr(name), Inode::acl_changed)
}

fn setxattr<'a>(
    inode: &Inode,
    name: &'a CStr,
    value: &[u8],
    flags: u32,
    acl_kill_sgid: bool,
) -> Result<(Setxattr<'a>, Payload)> {
    let op = Setxattr {
        name: wire_name(name.to_bytes())?,
        size: u32::try_from(value.len())?,
        flags,
        ext: inode.conn().agreed(InitFlags::SETXATTR_EXT),
        acl_kill_sgid,
    };
    // The caller's goes with it if it is killed.
    let mut copy = KVVec::new();
    copy.extend_from_slice(value, GFP_KERNEL_ACCOUNT)?;
    Ok((op, Payload::In(copy)))
}

fn removexattr(name: &CStr) -> Result<(Removexattr<'_>, Payload)> {
    let op = Removexattr {
        name: wire_name(name.to_bytes())?,
    };
    Ok((op, Payload::None))
}

/// Sends what changes an attribute, unless the daemon lacks that. For a caller that has left
/// `after` is done besides when the answer has come.
fn change<O: Op>(
    inode: &Inode,
    make: impl FnOnce() -> Result<(O, Payload)>,
    after: fn(&Inode),
) -> Result {
    inode.await_hold(Hold::Exclusive)?;
    inode.check_bad()?;
    let conn = inode.conn();
    let changed = conn.unless_lacking(O::OPCODE, || {
        let (op, payload) = make()?;
        let then = || {
            let inode = ARef::from(inode);
            move |outcome: &mut Outcome<'_>| {
                if outcome.result().is_ok() {
                    inode.update_ctime();
                }
                after(&inode);
            }
        };
        conn.call_with(inode, &op, payload, then).0
    })?;
    changed.ok_or(EOPNOTSUPP)?;
    inode.update_ctime();
    Ok(())
}
