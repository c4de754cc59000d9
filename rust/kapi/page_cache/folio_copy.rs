// SPDX-License-Identifier: GPL-2.0

//! Copying to and from lists of pieces of folios, front to back.
//!
//! C headers: [`include/linux/uio.h`](srctree/include/linux/uio.h),
//! [`include/linux/highmem.h`](srctree/include/linux/highmem.h).
//!
//! All functions here may be called with page faults disabled, and none sleeps.

use super::{
    folio::Folio,
    folio_list::WriteFolios,
    segs::{
        DestSegs,
        Seg,
        SegCursor,
        Segs,
        SourceSegs, //
    },
};
use crate::{
    bindings,
    kapi::mm::iov::{
        Dest,
        IovIter,
        Source, //
    },
};

/// Fills what is next of a list, by `copy`, as [`SegCursor::walk`] calls it.
fn fill<L: DestSegs>(
    list: &mut L,
    max: usize,
    copy: impl FnMut(&Seg, usize, usize, usize) -> usize,
) -> usize {
    // SAFETY: Only `walk` has the cursor, and the functions below have written what they say.
    let (segs, at) = unsafe { list.to_fill() };
    at.walk(segs, max, copy)
}

/// Copies at most `max` bytes to `to`, as far as that is resident; both advance by what is
/// returned.
pub(crate) fn copy_to_iter_atomic<L: SourceSegs>(
    list: &L,
    at: &mut SegCursor,
    max: usize,
    to: &mut IovIter<Dest>,
) -> usize {
    at.walk(list.segs(), max, |seg, offset, _, len| {
        // SAFETY: The list keeps the folio and the range is in it; the iterator is valid and a
        // destination.
        unsafe { bindings::copy_folio_to_iter_atomic(seg.folio(), offset, len, to.as_ptr()) }
    })
}

/// Copies at most `max` bytes from `from`, as far as that is resident; both advance by what is
/// returned.
pub(crate) fn copy_from_iter_atomic<L: DestSegs>(
    list: &mut L,
    max: usize,
    from: &mut IovIter<Source>,
) -> usize {
    fill(list, max, |seg, offset, _, len| {
        // SAFETY: The list keeps the folio, the range is in it and may be written to; the iterator
        // is valid and a source.
        unsafe { bindings::copy_folio_from_iter_atomic(seg.folio(), offset, len, from.as_ptr()) }
    })
}

/// Copies to a kernel buffer; returns the bytes copied, fewer than asked for only at the end of
/// the list.
pub(crate) fn copy_to_slice<L: SourceSegs>(list: &L, at: &mut SegCursor, to: &mut [u8]) -> usize {
    let max = to.len();
    let to = to.as_mut_ptr();
    at.walk(list.segs(), max, |seg, offset, done, len| {
        // SAFETY: The list keeps the folio and the range is in it; `walk` stays within `max`.
        unsafe { bindings::memcpy_from_folio(to.add(done).cast(), seg.folio(), offset, len) };
        len
    })
}

/// Copies from a kernel buffer; returns the bytes copied, fewer than asked for only at the end of
/// the list.
pub(crate) fn copy_from_slice<L: DestSegs>(list: &mut L, from: &[u8]) -> usize {
    fill(list, from.len(), |seg, offset, done, len| {
        let Some(from) = from.get(done..done + len) else {
            return 0;
        };
        // SAFETY: The list keeps the folio, the range is in it and may be written to; `from` has
        // `len` bytes.
        unsafe { bindings::memcpy_to_folio(seg.folio(), offset, from.as_ptr().cast(), len) };
        len
    })
}

/// Copies at most `max` bytes to the memory that begins at an offset from a page; returns the bytes
/// copied, fewer than `max` only at the end of the list.
///
/// # Safety
///
/// The memory lies in one folio, which the caller holds.
pub(in crate::kapi) unsafe fn copy_to_page<L: SourceSegs>(
    list: &L,
    at: &mut SegCursor,
    max: usize,
    page: *mut bindings::page,
    page_offset: usize,
) -> usize {
    at.walk(list.segs(), max, |seg, offset, done, len| {
        // SAFETY: The list keeps the folio and the range is in it; the caller promises the other.
        unsafe { bindings::copy_folio_to_page(seg.folio(), offset, page, page_offset + done, len) };
        len
    })
}

/// Copies at most `max` bytes from the memory that begins at an offset from a page; returns the
/// bytes copied, fewer than `max` only at the end of the list.
///
/// # Safety
///
/// The memory lies in one folio, which the caller holds.
pub(in crate::kapi) unsafe fn copy_from_page<L: DestSegs>(
    list: &mut L,
    max: usize,
    page: *mut bindings::page,
    page_offset: usize,
) -> usize {
    fill(list, max, |seg, offset, done, len| {
        // SAFETY: The list keeps the folio, the range is in it and may be written to; the caller
        // promises the other.
        unsafe { bindings::copy_page_to_folio(page, page_offset + done, seg.folio(), offset, len) };
        len
    })
}

/// Calls `reference` with folio, offset and length of each piece of at most `max` bytes, until it
/// refuses; returns the bytes that were taken. Of the page cache only: a reference does not keep a
/// caller's pages as a pin does, and outlives its request.
pub(in crate::kapi) fn reference(
    list: &WriteFolios,
    at: &mut SegCursor,
    max: usize,
    mut reference: impl FnMut(&Folio, usize, usize) -> bool,
) -> usize {
    at.walk(list.segs(), max, |seg, offset, _, len| {
        // SAFETY: The list keeps the folio.
        let folio = unsafe { Folio::from_raw(seg.folio()) };
        if reference(folio, offset, len) {
            len
        } else {
            0
        }
    })
}

/// Zeroes from the cursor to the end of the list.
pub(crate) fn zero_rest<L: DestSegs>(list: &mut L) {
    fill(list, usize::MAX, |seg, offset, _, len| {
        // SAFETY: The list keeps the folio, the range is in it and may be written to.
        unsafe { bindings::folio_zero_range(seg.folio(), offset, len) };
        len
    });
}

/// Tells the architecture that the kernel has written to the folios (`flush_dcache_folio()`).
pub(crate) fn flush_dcache<L: DestSegs>(list: &L) {
    for seg in list.segs() {
        // SAFETY: The list keeps the folio.
        unsafe { bindings::flush_dcache_folio(seg.folio()) };
    }
}
