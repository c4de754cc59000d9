// SPDX-License-Identifier: GPL-2.0

//! One parameter of a mount: its value, before it is parsed.
//!
//! C header: [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h)
//! (`struct fs_parameter`).
//!
//! C rule encoded here: a parameter's string may be taken out of it; `vfs_parse_fs_param()` frees
//! what is left. What is parsed must still have it, so [`fs_parse`](super::fs_parser::fs_parse)
//! consumes the parameter, and the string can be taken from what was parsed.

use crate::bindings;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    ffi::c_char,
    fs::{
        File,
        LocalFile, //
    },
    prelude::*,
    sync::aref::ARef, //
};

/// A `struct fs_parameter`: a key and a value of some type.
///
/// # Invariants
///
/// Lent by the VFS for `'a`, with its value as the user gave it; a string is kmalloc'ed.
pub(crate) struct FsParameter<'a>(&'a mut bindings::fs_parameter);

impl<'a> FsParameter<'a> {
    /// # Safety
    ///
    /// The type's invariant holds.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::fs_parameter) -> Self {
        // SAFETY: By the contract.
        // INVARIANT: As above.
        Self(unsafe { &mut *ptr })
    }

    /// The C object.
    pub(super) fn as_ptr(&mut self) -> *mut bindings::fs_parameter {
        &raw mut *self.0
    }

    /// The value, if it is a string.
    pub(super) fn into_string(self) -> Option<ParamString> {
        if self.0.type_() != bindings::fs_value_type_fs_value_is_string {
            return None;
        }
        // SAFETY: The value is a string, so this is the union's member.
        let slot = unsafe { &mut self.0.__bindgen_anon_1.string };
        // By the type's invariant the string is there, and no one gets at the parameter again.
        let string = NonNull::new(*slot).map(ParamString)?;
        *slot = ptr::null_mut();
        Some(string)
    }

    /// The file, if the value is one.
    pub(super) fn file(&self) -> Option<&File> {
        if self.0.type_() != bindings::fs_value_type_fs_value_is_file {
            return None;
        }
        // SAFETY: The value is a file, so this is the union's member.
        let file = NonNull::new(unsafe { self.0.__bindgen_anon_1.file })?;
        // SAFETY: The parameter holds a reference, and fsconfig(2) takes no `fdget_pos()`.
        Some(unsafe { File::from_raw_file(file.as_ptr()) })
    }
}

/// The file behind a descriptor of the current task (`fget()`), for mount(2) and fsconfig(2).
///
/// # Errors
///
/// EBADF.
pub(super) fn fget(fd: u32) -> Result<ARef<File>> {
    let file = LocalFile::fget(fd)?;
    // SAFETY: Neither mount(2) nor fsconfig(2), where descriptors are parameters, has taken
    // `fdget_pos()` on anything.
    Ok(unsafe { LocalFile::assume_no_fdget_pos(file) })
}

/// A string of a parameter: kmalloc'ed, ends with a zero byte.
pub(crate) struct ParamString(NonNull<c_char>);

// SAFETY: Memory of its own, which any thread may free.
unsafe impl Send for ParamString {}

impl ParamString {
    /// Gives up the string to someone who will `kfree()` it.
    pub(super) fn into_raw(self) -> *mut c_char {
        let ptr = self.0.as_ptr();
        core::mem::forget(self);
        ptr
    }
}

impl Drop for ParamString {
    fn drop(&mut self) {
        // SAFETY: We own a kmalloc'ed string.
        unsafe { bindings::kfree(self.0.as_ptr().cast()) };
    }
}
