// SPDX-License-Identifier: GPL-2.0

//! Pieces of folios, and lists of them that are copied to or from, front to back.
//!
//! C counterpart: `fuse_args_pages::descs`. What a list is for, and what keeps its folios, is its
//! own matter. Takes no lock.

use crate::bindings;
use core::ptr::NonNull;
use kernel::page::PAGE_SIZE;

/// A piece of a folio. It owns nothing: the list that it is in does, so that it cannot be copied,
/// and is only seen for as long as that is borrowed.
pub(crate) struct Seg {
    pub(super) folio: NonNull<bindings::folio>,
    pub(super) offset: u32,
    pub(super) len: u32,
}

// SAFETY: A pointer to a folio, which may be used from any thread.
unsafe impl Send for Seg {}
// SAFETY: As above.
unsafe impl Sync for Seg {}

impl Seg {
    /// # Safety
    ///
    /// The range lies within the folio, and the list that the piece is put into keeps the folio.
    pub(in crate::kapi) unsafe fn new(
        folio: NonNull<bindings::folio>,
        offset: u32,
        len: u32,
    ) -> Self {
        Self { folio, offset, len }
    }

    pub(in crate::kapi) fn folio(&self) -> *mut bindings::folio {
        self.folio.as_ptr()
    }

    pub(in crate::kapi) fn offset(&self) -> usize {
        self.offset as usize
    }

    /// Bytes of it.
    pub(in crate::kapi) fn len(&self) -> usize {
        self.len as usize
    }

    /// Adds the `bytes` that follow in the same folio.
    pub(in crate::kapi) fn grow(&mut self, bytes: usize) {
        // A folio is smaller than 4 GiB.
        self.len += bytes as u32;
    }
}

/// A place in a list of pieces: how far copying has got.
#[derive(Default)]
pub(crate) struct SegCursor {
    /// The piece.
    index: u32,
    /// Bytes of it that are done.
    done: u32,
}

impl SegCursor {
    /// Calls `copy` with piece, offset in the folio, offset in the transfer and length, until `max`
    /// bytes are done, the list is at its end, or `copy` does less than it was asked to. Returns
    /// the bytes done.
    pub(super) fn walk(
        &mut self,
        segs: &[Seg],
        max: usize,
        mut copy: impl FnMut(&Seg, usize, usize, usize) -> usize,
    ) -> usize {
        let mut total = 0;
        while let Some(seg) = segs.get(self.index as usize) {
            let len = self.left_of(seg).min(max - total);
            if len > 0 {
                let n = copy(seg, seg.offset() + self.done as usize, total, len).min(len);
                // Not more than the piece is long.
                self.done += n as u32;
                total += n;
                if n < len {
                    break;
                }
            }
            if self.done < seg.len {
                break;
            }
            self.index += 1;
            self.done = 0;
        }
        total
    }

    /// Bytes of a piece that are not done, if it is the one at the cursor.
    fn left_of(&self, seg: &Seg) -> usize {
        seg.len.saturating_sub(self.done) as usize
    }

    /// Bytes of the piece at the cursor that are not done.
    pub(super) fn left(&self, segs: &[Seg]) -> usize {
        segs.get(self.index as usize)
            .map_or(0, |seg| self.left_of(seg))
    }

    /// The piece at the cursor, if nothing of it is done.
    pub(super) fn fresh(&self) -> Option<usize> {
        (self.done == 0).then_some(self.index as usize)
    }

    /// Goes on to the next piece.
    pub(super) fn skip(&mut self) {
        self.index += 1;
        self.done = 0;
    }

    /// Whether all pieces are done.
    pub(super) fn is_at_end(&self, segs: &[Seg]) -> bool {
        self.index as usize >= segs.len()
    }
}

/// A list of pieces of folios, in their order.
///
/// # Safety
///
/// As long as the list is borrowed, each piece lies in its folio, to which there is a reference or
/// a pin.
pub(crate) unsafe trait Segs {
    /// The pieces.
    fn segs(&self) -> &[Seg];
}

/// Pieces that are copied from.
///
/// # Safety
///
/// Their memory has been written before, so that there is nothing in it that is nobody's to see.
pub(crate) unsafe trait SourceSegs: Segs {}

/// Pieces that are copied to.
///
/// # Safety
///
/// Their memory may be written to: it belongs to the one who fills it, or is pinned for writing.
pub(crate) unsafe trait DestSegs: Segs {
    /// The pieces, and how far they have been filled.
    ///
    /// # Safety
    ///
    /// The place moves as [`SegCursor::walk`] moves it, past what has been written to.
    unsafe fn to_fill(&mut self) -> (&[Seg], &mut SegCursor);
}

/// Pieces in whose place other folios may be put into the page cache.
///
/// # Safety
///
/// [`replace`](Self::replace) does what it says.
pub(crate) unsafe trait ReplaceSegs: DestSegs {
    /// Whether the next piece to be filled may be replaced by another folio: a whole page, of at
    /// most `max` bytes.
    fn is_replaceable(&self, max: usize) -> bool;

    /// Bytes left of the piece that is being filled.
    fn left_of_piece(&self) -> usize;

    /// Puts a folio into the page cache in place of the next piece to be filled, whole
    /// (`replace_page_cache_folio()`); the list has a reference of its own to it then, and its
    /// lock. False if nothing was done. Does not sleep.
    ///
    /// # Safety
    ///
    /// The caller holds lock and reference of `new`, a page of its own in no mapping that has what
    /// the piece is to have, and hands the lock over. It puts the folio on the LRU where it is not.
    unsafe fn replace(&mut self, new: NonNull<bindings::folio>) -> bool;
}

impl Seg {
    /// Whether it is a page, whole, and of at most `max` bytes.
    ///
    /// # Safety
    ///
    /// The folio is live.
    pub(super) unsafe fn is_whole_page(&self, max: usize) -> bool {
        // SAFETY: By the contract above.
        let size = unsafe { bindings::folio_size(self.folio()) };
        max >= PAGE_SIZE && size == PAGE_SIZE && self.offset == 0 && self.len() == PAGE_SIZE
    }

    /// Puts a folio into the page cache in place of this one's (`replace_page_cache_folio()`), and
    /// into the piece, with a reference and the lock; those of the old one end. False if nothing
    /// was done, as the folio is not fresh.
    ///
    /// # Safety
    ///
    /// The old folio is one page of the page cache, locked; lock and a reference are the caller's.
    /// For the new one see [`ReplaceSegs::replace`].
    pub(super) unsafe fn replace(&mut self, new: NonNull<bindings::folio>) -> bool {
        let old = self.folio();
        // SAFETY: The caller has lock and reference of the old folio, in the page cache, and
        // promises the same of the new one, but that it is in no mapping. Both are one page.
        unsafe {
            if !bindings::folio_is_fresh(old) {
                return false;
            }
            bindings::replace_page_cache_folio(old, new.as_ptr());
            bindings::folio_get(new.as_ptr());
        }
        self.folio = new;
        // SAFETY: The old folio has left the page cache: its lock and the reference end here.
        unsafe {
            bindings::folio_unlock(old);
            bindings::folio_put(old);
        }
        true
    }
}
