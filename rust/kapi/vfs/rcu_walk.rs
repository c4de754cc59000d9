// SPDX-License-Identifier: GPL-2.0

//! What path walk sees of inodes and dentries in RCU mode.
//!
//! C headers: [`include/linux/dcache.h`](srctree/include/linux/dcache.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h);
//! C documentation: [path-lookup](srctree/Documentation/filesystems/path-lookup.rst),
//! [porting](srctree/Documentation/filesystems/porting.rst) on `->d_revalidate()` and
//! `->permission()`.
//!
//! Rules of C encoded here:
//!
//! - No reference is held: neither to the dentry nor to the inode nor to the superblock, so that
//!   none can be taken from what is borrowed here; each is freed a grace period after it is gone,
//!   private data included, and any field may change while it is looked at.
//! - No sleeping. What needs it returns ECHILD, and the walk comes back with references.

use super::{
    dentry::Dentry,
    inode::Inode,
    mnt_idmapping::MntIdmap,
    stat,
    types::Types, //
};
use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*,
    types::NotThreadSafe, //
};

/// An inode in RCU walk.
pub(crate) struct RcuInode<'a, T: Types>(&'a Inode<T>, NotThreadSafe);

impl<'a, T: Types> RcuInode<'a, T> {
    /// Borrows an inode for a section of RCU walk.
    ///
    /// # Safety
    ///
    /// `ptr` is an inode of a superblock registered for `T`, and `'a` ends with the RCU read side
    /// critical section in which it was found.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::inode) -> Self {
        // SAFETY: The memory stays for a grace period, by the rules above.
        Self(unsafe { Inode::from_raw(ptr) }, NotThreadSafe)
    }

    /// The filesystem's own data.
    pub(crate) fn data(&self) -> &'a T::Inode {
        self.0.data()
    }

    /// The superblock's own data.
    pub(crate) fn sb_data(&self) -> &'a T::Super {
        self.0.sb().data()
    }

    /// `i_mode`.
    pub(crate) fn i_mode(&self) -> u16 {
        self.0.i_mode()
    }

    /// `S_ISREG(i_mode)`.
    pub(crate) fn is_reg(&self) -> bool {
        stat::s_isreg(self.i_mode())
    }

    /// Checks by mode, owner and ACL, without sleeping (`generic_permission()` with
    /// `MAY_NOT_BLOCK`).
    ///
    /// # Errors
    ///
    /// EACCES, EPERM; ECHILD if it cannot be told without sleeping.
    pub(crate) fn generic_permission(&self, idmap: &MntIdmap, mask: u32) -> Result {
        let mask = (mask | bindings::MAY_NOT_BLOCK) as i32;
        // SAFETY: Both are valid for the RCU section; with the flag the function does not sleep.
        to_result(unsafe { bindings::generic_permission(idmap.as_ptr(), self.0.as_ptr(), mask) })
    }
}

/// A dentry in RCU walk.
pub(crate) struct RcuDentry<'a, T: Types>(&'a Dentry<T>, NotThreadSafe);

impl<'a, T: Types> RcuDentry<'a, T> {
    /// Borrows a dentry for a section of RCU walk.
    ///
    /// # Safety
    ///
    /// As for [`RcuInode::from_raw`].
    pub(super) unsafe fn from_raw(ptr: *mut bindings::dentry) -> Self {
        // SAFETY: The memory stays for a grace period, by the rules above.
        Self(unsafe { Dentry::from_raw(ptr) }, NotThreadSafe)
    }

    /// The filesystem's own data.
    pub(crate) fn data(&self) -> &'a T::Dentry {
        self.0.data()
    }

    /// The inode, if there is one at this moment (`d_inode_rcu()`).
    pub(crate) fn inode(&self) -> Option<RcuInode<'a, T>> {
        // SAFETY: The dentry's memory is there; the field is read once.
        let inode = unsafe { (&raw const (*self.0.as_ptr()).d_inode).read_volatile() };
        // SAFETY: An inode that a dentry in RCU walk points to stays for a grace period.
        (!inode.is_null()).then(|| unsafe { RcuInode::from_raw(inode) })
    }
}
