// SPDX-License-Identifier: GPL-2.0

//! Numbers from text that a user has written.
//!
//! C header: [`include/linux/kstrtox.h`](srctree/include/linux/kstrtox.h).

use crate::bindings;
use kernel::{
    error::to_result,
    ffi::c_char,
    prelude::*, //
};

/// Text in the memory of the current task's process; it may be anything and change at any time.
#[derive(Clone, Copy)]
pub(crate) struct UserText {
    ptr: *const c_char,
    len: usize,
}

impl UserText {
    /// Names `len` bytes at an address of the process, which is not trusted.
    pub(in crate::kapi) fn new(ptr: *const c_char, len: usize) -> Self {
        Self { ptr, len }
    }

    /// Its length in bytes.
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// The number that is all of the text, with a newline after it or not; octal and hexadecimal
    /// with C's prefixes (`kstrtoul_from_user(.., 0, ..)`). May sleep.
    ///
    /// # Errors
    ///
    /// EFAULT, EINVAL, ERANGE.
    pub(crate) fn kstrtoul(self) -> Result<usize> {
        let mut value = 0;
        // SAFETY: The address is checked before it is read; the result is ours.
        to_result(unsafe { bindings::kstrtoul_from_user(self.ptr, self.len, 0, &raw mut value) })?;
        Ok(value)
    }
}
