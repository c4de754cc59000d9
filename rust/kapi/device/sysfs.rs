// SPDX-License-Identifier: GPL-2.0

//! A directory below `/sys/fs` to mount something on.
//!
//! C headers: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h),
//! [`include/linux/kobject.h`](srctree/include/linux/kobject.h).
//!
//! C rule: a kobject with a default type is freed by its last `kobject_put()`, which also takes its
//! directory away; what was put into it goes before.

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// An empty directory in one of `/sys/fs`, both there as long as this lives.
///
/// # Invariants
///
/// `kobj` is referenced, and has the mount point once [`SysfsMountPoint::new`] has returned it.
pub(crate) struct SysfsMountPoint {
    kobj: NonNull<bindings::kobject>,
    name: &'static CStr,
}

// SAFETY: It may be taken away by another task than the one that made it.
unsafe impl Send for SysfsMountPoint {}
// SAFETY: Offers nothing by shared reference.
unsafe impl Sync for SysfsMountPoint {}

impl SysfsMountPoint {
    /// Makes `/sys/fs/PARENT/NAME`.
    ///
    /// # Errors
    ///
    /// ENOMEM, EEXIST.
    pub(crate) fn new(parent: &'static CStr, name: &'static CStr) -> Result<Self> {
        // SAFETY: `fs_kobj` exists from boot on; the name is copied.
        let kobj =
            unsafe { bindings::kobject_create_and_add(parent.as_char_ptr(), bindings::fs_kobj) };
        let kobj = NonNull::new(kobj).ok_or(ENOMEM)?;
        // SAFETY: A kobject that is in sysfs.
        let ret = unsafe { bindings::sysfs_create_mount_point(kobj.as_ptr(), name.as_char_ptr()) };
        to_result(ret).inspect_err(|_| {
            // SAFETY: The reference from above, not used again.
            unsafe { bindings::kobject_put(kobj.as_ptr()) }
        })?;
        Ok(Self { kobj, name })
    }
}

impl Drop for SysfsMountPoint {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; nothing is used again.
        unsafe {
            bindings::sysfs_remove_mount_point(self.kobj.as_ptr(), self.name.as_char_ptr());
            bindings::kobject_put(self.kobj.as_ptr());
        }
    }
}
