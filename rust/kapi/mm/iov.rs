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
//!
//! The memory of an iterator that is a source (`data_source`) is only read: it may be constant, and
//! what is pinned of it is pinned for reading, be it a page that its owner may not write to or the
//! zero page. C looks at that with some kinds of iterators and not with others, and never once it
//! has the pages; here it is in the type.

use super::append::append_with;
use crate::bindings;
use core::marker::PhantomData;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Memory that is copied from (`ITER_SOURCE`).
pub(crate) enum Source {}

/// Memory that is copied to (`ITER_DEST`).
pub(crate) enum Dest {}

/// [`Source`] or [`Dest`].
pub(crate) trait Direction {
    /// Whether the memory is written to.
    const WRITTEN: bool;
}

impl Direction for Source {
    const WRITTEN: bool = false;
}

impl Direction for Dest {
    const WRITTEN: bool = true;
}

/// A `struct iov_iter`, lent by the VFS for the time of a call. One at a time, which stays with its
/// thread, so that there are never two that could be exchanged for each other.
///
/// # Invariants
///
/// Its direction is `D`.
#[repr(transparent)]
pub(crate) struct IovIter<D>(Opaque<bindings::iov_iter>, PhantomData<D>);

/// Whether an iterator is a [`Source`] (`iov_iter_rw() == WRITE`).
///
/// # Safety
///
/// `ptr` is a valid iterator.
pub(in crate::kapi) unsafe fn is_source(ptr: *const bindings::iov_iter) -> bool {
    // SAFETY: The caller's promise.
    unsafe { (*ptr).data_source }
}

impl<D: Direction> IovIter<D> {
    /// Borrows an iterator.
    ///
    /// # Safety
    ///
    /// `ptr` is a valid iterator of direction `D`, which nobody else uses during `'a`; the memory
    /// that it describes is a user's, or is valid during `'a`.
    pub(in crate::kapi) unsafe fn from_raw<'a>(ptr: *mut bindings::iov_iter) -> &'a mut Self {
        // INVARIANT: By the caller's promise.
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
}

impl IovIter<Dest> {
    /// Copies into the iterator's memory without faulting pages in; returns the bytes copied, by
    /// which the iterator has moved forward. Does not sleep.
    pub(crate) fn copy_to_iter_atomic(&mut self, from: &[u8]) -> usize {
        // SAFETY: The slice is readable; the iterator is valid, and a destination.
        unsafe { bindings::copy_to_iter_atomic(from.as_ptr().cast(), from.len(), self.as_ptr()) }
    }

    /// Faults in what comes next, as it is to be written to; a hint, errors show when copying.
    /// Sleeps.
    pub(crate) fn fault_in_writeable(&self, bytes: usize) {
        // SAFETY: The iterator is valid.
        unsafe { bindings::fault_in_iov_iter_writeable(self.as_ptr(), bytes.min(self.count())) };
    }
}

impl IovIter<Source> {
    /// Copies from the iterator's memory without faulting pages in; returns the bytes copied, by
    /// which the iterator has moved forward. Does not sleep.
    pub(crate) fn copy_from_iter_atomic(&mut self, to: &mut [u8]) -> usize {
        // SAFETY: The slice is writable; the iterator is valid, and a source.
        unsafe { bindings::copy_from_iter_atomic(to.as_mut_ptr().cast(), to.len(), self.as_ptr()) }
    }

    /// As [`copy_from_iter_atomic`](Self::copy_from_iter_atomic), up to `max` bytes behind what a
    /// vector has.
    pub(crate) fn append_from_iter_atomic(&mut self, to: &mut KVVec<u8>, max: usize) -> usize {
        // SAFETY: What is copied is what is returned, and no more than `len`; the iterator is
        // valid, and a source.
        unsafe {
            append_with(to, max, |to, len| {
                bindings::copy_from_iter_atomic(to.cast(), len, self.as_ptr())
            })
        }
    }

    /// As [`copy_from_iter_atomic`](Self::copy_from_iter_atomic), for two words, all or nothing;
    /// false also if the memory is in several pieces. Does not sleep.
    #[inline]
    pub(crate) fn copy_words_from_iter_atomic(&mut self, to: &mut [u64; 2]) -> bool {
        // SAFETY: There is room for two words; the iterator is valid, and a source.
        unsafe { bindings::copy_words_from_iter_atomic(to.as_mut_ptr(), self.as_ptr()) }
    }

    /// Faults in what comes next, as it is to be read; a hint, errors show when copying. Sleeps.
    pub(crate) fn fault_in_readable(&self, bytes: usize) {
        // SAFETY: The iterator is valid.
        unsafe { bindings::fault_in_iov_iter_readable(self.as_ptr(), bytes.min(self.count())) };
    }
}
