// SPDX-License-Identifier: GPL-2.0

//! What `chmod`, `chown`, `truncate` and `utimes` ask of an inode.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct iattr`).
//!
//! C rule encoded here: those who call `notify_change()` set what their `ia_valid` names, and leave
//! the rest of the structure as the stack had it. So a field is read only if its bit is set, and a
//! bit is set only together with its field.

use super::{
    dentry::PositiveDentry,
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
use core::{
    marker::PhantomData,
    pin::{
        pin,
        Pin, //
    },
};
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
///
/// It is passed pinned, so that it cannot be exchanged with one whose file lives longer.
///
/// # Invariants
///
/// The fields that `ia_valid` names are initialised; with `ATTR_FILE`, `ia_file` is an open file
/// of a filesystem registered for `T`, for as long as this lives.
#[repr(transparent)]
pub(crate) struct Iattr<T: Types>(Opaque<bindings::iattr>, PhantomData<T>);

/// One field, which must be valid.
macro_rules! field {
    ($attr:expr, $bit:expr, $($field:ident).+) => {
        $attr.has($bit).then(|| {
            // SAFETY: By the type's invariant the field is initialised; it is only changed through
            // an exclusive borrow.
            unsafe { (*$attr.0.get()).$($field).+ }
        })
    };
}

impl<T: Types> File<T> {
    /// What `ftruncate()` of this file to `size` bytes asks for, to be passed on.
    pub(crate) fn with_truncate_attr<R>(
        &self,
        size: i64,
        ask: impl FnOnce(&MntIdmap, PositiveDentry<'_, T>, Pin<&mut Iattr<T>>) -> R,
    ) -> R {
        // INVARIANT: The file is open, and borrowed for longer.
        let attr = pin!(Iattr(
            Opaque::new(bindings::iattr {
                ia_valid: ATTR_SIZE | ATTR_FILE,
                ia_size: size,
                ia_file: self.as_ptr(),
                ..pin_init::zeroed()
            }),
            PhantomData,
        ));
        // SAFETY: An open file has a mount and a positive dentry, which it pins.
        let (idmap, dentry) = unsafe {
            (
                MntIdmap::from_raw(bindings::file_mnt_idmap(self.as_ptr())),
                PositiveDentry::from_raw(bindings::file_dentry(self.as_ptr())),
            )
        };
        ask(idmap, dentry, attr)
    }
}

impl<T: Types> Iattr<T> {
    /// Borrows what the VFS asks for.
    ///
    /// # Safety
    ///
    /// `ptr` is not used otherwise for `'a`. `ia_valid` is initialised, and with it the fields that
    /// it names; with `ATTR_FILE`, `ia_file` is an open file of a filesystem registered for `T`,
    /// for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::iattr) -> Pin<&'a mut Self> {
        // SAFETY: The caller's promise; the layout is that of `struct iattr`, of which nothing need
        // be initialised in an `Opaque`. The VFS does not move it.
        unsafe { Pin::new_unchecked(&mut *ptr.cast()) }
    }

    /// What is asked for (`ATTR_*`).
    pub(crate) fn valid(&self) -> u32 {
        // SAFETY: `ia_valid` is always initialised, and only changed through an exclusive borrow.
        unsafe { (*self.0.get()).ia_valid }
    }

    /// Whether any of these is asked for.
    pub(crate) fn has(&self, any: u32) -> bool {
        self.valid() & any != 0
    }

    /// Asks for the change whether or not the caller may (`ATTR_FORCE`).
    pub(crate) fn set_force(self: Pin<&mut Self>) {
        // SAFETY: Exclusively borrowed; no field belongs to this bit.
        unsafe { (*self.0.get()).ia_valid |= ATTR_FORCE };
    }

    /// Asks for these no more.
    pub(crate) fn clear_valid(self: Pin<&mut Self>, bits: u32) {
        // SAFETY: Exclusively borrowed.
        unsafe { (*self.0.get()).ia_valid &= !bits };
    }

    /// The mode, if asked for.
    pub(crate) fn mode(&self) -> Option<u16> {
        field!(self, ATTR_MODE, ia_mode)
    }

    /// Asks for this mode (`ATTR_MODE`).
    pub(crate) fn set_mode(self: Pin<&mut Self>, mode: u16) {
        // SAFETY: Exclusively borrowed.
        unsafe {
            (*self.0.get()).ia_mode = mode;
            (*self.0.get()).ia_valid |= ATTR_MODE;
        }
    }

    /// The owner, if asked for, as the filesystem sees it (`from_vfsuid()`).
    pub(crate) fn uid(&self, idmap: &MntIdmap, fs_userns: &UserNamespace) -> Option<Kuid> {
        // The two members of the union are the same number.
        field!(self, ATTR_UID, __bindgen_anon_1.ia_vfsuid).map(|vfsuid| {
            // SAFETY: Mapping and namespace are alive.
            Kuid::from_raw(unsafe {
                bindings::from_vfsuid(idmap.as_ptr(), fs_userns.as_ptr(), vfsuid)
            })
        })
    }

    /// The group, if asked for, as the filesystem sees it (`from_vfsgid()`).
    pub(crate) fn gid(&self, idmap: &MntIdmap, fs_userns: &UserNamespace) -> Option<Kgid> {
        // The two members of the union are the same number.
        field!(self, ATTR_GID, __bindgen_anon_2.ia_vfsgid).map(|vfsgid| {
            // SAFETY: Mapping and namespace are alive.
            Kgid::from_raw(unsafe {
                bindings::from_vfsgid(idmap.as_ptr(), fs_userns.as_ptr(), vfsgid)
            })
        })
    }

    /// The size in bytes, if asked for.
    pub(crate) fn size(&self) -> Option<i64> {
        field!(self, ATTR_SIZE, ia_size)
    }

    /// The access time, if asked for: now unless `ATTR_ATIME_SET`.
    pub(crate) fn atime(&self) -> Option<Timespec64> {
        field!(self, ATTR_ATIME, ia_atime).map(Timespec64::from_raw)
    }

    /// The modification time, if asked for: now unless `ATTR_MTIME_SET`.
    pub(crate) fn mtime(&self) -> Option<Timespec64> {
        field!(self, ATTR_MTIME, ia_mtime).map(Timespec64::from_raw)
    }

    /// The open file that it is asked through, as by `ftruncate()`.
    pub(crate) fn file(&self) -> Option<&File<T>> {
        // SAFETY: By the type's invariant this is an open file.
        field!(self, ATTR_FILE, ia_file).map(|file| unsafe { File::from_raw(file) })
    }

    /// Checks whether the caller may, and whether the size is possible (`setattr_prepare()`).
    ///
    /// The caller holds `i_rwsem`, as in `setattr`.
    ///
    /// # Errors
    ///
    /// EPERM, EACCES, EFBIG, ETXTBSY and what else the checks yield.
    pub(crate) fn setattr_prepare(
        self: Pin<&mut Self>,
        idmap: &MntIdmap,
        dentry: PositiveDentry<'_, T>,
    ) -> Result {
        // SAFETY: All are alive, and the dentry is positive. The function reads what `ia_valid`
        // names, and changes the mode alone.
        to_result(unsafe {
            bindings::setattr_prepare(idmap.as_ptr(), dentry.as_ptr(), self.0.get())
        })
    }
}
