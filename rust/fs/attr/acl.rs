// SPDX-License-Identifier: GPL-2.0

//! POSIX ACLs: two extended attributes that the kernel reads itself.
//!
//! C counterpart: acl.c. Takes no locks; may sleep. The VFS holds the inode's `i_rwsem` exclusively
//! where an ACL is set.
//!
//! With a daemon that has agreed to POSIX_ACL the kernel keeps ACLs, and checks permissions by
//! them. Others have theirs for themselves: they are read and set through, and nothing is kept;
//! but not on a mount of another user namespace than the first.

use super::xattr;
use crate::{
    abi::{
        InitFlags,
        Opcode, //
    },
    fs::{
        conn::connection::Conn,
        Dentry,
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        mnt_idmapping::MntIdmap,
        posix_acl::{
            AclType,
            PosixAcl,
            PosixAclRef, //
        },
        rcu_walk::RcuInode, //
    },
    transport::Hold, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// `get_inode_acl`: what permissions are checked by.
///
/// # Errors
///
/// Those of reading the attribute; E2BIG if it is longer than a page; EINVAL, EOPNOTSUPP if it
/// makes no sense.
pub(in crate::fs) fn get_inode_acl(inode: &Inode, kind: AclType) -> Result<Option<PosixAcl>> {
    if !inode.conn().agreed(InitFlags::POSIX_ACL) {
        return Ok(None);
    }
    read(inode, kind)
}

/// `get_inode_acl` in RCU walk.
pub(in crate::fs) fn get_inode_acl_rcu(inode: &RcuInode<'_, Fuse>) -> Result {
    if !inode.sb_data().conn.agreed(InitFlags::POSIX_ACL) {
        return Ok(());
    }
    Err(ECHILD)
}

/// `get_acl`: what a caller asks for.
///
/// # Errors
///
/// As [`get_inode_acl`]; EOPNOTSUPP where ACLs are not for callers.
pub(in crate::fs) fn get_acl(entry: &Dentry, kind: AclType) -> Result<Option<PosixAcl>> {
    let inode = entry.inode().ok_or(ENOENT)?;
    if no_acl(inode.conn()) {
        return Err(EOPNOTSUPP);
    }
    read(inode, kind)
}

/// `set_acl`.
///
/// # Errors
///
/// As [`xattr::set`]; E2BIG if the ACL is longer than a page; EOPNOTSUPP where ACLs are not for
/// callers.
pub(in crate::fs) fn set_acl(
    idmap: &MntIdmap,
    entry: &Dentry,
    acl: Option<PosixAclRef<'_>>,
    kind: AclType,
) -> Result {
    let inode = entry.inode().ok_or(ENOENT)?;
    // The VFS has looked at the owner before: a caller that has left may have changed it.
    if inode.await_hold(Hold::Exclusive)? && !inode.owner_or_capable(idmap) {
        return Err(EPERM);
    }
    inode.check_bad()?;
    let conn = inode.conn();
    if conn.lacks(Opcode::Setxattr) || no_acl(conn) {
        return Err(EOPNOTSUPP);
    }
    let name = name(kind);
    let Some(acl) = acl else {
        return changed(inode, xattr::remove_acl(inode, name));
    };
    let value = acl.to_xattr(&conn.user_ns)?;
    if value.len() > PAGE_SIZE {
        return Err(E2BIG);
    }
    // Other daemons do not expect that the bit goes.
    let kill_sgid = conn.agreed(InitFlags::POSIX_ACL) && !inode.in_group_or_capable(idmap);
    changed(inode, xattr::set_acl(inode, name, &value, kill_sgid))
}

/// After an ACL was to be set, whatever became of it: what is kept of the inode is asked for again,
/// its mode too.
fn changed(inode: &Inode, result: Result) -> Result {
    inode.acl_changed();
    result
}

/// Whether ACLs are not for callers (`fuse_no_acl()`). The superblock's namespace is the
/// connection's.
fn no_acl(conn: &Conn) -> bool {
    !conn.agreed(InitFlags::POSIX_ACL) && !conn.user_ns.is_init()
}

/// Asks for an ACL. `None` if there is none, or the daemon knows nothing of attributes.
fn read(inode: &Inode, kind: AclType) -> Result<Option<PosixAcl>> {
    let conn = inode.conn();
    match xattr::get(inode, name(kind), PAGE_SIZE) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => PosixAcl::from_xattr(&conn.user_ns, &value),
        Err(e) if e == ENODATA => Ok(None),
        Err(e) if e == EOPNOTSUPP && conn.lacks(Opcode::Getxattr) => Ok(None),
        Err(e) if e == ERANGE => Err(E2BIG),
        Err(e) => Err(e),
    }
}

fn name(kind: AclType) -> &'static CStr {
    match kind {
        AclType::Access => c"system.posix_acl_access",
        AclType::Default => c"system.posix_acl_default",
    }
}
