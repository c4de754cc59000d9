// SPDX-License-Identifier: GPL-2.0

//! Files whose owners get SIGIO.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct fasync_struct`).
//!
//! C rules encoded here: the list is changed by `fasync_helper()` alone, which has a lock of its
//! own, and read under RCU; the VFS takes a file off the list when it is closed.

use crate::bindings;
use core::cell::UnsafeCell;
use kernel::{
    ffi::c_int,
    prelude::*, //
};

/// A list of files (`struct fasync_struct *`).
pub(crate) struct Fasync(UnsafeCell<*mut bindings::fasync_struct>);

// SAFETY: The list has its own locks.
unsafe impl Send for Fasync {}
// SAFETY: As above.
unsafe impl Sync for Fasync {}

impl Fasync {
    /// With no file on it.
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(core::ptr::null_mut()))
    }

    /// `fasync_helper()`: what `fasync` of a file does.
    ///
    /// # Safety
    ///
    /// Called by `fasync` of `file`, with its arguments. The list outlives the file.
    pub(super) unsafe fn helper(
        &self,
        fd: c_int,
        file: *mut bindings::file,
        on: c_int,
    ) -> Result<c_int> {
        // SAFETY: By the contract.
        match unsafe { bindings::fasync_helper(fd, file, on, self.0.get()) } {
            error if error < 0 => Err(Error::from_errno(error)),
            done => Ok(done),
        }
    }

    /// Sends SIGIO with POLL_IN to the owners of all files on the list (`kill_fasync()`). Does not
    /// sleep.
    #[inline]
    pub(crate) fn kill_in(&self) {
        // SAFETY: A pointer that changes at any time: a single load.
        let nobody = unsafe { self.0.get().read_volatile() }.is_null();
        if !nobody {
            self.kill_all();
        }
    }

    #[cold]
    fn kill_all(&self) {
        // SAFETY: The list is valid, and read under RCU.
        unsafe {
            bindings::kill_fasync(
                self.0.get(),
                bindings::SIGIO as c_int,
                bindings::POLL_IN as c_int,
            )
        };
    }
}
