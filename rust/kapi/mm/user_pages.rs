// SPDX-License-Identifier: GPL-2.0

//! One page of user memory, pinned so that copying to or from it cannot fault.
//!
//! C headers: [`include/linux/uio.h`](srctree/include/linux/uio.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h).
//!
//! C rules encoded here: what `iov_iter_extract_pages()` took from user memory is pinned
//! (FOLL_PIN), for writing (FOLL_WRITE) only if the iterator is a destination, and given back by
//! `unpin_user_page()`; a page that was written to is marked dirty while still pinned, which takes
//! the folio lock and so may sleep.

use super::{
    append::append_with,
    iov::{
        Dest,
        Direction,
        IovIter,
        Source, //
    },
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A stretch of one pinned page, used from its beginning.
///
/// # Invariants
///
/// `page` is pinned, for writing if `D` is [`Dest`]; `offset + left` is at most the page's size.
pub(crate) struct UserPage<D> {
    page: NonNull<bindings::page>,
    offset: usize,
    left: usize,
    written: bool,
    _direction: PhantomData<D>,
}

// SAFETY: A pin belongs to nobody in particular.
unsafe impl<D> Send for UserPage<D> {}

impl<D: Direction> UserPage<D> {
    /// Faults in and pins the page at the iterator's place, which moves to the end of that page (or
    /// of the segment). Sleeps.
    ///
    /// # Errors
    ///
    /// `EFAULT`, `EINVAL` for memory that is not a user's, `EIO` at the end of the iterator, and
    /// what get_user_pages returns.
    pub(crate) fn extract(iter: &mut IovIter<D>) -> Result<Self> {
        if !iter.user_backed() {
            return Err(EINVAL);
        }
        let mut page: *mut bindings::page = core::ptr::null_mut();
        let mut pages: *mut *mut bindings::page = &mut page;
        let mut offset = 0usize;
        // SAFETY: One place for one page; the iterator is valid.
        let len = unsafe {
            bindings::iov_iter_extract_pages(
                iter.as_ptr(),
                &mut pages,
                PAGE_SIZE,
                1,
                0,
                &mut offset,
            )
        };
        if len < 0 {
            return Err(Error::from_errno(len as i32));
        }
        let page = NonNull::new(page).ok_or(EIO)?;
        // INVARIANT: Pinned, as the memory is a user's, and for writing unless the iterator is a
        // source; C returns no more than lies in the page.
        let page = Self {
            page,
            offset,
            left: len as usize,
            written: false,
            _direction: PhantomData,
        };
        if page.left == 0 {
            return Err(EIO);
        }
        Ok(page)
    }

    /// Bytes not copied yet.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    fn advance(&mut self, bytes: usize) -> usize {
        self.offset += bytes;
        self.left -= bytes;
        bytes
    }
}

impl UserPage<Dest> {
    /// Copies into the page as much as fits; returns how much. Does not sleep.
    pub(crate) fn copy_to(&mut self, from: &[u8]) -> usize {
        let bytes = from.len().min(self.left);
        // SAFETY: The page is pinned for writing and the stretch lies in it, by the type's
        // invariant.
        unsafe {
            bindings::copy_to_page(self.page.as_ptr(), self.offset, from.as_ptr().cast(), bytes)
        };
        self.written = true;
        self.advance(bytes)
    }
}

impl UserPage<Source> {
    /// Copies from the page as much as there is; returns how much. Does not sleep.
    pub(crate) fn copy_from(&mut self, to: &mut [u8]) -> usize {
        // SAFETY: The slice is writable.
        unsafe { self.copy_raw(to.as_mut_ptr(), to.len()) }
    }

    /// The same, up to `max` bytes behind what a vector has.
    pub(crate) fn append_to(&mut self, to: &mut KVVec<u8>, max: usize) -> usize {
        // SAFETY: What is copied is what is returned.
        unsafe { append_with(to, max, |to, len| self.copy_raw(to, len)) }
    }

    /// Copies up to `max` bytes; returns how many.
    ///
    /// # Safety
    ///
    /// So many can be written to.
    unsafe fn copy_raw(&mut self, to: *mut u8, max: usize) -> usize {
        let bytes = max.min(self.left);
        // SAFETY: The page is pinned and the stretch lies in it, by the type's invariant; the rest
        // by the function's contract.
        unsafe { bindings::copy_from_page(self.page.as_ptr(), self.offset, to.cast(), bytes) };
        self.advance(bytes)
    }
}

impl<D> Drop for UserPage<D> {
    /// Sleeps if the page was written to.
    #[cold]
    fn drop(&mut self) {
        let mut page = self.page.as_ptr();
        // SAFETY: Pinned once by `extract()`.
        unsafe {
            if self.written {
                bindings::unpin_user_pages_dirty_lock(&mut page, 1, true);
            } else {
                bindings::unpin_user_page(page);
            }
        }
    }
}
