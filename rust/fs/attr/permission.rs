// SPDX-License-Identifier: GPL-2.0

//! Who may do what.
//!
//! C counterpart: `fuse_permission()`, `fuse_access()` (dir.c). Takes no locks.
//!
//! With `default_permissions` the kernel checks by mode and owner, as for any filesystem. Without,
//! the daemon checks in each operation, and is asked beforehand by ACCESS for access(2) and
//! chdir(2) only; executing needs an execute bit all the same.

use super::getattr;
use crate::{
    abi::op::{
        Access,
        Op, //
    },
    fs::{
        conn::connection::Conn,
        inode::fuse_inode::FuseInode,
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        mnt_idmapping::MntIdmap,
        namei::{
            MAY_ACCESS,
            MAY_CHDIR,
            MAY_EXEC,
            MAY_READ,
            MAY_WRITE, //
        },
        rcu_walk::RcuInode,
        stat::{
            STATX_GID,
            STATX_MODE,
            STATX_UID,
            S_IXUGO, //
        },
    },
};
use kernel::prelude::*;

/// What a check looks at.
const STATX_PERM: u32 = STATX_MODE | STATX_UID | STATX_GID;

/// `permission`.
pub(in crate::fs) fn permission(idmap: &MntIdmap, inode: &Inode, mask: u32) -> Result {
    let conn = inode.conn();
    // With the lock held this is the first that is sent of a change.
    inode.await_if_locked_or_settle()?;
    check_caller(conn, inode.data())?;

    let local = conn.default_permissions();
    let executes = mask & MAY_EXEC != 0 && inode.is_reg();
    let refresh = (local || executes) && inode.data().is_outdated(STATX_PERM);
    if refresh {
        ask_again(inode)?;
    }

    if local {
        match inode.generic_permission(idmap, mask) {
            // What is cached may be too strict, and of the root nothing is known at first. Too
            // lenient it may be as well, until its time is over.
            Err(e) if e == EACCES && !refresh => {
                ask_again(inode)?;
                inode.generic_permission(idmap, mask)
            }
            result => result,
        }
    } else if mask & (MAY_ACCESS | MAY_CHDIR) != 0 {
        access(inode, mask)
    } else if executes && inode.i_mode() & S_IXUGO == 0 {
        if refresh {
            return Err(EACCES);
        }
        ask_again(inode)?;
        if inode.i_mode() & S_IXUGO == 0 {
            return Err(EACCES);
        }
        Ok(())
    } else {
        Ok(())
    }
}

/// `permission` in RCU walk: the same as far as it can be told without asking.
pub(in crate::fs) fn permission_rcu(
    idmap: &MntIdmap,
    inode: &RcuInode<'_, Fuse>,
    mask: u32,
) -> Result {
    let conn = &inode.sb_data().conn;
    check_caller(conn, inode.data())?;

    let local = conn.default_permissions();
    let executes = mask & MAY_EXEC != 0 && inode.is_reg();
    if ((local || executes) && inode.data().is_outdated(STATX_PERM))
        || !inode.data().occupied.is_settled()
    {
        return Err(ECHILD);
    }

    if local {
        match inode.generic_permission(idmap, mask) {
            Err(e) if e == EACCES => Err(ECHILD),
            result => result,
        }
    } else if mask & (MAY_ACCESS | MAY_CHDIR) != 0 || (executes && inode.i_mode() & S_IXUGO == 0) {
        Err(ECHILD)
    } else {
        Ok(())
    }
}

/// Whether the current task may use the mount, and the inode is good.
#[inline]
fn check_caller(conn: &Conn, inode: &FuseInode) -> Result {
    if inode.is_bad() {
        return Err(EIO);
    }
    if !conn.allow_current_process() {
        return Err(EACCES);
    }
    Ok(())
}

/// Asks for the attributes, whether they are outdated or not (`fuse_perm_getattr()`).
fn ask_again(inode: &Inode) -> Result {
    inode.forget_acls();
    getattr::do_getattr(MntIdmap::nop(), inode, None, None)
}

/// Asks the daemon whether the current task may (`fuse_access()`).
fn access(inode: &Inode, mask: u32) -> Result {
    let conn = inode.conn();

    let op = Access {
        mask: mask & (MAY_READ | MAY_WRITE | MAY_EXEC),
    };
    conn.unless_lacking(Access::OPCODE, || conn.call(inode, &op))
        .map(drop)
}
