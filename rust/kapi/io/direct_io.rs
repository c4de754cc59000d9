// SPDX-License-Identifier: GPL-2.0

//! Memory of a caller that a request reads or writes without the page cache.
//!
//! C headers: [`include/linux/uio.h`](srctree/include/linux/uio.h) (`iov_iter_extract_pages()`),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h) (`unpin_user_folio()`).

use crate::{
    bindings,
    kapi::{
        mm::iov::{
            Dest,
            Direction,
            IovIter,
            Source, //
        },
        page_cache::segs::{
            DestSegs,
            Seg,
            SegCursor,
            Segs,
            SourceSegs, //
        },
        vfs::file::ssize_result, //
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Pages asked for at a time: what fits on the stack.
const BATCH: usize = 16;

/// An iterator over a caller's memory that is taken piece by piece and may be moved back.
///
/// # Invariants
///
/// The iterator has been advanced by `advanced` bytes since it came here.
pub(crate) struct DirectIter<'i, D> {
    iter: &'i mut IovIter<D>,
    advanced: usize,
}

impl<'i, D: Direction> DirectIter<'i, D> {
    /// Wraps an iterator.
    pub(crate) fn new(iter: &'i mut IovIter<D>) -> Self {
        Self { iter, advanced: 0 }
    }

    /// Bytes left.
    pub(crate) fn count(&self) -> usize {
        self.iter.count()
    }

    /// Whether it is a user's memory; otherwise it is the kernel's own.
    pub(crate) fn user_backed(&self) -> bool {
        self.iter.user_backed()
    }

    /// Whether it consists of kernel addresses (`iov_iter_is_kvec()`).
    pub(crate) fn is_kvec(&self) -> bool {
        // SAFETY: The iterator is valid.
        unsafe { bindings::iov_iter_is_kvec(self.iter.as_ptr()) }
    }

    /// Bytes left in the current segment (`iov_iter_single_seg_count()`).
    pub(crate) fn single_seg_count(&self) -> usize {
        // SAFETY: The iterator is valid.
        unsafe { bindings::iov_iter_single_seg_count(self.iter.as_ptr()) }
    }

    /// The pages left, at most `max` (`iov_iter_npages()`).
    pub(crate) fn npages(&self, max: u32) -> u32 {
        let max = i32::try_from(max).unwrap_or(i32::MAX);
        // SAFETY: The iterator is valid.
        let n = unsafe { bindings::iov_iter_npages(self.iter.as_ptr(), max) };
        u32::try_from(n).unwrap_or(0)
    }

    /// Bytes left, as far as they lie in at most `max` pages.
    pub(crate) fn bytes_in_pages(&self, max: u32) -> usize {
        if self.npages(max.saturating_add(1)) <= max {
            return self.count();
        }
        self.count().min(PAGE_SIZE.saturating_mul(max as usize))
    }

    /// Moves back by `bytes`, at most to where it was when it came here.
    pub(crate) fn revert(&mut self, bytes: usize) {
        let bytes = bytes.min(self.advanced);
        // SAFETY: By the type's invariant it has been advanced by that much.
        unsafe { bindings::iov_iter_revert(self.iter.as_ptr(), bytes) };
        self.advanced -= bytes;
    }

    /// Pins at most `max_bytes` in at most `max_pages` pages of a user's memory, and advances. May
    /// sleep. Fails where nothing could be pinned; if there is something before that place, the
    /// error comes beside it.
    ///
    /// To be used where [`user_backed`](Self::user_backed): the pages of other iterators stay
    /// alive only as long as the caller waits.
    pub(crate) fn pin_pages(
        &mut self,
        max_bytes: usize,
        max_pages: u32,
    ) -> Result<(UserPages<D>, Result)> {
        if !self.user_backed() {
            return Err(EINVAL);
        }
        let max_pages = max_pages as usize;
        let max_bytes = max_bytes.min(u32::MAX as usize);
        let mut pages = UserPages {
            segs: KVec::with_capacity(max_pages, GFP_KERNEL)?,
            bytes: 0,
            filled: SegCursor::default(),
            dirty: D::WRITTEN,
            _direction: PhantomData,
        };
        let mut nr_pages = 0;
        let mut rest = Ok(());
        while pages.bytes() < max_bytes && nr_pages < max_pages {
            match self.pin_batch(&mut pages, max_bytes, BATCH.min(max_pages - nr_pages)) {
                Ok(0) => break,
                Ok(n) => nr_pages += n,
                Err(e) if pages.bytes == 0 => return Err(e),
                // What there is goes first.
                Err(e) => {
                    rest = Err(e);
                    break;
                }
            }
        }
        Ok((pages, rest))
    }

    /// Pins the next few pages of one segment of the iterator; returns how many.
    fn pin_batch(
        &mut self,
        pages: &mut UserPages<D>,
        max_bytes: usize,
        max_pages: usize,
    ) -> Result<usize> {
        let mut batch = [core::ptr::null_mut::<bindings::page>(); BATCH];
        let mut ptr = batch.as_mut_ptr();
        let mut start = 0usize;
        // SAFETY: The iterator is valid, and `batch` has room for `max_pages`. Each page comes
        // pinned, as the iterator is backed by a user's memory, and for writing unless it is a
        // source.
        let n = ssize_result(unsafe {
            bindings::iov_iter_extract_pages(
                self.iter.as_ptr(),
                &mut ptr,
                max_bytes - pages.bytes(),
                // At most `BATCH`.
                max_pages as u32,
                0,
                &mut start,
            )
        })?;
        self.advanced += n;
        let mut left = n;
        let mut count = 0;
        for &page in &batch {
            if left == 0 {
                break;
            }
            let len = left.min(PAGE_SIZE - start);
            // SAFETY: `page` is pinned as its direction wants, and we hand the pin over.
            if let Err(e) = unsafe { pages.push(page, start, len, count > 0) } {
                // Only the first page of the batch does not begin at 0.
                let rest = (left - len).div_ceil(PAGE_SIZE);
                let after = batch.as_ptr().wrapping_add(count + 1).cast_mut();
                // SAFETY: As many pages more were pinned, and are only read from there.
                unsafe { bindings::unpin_user_pages(after, rest) };
                self.revert(left);
                return if count == 0 { Err(e) } else { Ok(count) };
            }
            left -= len;
            start = 0;
            count += 1;
        }
        Ok(count)
    }
}

impl DirectIter<'_, Source> {
    /// Copies at most `max` bytes of it to a buffer, and advances. Fails with EFAULT where nothing
    /// could be copied.
    pub(crate) fn copy_from(&mut self, max: usize) -> Result<KVVec<u8>> {
        let max = max.min(self.count());
        let mut buf = KVVec::with_capacity(max, GFP_KERNEL_ACCOUNT)?;
        let ptr = buf.spare_capacity_mut().as_mut_ptr();
        // SAFETY: The iterator is valid and to be read from; the buffer has room for `max`.
        let n = unsafe { bindings::_copy_from_iter(ptr.cast(), max, self.iter.as_ptr()) };
        self.advanced += n;
        // SAFETY: The first `n` bytes have been written.
        unsafe { buf.inc_len(n) };
        if n == 0 && max > 0 {
            return Err(EFAULT);
        }
        Ok(buf)
    }
}

impl DirectIter<'_, Dest> {
    /// Copies a buffer to it, and advances. Returns the bytes copied.
    pub(crate) fn copy_to(&mut self, buf: &[u8]) -> usize {
        // SAFETY: The iterator is valid and to be written to.
        let n =
            unsafe { bindings::_copy_to_iter(buf.as_ptr().cast(), buf.len(), self.iter.as_ptr()) };
        self.advanced += n;
        n
    }
}

/// Pages of a user's memory, pinned. Drop marks them dirty if they were read into, and unpins; it
/// may sleep for a folio's lock if they were read into.
///
/// # Invariants
///
/// Each piece holds one pin for each page that it touches, for writing if `D` is [`Dest`].
pub(crate) struct UserPages<D> {
    segs: KVec<Seg>,
    bytes: u32,
    /// How far those of a destination have been written to.
    filled: SegCursor,
    /// To be marked dirty.
    dirty: bool,
    _direction: PhantomData<D>,
}

impl<D> UserPages<D> {
    /// Bytes in it.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// # Safety
    ///
    /// `page` is pinned, for writing if `D` is [`Dest`], and the pin is handed over. `start + len`
    /// is at most a page. With `adjoins`, the piece before ends with the page that comes before in
    /// the caller's memory.
    ///
    /// # Errors
    ///
    /// `EFAULT` for what lies more than 4 GiB from the beginning of a folio, which a huge page may
    /// be on some machines. The page has been unpinned then.
    unsafe fn push(
        &mut self,
        page: *mut bindings::page,
        start: usize,
        len: usize,
        adjoins: bool,
    ) -> Result {
        // SAFETY: The page is pinned, so its folio stays as it is.
        let folio = unsafe { bindings::page_folio(page) };
        // SAFETY: As above.
        let offset = unsafe { bindings::page_offset_in_folio(folio, page) } + start;
        // Pages that follow each other in one folio make one piece.
        if let Some(last) = self.segs.last_mut().filter(|_| adjoins) {
            if last.folio() == folio && last.offset() + last.len() == offset {
                last.grow(len);
                // At most a page; no more than a `u32` was asked for in all.
                self.bytes += len as u32;
                return Ok(());
            }
        }
        let seg = u32::try_from(offset).map(|offset| {
            // SAFETY: A folio is never null, and the range is in it.
            unsafe { Seg::new(NonNull::new_unchecked(folio), offset, len as u32) }
        });
        // There is room: for as many pieces as pages were asked for.
        let pushed = seg
            .map_err(|_| EFAULT)
            .and_then(|seg| Ok(self.segs.push_within_capacity(seg)?));
        if pushed.is_err() {
            // SAFETY: We own the pin.
            unsafe { bindings::unpin_user_folio(folio, 1) };
            return pushed;
        }
        // As above.
        self.bytes += len as u32;
        Ok(())
    }
}

impl UserPages<Dest> {
    /// Lets go of the pages without sleeping, for a task that cannot wait for a folio's lock.
    ///
    /// Pages that were read into were marked dirty when they were pinned for writing. They are
    /// again, as long as nobody has the folio locked; else, if they were written back meanwhile,
    /// what was read since may be lost, which is for callers that were killed.
    pub(crate) fn unpin_nowait(mut self) {
        if core::mem::take(&mut self.dirty) {
            for seg in &self.segs {
                // SAFETY: The folio is pinned.
                unsafe { bindings::folio_mark_dirty_nowait(seg.folio()) };
            }
        }
    }
}

// SAFETY: By the type's invariant the folio of each piece is pinned.
unsafe impl<D> Segs for UserPages<D> {
    fn segs(&self) -> &[Seg] {
        &self.segs
    }
}

// SAFETY: Pinned memory may be read.
unsafe impl SourceSegs for UserPages<Source> {}

// SAFETY: By the type's invariant it is pinned for writing. Drop marks it dirty.
unsafe impl DestSegs for UserPages<Dest> {
    unsafe fn to_fill(&mut self) -> (&[Seg], &mut SegCursor) {
        (&self.segs, &mut self.filled)
    }
}

impl<D> Drop for UserPages<D> {
    #[inline(never)]
    fn drop(&mut self) {
        for seg in &self.segs {
            if self.dirty {
                // SAFETY: The folio is pinned; task context.
                unsafe { bindings::folio_mark_dirty_lock(seg.folio()) };
            }
            let pages = (seg.offset() % PAGE_SIZE + seg.len()).div_ceil(PAGE_SIZE);
            // SAFETY: By the type's invariant, that many pins are ours.
            unsafe { bindings::unpin_user_folio(seg.folio(), pages) };
        }
    }
}
