// SPDX-License-Identifier: GPL-2.0

//! What `chmod`, `chown`, `truncate` and `utimes` ask of an inode.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct iattr`).

use super::{
    dentry::Dentry,
    file::File,
    mnt_idmapping::MntIdmap,
    types::Types, //
};
use crate::{
    bindings,
    kapi::{
        task::{
            uidgid::Kgid,
            user_namespace::UserNamespace, //
        },
        time::time64::Timespec64, //
    },
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*,
    task::Kuid,
    types::Opaque, //
};

pub(crate) use bindings::{
    ATTR_ATIME,
    ATTR_ATIME_SET,
    ATTR_FILE,
    ATTR_FORCE,
    ATTR_GID,
    ATTR_KILL_SGID,
    ATTR_KILL_SUID,
    ATTR_MODE,
    ATTR_MTIME,
    ATTR_MTIME_SET,
    ATTR_OPEN,
    ATTR_SIZE,
    ATTR_UID, //
};

/// A `struct iattr` on its way through `setattr`.
#[repr(transparent)]
pub(crate) struct Iattr<T: Types>(Opaque<bindings::iattr>, PhantomData<T>);

impl<T: Types> File<T> {
    /// What `ftruncate()` of this file to `size` bytes asks for, to be passed on.
    pub(crate) fn with_truncate_attr<R>(
        &self,
        size: i64,
        ask: impl FnOnce(&MntIdmap, &Dentry<T>, &mut Iattr<T>) -> R,
    ) -> R {
        let mut attr = Iattr(
            Opaque::new(bindings::iattr {
                ia_valid: ATTR_SIZE | ATTR_FILE,
                ia_size: size,
                ia_file: self.as_ptr(),
                ..pin_init::zeroed()
            }),
            PhantomData,
        );
        // SAFETY: An open file has a mount and a dentry, which it pins.
        let (idmap, dentry) = unsafe {
            (
                MntIdmap::from_raw(bindings::file_mnt_idmap(self.as_ptr())),
                Dentry::from_raw(bindings::file_dentry(self.as_ptr())),
            )
        };
        ask(idmap, dentry, &mut attr)
    }
}

impl<T: Types> Iattr<T> {
    /// Borrows what the VFS asks for.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, initialised and not used otherwise for `'a`; with `ATTR_FILE` its file is an
    /// open file of a filesystem registered for `T`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::iattr) -> &'a mut Self {
        // SAFETY: The caller's promise; the layout is that of `struct iattr`.
        unsafe { &mut *ptr.cast() }
    }

    fn raw(&self) -> &bindings::iattr {
        // SAFETY: Valid and initialised, and only changed through `&mut self`.
        unsafe { &*self.0.get() }
    }

    fn raw_mut(&mut self) -> &mut bindings::iattr {
        // SAFETY: As above, and `&mut self` is exclusive.
        unsafe { &mut *self.0.get() }
    }

    /// What is asked for (`ATTR_*`).
    pub(crate) fn valid(&self) -> u32 {
        self.raw().ia_valid
    }

    /// Whether any of these is asked for.
    pub(crate) fn has(&self, any: u32) -> bool {
        self.valid() & any != 0
    }

    /// Asks for these too.
    pub(crate) fn set_valid(&mut self, bits: u32) {
        self.raw_mut().ia_valid |= bits;
    }

    /// Asks for these no more.
    pub(crate) fn clear_valid(&mut self, bits: u32) {
        self.raw_mut().ia_valid &= !bits;
    }

    /// The mode, if asked for.
    pub(crate) fn mode(&self) -> Option<u16> {
        self.has(ATTR_MODE).then(|| self.raw().ia_mode)
    }

    /// The mode to set, to be asked for with `ATTR_MODE`.
    pub(crate) fn set_mode(&mut self, mode: u16) {
        self.raw_mut().ia_mode = mode;
    }

    /// The owner, if asked for, as the filesystem sees it (`from_vfsuid()`).
    pub(crate) fn uid(&self, idmap: &MntIdmap, fs_userns: &UserNamespace) -> Option<Kuid> {
        self.has(ATTR_UID).then(|| {
            // SAFETY: The two members of the union are the same number.
            let vfsuid = unsafe { self.raw().__bindgen_anon_1.ia_vfsuid };
            // SAFETY: Mapping and namespace are alive.
            Kuid::from_raw(unsafe {
                bindings::from_vfsuid(idmap.as_ptr(), fs_userns.as_ptr(), vfsuid)
            })
        })
    }

    /// The group, if asked for, as the filesystem sees it (`from_vfsgid()`).
    pub(crate) fn gid(&self, idmap: &MntIdmap, fs_userns: &UserNamespace) -> Option<Kgid> {
        self.has(ATTR_GID).then(|| {
            // SAFETY: The two members of the union are the same number.
            let vfsgid = unsafe { self.raw().__bindgen_anon_2.ia_vfsgid };
            // SAFETY: Mapping and namespace are alive.
            Kgid::from_raw(unsafe {
                bindings::from_vfsgid(idmap.as_ptr(), fs_userns.as_ptr(), vfsgid)
            })
        })
    }

    /// The size in bytes, if asked for.
    pub(crate) fn size(&self) -> Option<i64> {
        self.has(ATTR_SIZE).then(|| self.raw().ia_size)
    }

    /// The access time, if asked for: now unless `ATTR_ATIME_SET`.
    pub(crate) fn atime(&self) -> Option<Timespec64> {
        self.has(ATTR_ATIME)
            .then(|| Timespec64::from_raw(self.raw().ia_atime))
    }

    /// The modification time, if asked for: now unless `ATTR_MTIME_SET`.
    pub(crate) fn mtime(&self) -> Option<Timespec64> {
        self.has(ATTR_MTIME)
            .then(|| Timespec64::from_raw(self.raw().ia_mtime))
    }

    /// The open file that it is asked through, as by `ftruncate()`.
    pub(crate) fn file(&self) -> Option<&File<T>> {
        if !self.has(ATTR_FILE) {
            return None;
        }
        // SAFETY: With `ATTR_FILE` there is an open file, by the contract of `from_raw()`.
        Some(unsafe { File::from_raw(self.raw().ia_file) })
    }

    /// Checks whether the caller may, and whether the size is possible (`setattr_prepare()`).
    ///
    /// The caller holds `i_rwsem`, as in `setattr`.
    ///
    /// # Errors
    ///
    /// EPERM, EACCES, EFBIG, ETXTBSY and what else the checks yield.
    pub(crate) fn setattr_prepare(&mut self, idmap: &MntIdmap, dentry: &Dentry<T>) -> Result {
        // SAFETY: All are alive.
        to_result(unsafe {
            bindings::setattr_prepare(idmap.as_ptr(), dentry.as_ptr(), self.0.get())
        })
    }
}
