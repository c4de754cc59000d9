// SPDX-License-Identifier: GPL-2.0

//! Reads and writes under way: `struct kiocb`, and the generic functions that take one.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/task_io_accounting_ops.h`](srctree/include/linux/task_io_accounting_ops.h).
//!
//! The kernel crate's `Kiocb` has the position and the file's private data, but neither the file,
//! and with it the inode, nor flags.

use super::{
    file::{
        ssize_result,
        File, //
    },
    types::Types, //
};
use crate::{
    bindings,
    kapi::mm::iov::{
        Dest,
        IovIter,
        Source, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A `struct kiocb` of a file of a filesystem with the private types `T`.
///
/// # Invariants
///
/// The kiocb is valid and used by nobody else, and its file is an open one of `T`.
pub(crate) struct Kiocb<'a, T: Types> {
    inner: NonNull<bindings::kiocb>,
    _phantom: PhantomData<(&'a mut bindings::kiocb, T)>,
}

impl<'a, T: Types> Kiocb<'a, T> {
    /// Wraps a kiocb.
    ///
    /// # Safety
    ///
    /// `ptr` is valid and used by nobody else for `'a`; its file is open and of a filesystem type
    /// registered for `T`.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::kiocb) -> Self {
        Self {
            // SAFETY: A valid pointer is not null.
            inner: unsafe { NonNull::new_unchecked(ptr) },
            _phantom: PhantomData,
        }
    }

    fn as_ptr(&self) -> *mut bindings::kiocb {
        self.inner.as_ptr()
    }

    /// The file (`ki_filp`).
    pub(crate) fn file(&self) -> &'a File<T> {
        // SAFETY: By the type's invariant, the kiocb's file is open and of `T`.
        unsafe { File::from_raw((*self.as_ptr()).ki_filp) }
    }

    /// The position in bytes (`ki_pos`).
    pub(crate) fn pos(&self) -> i64 {
        // SAFETY: The kiocb is valid.
        unsafe { (*self.as_ptr()).ki_pos }
    }

    /// Moves the position.
    pub(crate) fn set_pos(&mut self, pos: i64) {
        // SAFETY: The kiocb is valid and ours.
        unsafe { (*self.as_ptr()).ki_pos = pos };
    }

    /// Whether one of these is set (`IOCB_*`).
    fn has_flag(&self, flags: i32) -> bool {
        // SAFETY: The kiocb is valid.
        unsafe { (*self.as_ptr()).ki_flags & flags != 0 }
    }

    /// Whether the transfer bypasses the page cache (`IOCB_DIRECT`).
    pub(crate) fn is_direct(&self) -> bool {
        self.has_flag(bindings::IOCB_DIRECT as i32)
    }

    /// Whether a write goes to the end of the file (`IOCB_APPEND`).
    pub(crate) fn is_append(&self) -> bool {
        self.has_flag(bindings::FUSE_CONST_IOCB_APPEND)
    }

    /// Whether the write asks for data and metadata to be safe (`IOCB_SYNC`).
    pub(crate) fn is_sync_write(&self) -> bool {
        self.has_flag(bindings::FUSE_CONST_IOCB_SYNC)
    }

    /// Whether the write asks for the data to be safe (`iocb_is_dsync()`).
    pub(crate) fn is_dsync(&self) -> bool {
        // SAFETY: The kiocb is valid.
        unsafe { bindings::iocb_is_dsync(self.as_ptr()) }
    }

    /// Whether the caller waits for the result (`is_sync_kiocb()`).
    pub(crate) fn is_sync_kiocb(&self) -> bool {
        // SAFETY: The kiocb is valid.
        unsafe { (*self.as_ptr()).ki_complete.is_none() }
    }

    /// `generic_file_read_iter()`: reads through the page cache, or with `IOCB_DIRECT` through
    /// `direct_IO`.
    pub(crate) fn generic_file_read_iter(&mut self, to: &mut IovIter<Dest>) -> Result<usize> {
        // SAFETY: Both are valid and ours.
        ssize_result(unsafe { bindings::generic_file_read_iter(self.as_ptr(), to.as_ptr()) })
    }

    /// `generic_write_checks()`: applies O_APPEND and limits to position and length. Returns the
    /// bytes left, 0 for none. Needs `i_rwsem` (shared will do without O_APPEND).
    pub(crate) fn generic_write_checks(&mut self, from: &mut IovIter<Source>) -> Result<usize> {
        // SAFETY: Both are valid and ours.
        ssize_result(unsafe { bindings::generic_write_checks(self.as_ptr(), from.as_ptr()) })
    }

    /// `kiocb_modified()`: removes set-id bits and capabilities. Needs `i_rwsem`.
    pub(crate) fn kiocb_modified(&mut self) -> Result {
        // SAFETY: The kiocb is valid and ours.
        to_result(unsafe { bindings::kiocb_modified(self.as_ptr()) })
    }

    /// `direct_write_fallback()`: the result of a direct write whose rest went through the page
    /// cache.
    pub(crate) fn direct_write_fallback(
        &mut self,
        from: &mut IovIter<Source>,
        direct: usize,
        buffered: Result<usize>,
    ) -> Result<usize> {
        // SAFETY: Both are valid and ours.
        ssize_result(unsafe {
            bindings::direct_write_fallback(
                self.as_ptr(),
                from.as_ptr(),
                super::file::ssize_from(Ok(direct)),
                super::file::ssize_from(buffered),
            )
        })
    }

    /// `generic_write_sync()`: makes what was written safe where the file or the call ask for it.
    pub(crate) fn generic_write_sync(&mut self, written: usize) -> Result<usize> {
        // SAFETY: The kiocb is valid and ours.
        ssize_result(unsafe {
            bindings::generic_write_sync(self.as_ptr(), super::file::ssize_from(Ok(written)))
        })
    }
}

/// `task_io_account_write()`: charges a write to the current task.
pub(crate) fn task_io_account_write(bytes: usize) {
    // SAFETY: Task context.
    unsafe { bindings::task_io_account_write(bytes) };
}
