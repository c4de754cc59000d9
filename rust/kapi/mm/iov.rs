// SPDX-License-Identifier: GPL-2.0

//! Iterators over memory that is copied from or to, usually the caller's.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h).
//!
//! The kernel crate's `IovIterSource` and `IovIterDest` copy with page faults alone: they neither
//! stop at what is not resident, nor fault in or pin what comes next.
//!
//! C rules encoded here: with page faults disabled, `copy_to_iter()` and `copy_from_iter()` stop at
//! the first byte that is not resident and return the exact count, having advanced by it.

use crate::bindings;
use kernel::types::Opaque;

/// A `struct iov_iter`, lent by the VFS for the time of a call.
///
/// The direction is C's: copying against it does nothing and warns.
#[repr(transparent)]
pub(crate) struct IovIter(Opaque<bindings::iov_iter>);

impl IovIter {
    /// Borrows an iterator.
    ///
    /// # Safety
    ///
    /// `ptr` is a valid iterator that nobody else uses during `'a`, and the memory it describes
    /// is valid, or is user memory, during `'a`.
    pub(in crate::kapi) unsafe fn from_raw<'a>(ptr: *mut bindings::iov_iter) -> &'a mut Self {
        // SAFETY: The caller promises exclusive access; the layout is that of `struct iov_iter`.
        unsafe { &mut *ptr.cast() }
    }

    /// The C object.
    pub(in crate::kapi) fn as_ptr(&self) -> *mut bindings::iov_iter {
        self.0.get()
    }

    /// Bytes left (`iov_iter_count()`).
    pub(crate) fn count(&self) -> usize {
        // SAFETY: Valid by the contract of `from_raw()`; `count` lies in an anonymous union of
        // structs that all iterators share.
        unsafe {
            (*self.as_ptr())
                .__bindgen_anon_1
                .__bindgen_anon_1
                .as_ref()
                .count
        }
    }

    /// Is this user memory (`user_backed_iter()`)? Without a call, as it is asked for each message.
    #[inline]
    pub(crate) fn user_backed(&self) -> bool {
        // SAFETY: Valid by the contract of `from_raw()`.
        let kind = unsafe { (*self.as_ptr()).iter_type };
        u32::from(kind) == bindings::iter_type_ITER_UBUF
            || u32::from(kind) == bindings::iter_type_ITER_IOVEC
    }

    /// Whether it is to be copied from (`iov_iter_rw() == WRITE`).
    pub(in crate::kapi) fn is_source(&self) -> bool {
        // SAFETY: Valid by the contract of `from_raw()`.
        unsafe { (*self.as_ptr()).data_source }
    }

    /// Copies into the iterator's memory without faulting pages in; returns the bytes copied, by
    /// which the iterator has moved forward. Does not sleep.
    pub(crate) fn copy_to_iter_atomic(&mut self, from: &[u8]) -> usize {
        // SAFETY: The slice is readable; the iterator valid.
        unsafe { bindings::copy_to_iter_atomic(from.as_ptr().cast(), from.len(), self.as_ptr()) }
    }

    /// Copies from the iterator's memory without faulting pages in; returns the bytes copied, by
    /// which the iterator has moved forward. Does not sleep.
    pub(crate) fn copy_from_iter_atomic(&mut self, to: &mut [u8]) -> usize {
        // SAFETY: The slice is writable; the iterator valid.
        unsafe { bindings::copy_from_iter_atomic(to.as_mut_ptr().cast(), to.len(), self.as_ptr()) }
    }

    /// Faults in what comes next, as it is to be written to; a hint, errors show when copying.
    /// Sleeps.
    pub(crate) fn fault_in_writeable(&self, bytes: usize) {
        // SAFETY: The iterator is valid.
        unsafe { bindings::fault_in_iov_iter_writeable(self.as_ptr(), bytes.min(self.count())) };
    }

    /// Faults in what comes next, as it is to be read; a hint, errors show when copying. Sleeps.
    pub(crate) fn fault_in_readable(&self, bytes: usize) {
        // SAFETY: The iterator is valid.
        unsafe { bindings::fault_in_iov_iter_readable(self.as_ptr(), bytes.min(self.count())) };
    }
}
