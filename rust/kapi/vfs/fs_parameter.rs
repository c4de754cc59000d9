// SPDX-License-Identifier: GPL-2.0

//! One parameter of a mount: its value, before it is parsed.
//!
//! C header: [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h)
//! (`struct fs_parameter`).
//!
//! C rule encoded here: a parameter's string may be taken out of it; `vfs_parse_fs_param()` frees
//! what is left.

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
#[repr(transparent)]
pub(crate) struct FsParameter(bindings::fs_parameter);

impl FsParameter {
    /// The C object.
    pub(super) fn as_ptr(&mut self) -> *mut bindings::fs_parameter {
        &raw mut self.0
    }

    /// Takes the value out, if it is a string and has not been taken.
    pub(crate) fn take_string(&mut self) -> Option<ParamString> {
        if self.0.type_() != bindings::fs_value_type_fs_value_is_string {
            return None;
        }
        // SAFETY: The value is a string, so this is the union's member.
        let slot = unsafe { &mut self.0.__bindgen_anon_1.string };
        // A string parameter owns a kmalloc'ed string, unless it has been taken.
        let string = NonNull::new(*slot).map(ParamString)?;
        *slot = ptr::null_mut();
        Some(string)
    }

    /// The file, if the value is one.
    pub(crate) fn file(&self) -> Option<&File> {
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
pub(crate) fn fget(fd: u32) -> Result<ARef<File>> {
    let file = LocalFile::fget(fd)?;
    // SAFETY: Neither mount(2) nor fsconfig(2), where descriptors are parameters, has taken
    // `fdget_pos()` on anything.
    Ok(unsafe { LocalFile::assume_no_fdget_pos(file) })
}

/// A string of a parameter: kmalloc'ed, ends with a zero byte.
pub(crate) struct ParamString(NonNull<c_char>);

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
