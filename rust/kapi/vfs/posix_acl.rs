// SPDX-License-Identifier: GPL-2.0

//! POSIX ACLs.
//!
//! C headers: [`include/linux/posix_acl.h`](srctree/include/linux/posix_acl.h),
//! [`posix_acl_xattr.h`](srctree/include/linux/posix_acl_xattr.h); rules:
//! [locking](srctree/Documentation/filesystems/locking.rst),
//! [vfs](srctree/Documentation/filesystems/vfs.rst).
//!
//! Rules of C encoded here:
//!
//! - An ACL is counted. What `get_acl` and `get_inode_acl` return is a reference; what `set_acl`
//!   gets is borrowed.
//! - An inode keeps its ACLs, unless it has been told not to (`ACL_DONT_CACHE`); then
//!   `get_inode_acl` is called in RCU walk too, and there without asking whether it is there.
//! - `set_acl` comes with `i_rwsem` held exclusively, the others with or without.

use super::{
    dentry::Dentry,
    inode::Inode,
    mnt_idmapping::MntIdmap,
    rcu_walk::RcuInode,
    types::Types, //
};
use crate::{
    bindings,
    kapi::task::user_namespace::UserNamespace, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    error::{
        from_err_ptr,
        from_result, //
    },
    ffi::c_int,
    prelude::*, //
};

/// Which ACL of an inode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AclType {
    /// `ACL_TYPE_ACCESS`: who may do what with it.
    Access,
    /// `ACL_TYPE_DEFAULT`: of a directory, what its new files get.
    Default,
}

impl AclType {
    fn from_raw(raw: c_int) -> Option<Self> {
        match raw as u32 {
            bindings::ACL_TYPE_ACCESS => Some(Self::Access),
            bindings::ACL_TYPE_DEFAULT => Some(Self::Default),
            _ => None,
        }
    }
}

/// A reference to a `struct posix_acl`.
pub(crate) struct PosixAcl(NonNull<bindings::posix_acl>);

// SAFETY: Counted atomically, and not written once it is shared.
unsafe impl Send for PosixAcl {}

impl PosixAcl {
    /// From the value of an extended attribute (`posix_acl_from_xattr()`), whose ids belong to
    /// `ns`. `None` if it has no entries.
    ///
    /// # Errors
    ///
    /// EINVAL, EOPNOTSUPP if it makes no sense; ENOMEM.
    pub(crate) fn from_xattr(ns: &UserNamespace, value: &[u8]) -> Result<Option<Self>> {
        // SAFETY: A live namespace, and a value of as many bytes.
        let acl = from_err_ptr(unsafe {
            bindings::posix_acl_from_xattr(ns.as_ptr(), value.as_ptr().cast(), value.len())
        })?;
        Ok(NonNull::new(acl).map(Self))
    }

    /// What an operations table returns.
    fn into_ptr(result: Result<Option<Self>>) -> *mut bindings::posix_acl {
        match result {
            Ok(Some(acl)) => {
                let ptr = acl.0.as_ptr();
                // The reference goes with it.
                core::mem::forget(acl);
                ptr
            }
            Ok(None) => ptr::null_mut(),
            Err(e) => e.to_ptr(),
        }
    }
}

impl Drop for PosixAcl {
    fn drop(&mut self) {
        // SAFETY: The reference is ours.
        unsafe { bindings::posix_acl_release(self.0.as_ptr()) };
    }
}

/// An ACL that is to be set.
pub(crate) struct PosixAclRef<'a>(&'a bindings::posix_acl);

impl PosixAclRef<'_> {
    /// As the value of an extended attribute (`posix_acl_to_xattr()`), with ids of `ns`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn to_xattr(&self, ns: &UserNamespace) -> Result<KVec<u8>> {
        let mut size = 0;
        // SAFETY: A live namespace and ACL.
        let value = unsafe {
            bindings::posix_acl_to_xattr(ns.as_ptr(), self.0, &raw mut size, bindings::GFP_KERNEL)
        };
        if value.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: It is from kmalloc(), `size` bytes long, written, and ours.
        Ok(unsafe { KVec::from_raw_parts(value.cast(), size, size) })
    }
}

/// The part of `struct inode_operations` that is about ACLs. All but
/// [`get_inode_acl_rcu`](Self::get_inode_acl_rcu) run in task context and may sleep.
pub(crate) trait AclOperations<T: Types>: 'static {
    /// The ACL by which the kernel is to decide who may do what.
    fn get_inode_acl(inode: &Inode<T>, kind: AclType) -> Result<Option<PosixAcl>>;

    /// The same in RCU walk, where a reference would not be given back: there is none, or it is
    /// ECHILD, and asked for again outside.
    fn get_inode_acl_rcu(inode: &RcuInode<'_, T>, kind: AclType) -> Result;

    /// The ACL that a caller asks for.
    fn get_acl(dentry: &Dentry<T>, kind: AclType) -> Result<Option<PosixAcl>>;

    /// Sets an ACL, or removes it; `i_rwsem` is held exclusively.
    fn set_acl(
        idmap: &MntIdmap,
        dentry: &Dentry<T>,
        acl: Option<PosixAclRef<'_>>,
        kind: AclType,
    ) -> Result;
}

/// `inode_operations::get_inode_acl` of inodes that have none.
///
/// # Safety
///
/// None needed.
pub(super) unsafe extern "C" fn no_inode_acl(
    _inode: *mut bindings::inode,
    _kind: c_int,
    _rcu: bool,
) -> *mut bindings::posix_acl {
    ptr::null_mut()
}

/// `inode_operations::get_inode_acl`.
///
/// # Safety
///
/// Called by the VFS with an inode of a superblock registered for `T`, valid for the call; with
/// `rcu` in RCU walk.
pub(super) unsafe extern "C" fn get_inode_acl<T: Types, A: AclOperations<T>>(
    inode: *mut bindings::inode,
    kind: c_int,
    rcu: bool,
) -> *mut bindings::posix_acl {
    let Some(kind) = AclType::from_raw(kind) else {
        return EOPNOTSUPP.to_ptr();
    };
    PosixAcl::into_ptr(if rcu {
        // SAFETY: By the contract; in RCU walk.
        A::get_inode_acl_rcu(&unsafe { RcuInode::from_raw(inode) }, kind).map(|()| None)
    } else {
        // SAFETY: By the contract.
        A::get_inode_acl(unsafe { Inode::from_raw(inode) }, kind)
    })
}

/// `inode_operations::get_acl`.
///
/// # Safety
///
/// Called by the VFS with a dentry of a superblock registered for `T`, valid for the call.
pub(super) unsafe extern "C" fn get_acl<T: Types, A: AclOperations<T>>(
    _idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    kind: c_int,
) -> *mut bindings::posix_acl {
    let Some(kind) = AclType::from_raw(kind) else {
        return EOPNOTSUPP.to_ptr();
    };
    // SAFETY: By the contract.
    PosixAcl::into_ptr(A::get_acl(unsafe { Dentry::from_raw(dentry) }, kind))
}

/// `inode_operations::set_acl`.
///
/// # Safety
///
/// As for [`get_acl`], with the inode's `i_rwsem` held exclusively; `acl` is null, or an ACL that
/// stays as it is for the call.
pub(super) unsafe extern "C" fn set_acl<T: Types, A: AclOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    acl: *mut bindings::posix_acl,
    kind: c_int,
) -> c_int {
    // SAFETY: By the contract.
    let (idmap, dentry) = unsafe { (MntIdmap::from_raw(idmap), Dentry::from_raw(dentry)) };
    // SAFETY: By the contract.
    let acl = unsafe { acl.as_ref() }.map(PosixAclRef);
    from_result(|| {
        let kind = AclType::from_raw(kind).ok_or(EINVAL)?;
        A::set_acl(idmap, dentry, acl, kind).map(|()| 0)
    })
}

impl<T: Types> Inode<T> {
    /// Drops the ACLs that are kept, so that they are asked for again (`forget_all_cached_acls()`).
    pub(crate) fn forget_all_cached_acls(&self) {
        // SAFETY: A live inode; the fields are exchanged atomically.
        unsafe { bindings::forget_all_cached_acls(self.as_ptr()) };
    }

    /// Whether the current task owns the inode or may do without (`inode_owner_or_capable()`).
    pub(crate) fn owner_or_capable(&self, idmap: &MntIdmap) -> bool {
        // SAFETY: Both are live.
        unsafe { bindings::inode_owner_or_capable(idmap.as_ptr(), self.as_ptr()) }
    }

    /// Whether the current task is in the inode's group or may do without
    /// (`in_group_or_capable()`).
    pub(crate) fn in_group_or_capable(&self, idmap: &MntIdmap) -> bool {
        // SAFETY: Both are live.
        unsafe { bindings::inode_in_group_or_capable(idmap.as_ptr(), self.as_ptr()) }
    }
}
