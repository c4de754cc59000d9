// SPDX-License-Identifier: GPL-2.0

//! What a superblock is set up, found or reconfigured from.
//!
//! C header: [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h);
//! Documentation/filesystems/mount_api.rst.
//!
//! C rule encoded here: a context is used by one task at a time (`uapi_mutex`, or nobody else knows
//! it). What is done with it is in [`super::file_system`].

use super::fs_parameter::ParamString;
use crate::{
    bindings,
    kapi::task::user_namespace::UserNamespace, //
};
use kernel::{
    prelude::*,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// What a context is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// mount(2), fsopen(2).
    Mount,
    /// A superblock below another one, which nobody has asked for by name.
    Submount,
    /// Remount, fspick(2).
    Reconfigure,
}

/// A `struct fs_context`.
///
/// # Invariants
///
/// Used by this task alone.
#[repr(transparent)]
pub(crate) struct FsContext(Opaque<bindings::fs_context>, NotThreadSafe);

impl FsContext {
    /// Borrows a context.
    ///
    /// # Safety
    ///
    /// `ptr` is a context, this task's alone for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::fs_context) -> &'a Self {
        // SAFETY: The caller promises it; the layout is that of `struct fs_context`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::fs_context {
        self.0.get()
    }

    /// The namespace of the mounter.
    pub(crate) fn user_ns(&self) -> &UserNamespace {
        // SAFETY: Referenced by the context as long as it lives.
        unsafe { UserNamespace::from_raw((*self.as_ptr()).user_ns) }
    }

    /// What it is for.
    pub(crate) fn purpose(&self) -> Purpose {
        // SAFETY: Ours alone, by the type's invariant.
        match unsafe { (*self.as_ptr()).purpose() } {
            bindings::fs_context_purpose_FS_CONTEXT_FOR_RECONFIGURE => Purpose::Reconfigure,
            bindings::fs_context_purpose_FS_CONTEXT_FOR_SUBMOUNT => Purpose::Submount,
            _ => Purpose::Mount,
        }
    }

    /// Whether the parameters come from mount(2), rather than fsconfig(2).
    pub(crate) fn oldapi(&self) -> bool {
        // SAFETY: Ours alone, by the type's invariant.
        unsafe { (*self.as_ptr()).oldapi() }
    }

    /// The superblock's flags to be.
    pub(crate) fn sb_flags(&self) -> usize {
        // SAFETY: Ours alone, by the type's invariant.
        unsafe { (*self.as_ptr()).sb_flags as usize }
    }

    /// Sets the source, which is shown in /proc/mounts. Gives it back if there is one already.
    pub(crate) fn set_source(&self, source: ParamString) -> Result<(), ParamString> {
        // SAFETY: Ours alone, by the type's invariant.
        let slot = unsafe { &mut (*self.as_ptr()).source };
        if !slot.is_null() {
            return Err(source);
        }
        // The context owns the string: `put_fs_context()` frees it.
        *slot = source.into_raw().cast();
        Ok(())
    }

    /// Writes a message to the context's log, for the mounter, or with mount(2) to the kernel's,
    /// and gives EINVAL. C: `invalfc()`.
    pub(crate) fn invalfc(&self, message: &CStr) -> Error {
        // SAFETY: Ours alone, by the type's invariant.
        let log = unsafe { &(*self.as_ptr()).log };
        // SAFETY: The log is null or the context's; `%s` takes a string that ends with zero, and
        // is formatted before the call returns.
        unsafe {
            bindings::logfc(
                log.log,
                log.prefix,
                b'e',
                c"%s".as_char_ptr(),
                message.as_char_ptr(),
            )
        };
        EINVAL
    }
}
