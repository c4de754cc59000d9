// SPDX-License-Identifier: GPL-2.0

//! What a file has of flags and the like: FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR, and their setters.
//!
//! C header: [`include/linux/fileattr.h`](srctree/include/linux/fileattr.h).

use super::{
    dentry::Dentry,
    types::Types, //
};
use crate::bindings;
use kernel::{
    error::from_result,
    ffi::c_int,
    prelude::*,
    types::Opaque, //
};

/// A `struct file_kattr`, lent by the VFS for the time of a call.
///
/// Flags are there in two sets, `FS_*_FL` and `FS_XFLAG_*`, of which one was asked for, or set;
/// what is filled in of one shows in the other.
#[repr(transparent)]
pub(crate) struct FileKattr(Opaque<bindings::file_kattr>);

/// What is there with the second set of flags.
#[derive(Clone, Copy)]
pub(crate) struct Fsx {
    /// `FS_XFLAG_*`
    pub(crate) xflags: u32,
    /// Size of extents to be allocated.
    pub(crate) extsize: u32,
    /// How many there are.
    pub(crate) nextents: u32,
    /// The project.
    pub(crate) projid: u32,
    /// As `extsize`, of what is copied on write.
    pub(crate) cowextsize: u32,
}

impl FileKattr {
    /// Borrows one.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, and nobody else uses it during `'a`.
    unsafe fn from_raw<'a>(ptr: *mut bindings::file_kattr) -> &'a mut Self {
        // SAFETY: The caller promises exclusive access; the layout is that of the C struct.
        unsafe { &mut *ptr.cast() }
    }

    fn get(&self) -> &bindings::file_kattr {
        // SAFETY: Valid, and not changed while `self` is borrowed.
        unsafe { &*self.0.get() }
    }

    /// Whether the first set is asked for, or set.
    pub(crate) fn flags_valid(&self) -> bool {
        self.get().flags_valid()
    }

    /// The first set: `FS_*_FL`.
    pub(crate) fn flags(&self) -> u32 {
        self.get().flags
    }

    /// The second.
    pub(crate) fn fsx(&self) -> Fsx {
        let attr = self.get();
        Fsx {
            xflags: attr.fsx_xflags,
            extsize: attr.fsx_extsize,
            nextents: attr.fsx_nextents,
            projid: attr.fsx_projid,
            cowextsize: attr.fsx_cowextsize,
        }
    }

    /// Fills the first set in (`fileattr_fill_flags()`).
    pub(crate) fn fill_flags(&mut self, flags: u32) {
        // SAFETY: Valid, and ours.
        unsafe { bindings::fileattr_fill_flags(self.0.get(), flags) };
    }

    /// Fills the second in (`fileattr_fill_xflags()`, and the fields beside).
    pub(crate) fn fill_fsx(&mut self, fsx: &Fsx) {
        let attr = self.0.get();
        // SAFETY: Valid, and ours.
        unsafe {
            bindings::fileattr_fill_xflags(attr, fsx.xflags);
            (*attr).fsx_extsize = fsx.extsize;
            (*attr).fsx_nextents = fsx.nextents;
            (*attr).fsx_projid = fsx.projid;
            (*attr).fsx_cowextsize = fsx.cowextsize;
        }
    }
}

/// The part of `struct inode_operations` that is about these. Both run in task context, and may
/// sleep.
pub(crate) trait FileattrOperations<T: Types>: 'static {
    /// Fills in what is asked for; `i_rwsem` may be held exclusively.
    fn fileattr_get(dentry: &Dentry<T>, attr: &mut FileKattr) -> Result;

    /// Sets what is filled in; `i_rwsem` is held exclusively.
    fn fileattr_set(dentry: &Dentry<T>, attr: &FileKattr) -> Result;
}

/// `inode_operations::fileattr_get`.
///
/// # Safety
///
/// Called by the VFS with a dentry of a superblock registered for `T`, and attributes that are the
/// caller's; both valid for the call.
pub(super) unsafe extern "C" fn fileattr_get<T: Types, A: FileattrOperations<T>>(
    dentry: *mut bindings::dentry,
    attr: *mut kernel::bindings::file_kattr,
) -> c_int {
    // SAFETY: By the contract.
    let (dentry, attr) = unsafe { (Dentry::from_raw(dentry), FileKattr::from_raw(attr.cast())) };
    from_result(|| A::fileattr_get(dentry, attr).map(|()| 0))
}

/// `inode_operations::fileattr_set`.
///
/// # Safety
///
/// As for [`fileattr_get`], with the inode's `i_rwsem` held exclusively.
pub(super) unsafe extern "C" fn fileattr_set<T: Types, A: FileattrOperations<T>>(
    _idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attr: *mut kernel::bindings::file_kattr,
) -> c_int {
    // SAFETY: By the contract.
    let (dentry, attr) = unsafe { (Dentry::from_raw(dentry), FileKattr::from_raw(attr.cast())) };
    from_result(|| A::fileattr_set(dentry, attr).map(|()| 0))
}
