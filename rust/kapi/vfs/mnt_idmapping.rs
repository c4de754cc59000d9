// SPDX-License-Identifier: GPL-2.0

//! Id mappings of mounts.
//!
//! C header: [`include/linux/mnt_idmapping.h`](srctree/include/linux/mnt_idmapping.h).

use crate::{
    bindings,
    kapi::task::{
        cred::{
            current_fsgid,
            current_fsuid, //
        },
        uidgid::Kgid,
        user_namespace::UserNamespace, //
    },
};
use kernel::{
    task::Kuid,
    types::Opaque, //
};

/// A `struct mnt_idmap`: how a mount shows the ids of its filesystem.
#[repr(transparent)]
pub(crate) struct MntIdmap(Opaque<bindings::mnt_idmap>);

// SAFETY: The mapping does not change while it is used.
unsafe impl Sync for MntIdmap {}

/// Whether a group, as seen through a mount ([`MntIdmap::map_gid`]), is one that the current task
/// acts with on filesystems or has besides (`vfsgid_in_group_p()`).
pub(crate) fn vfsgid_in_group_p(gid: Kgid) -> bool {
    let val = gid.into_raw().val;
    // SAFETY: Takes a number; the current task's credentials are its own.
    unsafe { bindings::vfsgid_in_group_p(bindings::vfsgid_t { val }) != 0 }
}

impl MntIdmap {
    /// Borrows a mapping.
    ///
    /// # Safety
    ///
    /// `ptr` is a mapping that stays alive for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::mnt_idmap) -> &'a Self {
        // SAFETY: The caller's promise.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::mnt_idmap {
        self.0.get()
    }

    /// The mapping that changes nothing (`nop_mnt_idmap`).
    pub(crate) fn nop() -> &'static Self {
        // SAFETY: The C object is static.
        unsafe { Self::from_raw(&raw mut bindings::nop_mnt_idmap) }
    }

    /// A user of the filesystem as seen through the mount
    /// (`vfsuid_into_kuid(make_vfsuid(idmap, fs_userns, uid))`).
    pub(crate) fn map_uid(&self, fs_userns: &UserNamespace, uid: Kuid) -> Kuid {
        // SAFETY: Both are alive.
        let vfsuid =
            unsafe { bindings::make_vfsuid(self.as_ptr(), fs_userns.as_ptr(), uid.into_raw()) };
        Kuid::from_raw(bindings::kuid_t { val: vfsuid.val })
    }

    /// Whose on the filesystem a file is that the current task makes through the mount
    /// (`mapped_fsuid()`); may be invalid.
    pub(crate) fn mapped_fsuid(&self, fs_userns: &UserNamespace) -> Kuid {
        let val = current_fsuid().into_raw().val;
        let vfsuid = bindings::vfsuid_t { val };
        // SAFETY: Both are alive.
        let uid = unsafe { bindings::from_vfsuid(self.as_ptr(), fs_userns.as_ptr(), vfsuid) };
        Kuid::from_raw(uid)
    }

    /// Which group's it is (`mapped_fsgid()`); may be invalid.
    pub(crate) fn mapped_fsgid(&self, fs_userns: &UserNamespace) -> Kgid {
        let val = current_fsgid().into_raw().val;
        let vfsgid = bindings::vfsgid_t { val };
        // SAFETY: Both are alive.
        let gid = unsafe { bindings::from_vfsgid(self.as_ptr(), fs_userns.as_ptr(), vfsgid) };
        Kgid::from_raw(gid)
    }

    /// A group of the filesystem as seen through the mount.
    pub(crate) fn map_gid(&self, fs_userns: &UserNamespace, gid: Kgid) -> Kgid {
        // SAFETY: Both are alive.
        let vfsgid =
            unsafe { bindings::make_vfsgid(self.as_ptr(), fs_userns.as_ptr(), gid.into_raw()) };
        Kgid::from_raw(bindings::kgid_t { val: vfsgid.val })
    }
}
