// SPDX-License-Identifier: GPL-2.0

//! Extended attributes: GETXATTR.
//!
//! C counterpart: xattr.c. Takes no locks; may sleep.
//!
//! Names go to the daemon as they are, whatever their namespace: who may read and set what, the VFS
//! has checked by namespace, and the daemon does.

use crate::{
    abi::{
        op::{
            Getxattr,
            GetxattrLen, //
        },
        Name,
        Opcode, //
    },
    fs::Inode,
    transport::Outcome, //
};
use kernel::prelude::*;

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
        let buffer = KVVec::with_capacity(max, GFP_KERNEL)?;
        let nothing = || |_: &mut Outcome<'_>| {};
        inode.conn().call_bytes(inode, &op, buffer, max, nothing)
    })
}

/// What `send` gives, which asks for the value or its length, unless the daemon lacks GETXATTR.
fn ask<R>(inode: &Inode, name: &CStr, send: impl FnOnce(Name<'_>) -> Result<R>) -> Result<R> {
    inode.check_bad()?;
    let given = inode.conn().unless_lacking(Opcode::Getxattr, || {
        // Whoever changes the inode asks for its capabilities first, with the lock held.
        inode.await_if_locked()?;
        send(Name::new(name.to_bytes()).ok_or(EINVAL)?)
    })?;
    given.ok_or(EOPNOTSUPP)
}
