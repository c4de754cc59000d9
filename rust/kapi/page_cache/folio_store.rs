// SPDX-License-Identifier: GPL-2.0

//! A folio of the page cache that data is put into which came unasked.
//!
//! C counterpart: the loop of `fuse_notify_store()`; C headers:
//! [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h) (`filemap_grab_folio()`),
//! [`include/linux/iomap.h`](srctree/include/linux/iomap.h).
//!
//! Whoever brings the data may be the one for whose answer the folio is locked. So the lock is only
//! tried for; the wait for it is a matter of its own ([`Folio::wait_locked`]), in which nothing but
//! a reference to the folio is held.

use super::{
    folio::Folio,
    pagemap::page_index,
    segs::{
        DestSegs,
        ReplaceSegs,
        Seg,
        SegCursor,
        Segs, //
    },
};
use crate::{
    bindings,
    kapi::vfs::{
        inode::Inode,
        types::Types, //
    },
};
use core::{
    ptr::NonNull,
    slice, //
};
use kernel::{
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef, //
};

/// What a look for a folio has come to.
pub(crate) enum Grabbed {
    /// It is there, or was made, and is locked.
    Locked(FolioStore),
    /// Somebody else has its lock.
    Busy(ARef<Folio>),
}

/// A piece of a folio of the page cache, within one page, that is to be filled. Drop unlocks the
/// folio.
///
/// # Invariants
///
/// The folio is in the page cache of a file that uses iomap, or just left it; its lock and a
/// reference are ours. The piece lies in it. What lies before `filled` has been written to since it
/// was locked, or the folio took the place of another one.
pub(crate) struct FolioStore {
    seg: Seg,
    filled: SegCursor,
}

impl FolioStore {
    /// The piece at a position of a file, up to the end of its page and of at most `max` bytes. May
    /// sleep for memory, but not for the lock.
    ///
    /// # Errors
    ///
    /// ENOMEM, or what else hinders a folio from being added.
    pub(crate) fn grab<T: Types>(inode: &Inode<T>, pos: i64, max: usize) -> Result<Grabbed> {
        // SAFETY: The inode is live; `i_mapping` does not change once it is set up.
        let mapping = unsafe { (*inode.as_ptr()).i_mapping };
        loop {
            // SAFETY: The inode is live, hence its mapping.
            let folio = unsafe { bindings::filemap_grab_unlocked(mapping, page_index(pos)) };
            let folio = from_err_ptr(folio)?;
            let folio = NonNull::new(folio.cast::<Folio>()).ok_or(ENOMEM)?;
            // SAFETY: The function returned a reference, which we take over.
            let folio = unsafe { ARef::from_raw(folio) };
            // SAFETY: There is a reference to the folio.
            if !unsafe { bindings::folio_trylock(folio.as_ptr()) } {
                return Ok(Grabbed::Busy(folio));
            }
            let (offset, size) = (folio.offset_of(pos), folio.size());
            let in_page = PAGE_SIZE - offset % PAGE_SIZE;
            let len = in_page.min(size.saturating_sub(offset)).min(max);
            let ptr = NonNull::from(&*folio).cast();
            core::mem::forget(folio);
            // INVARIANT: Locked above, and the reference is no longer that of `folio`.
            let store = Self {
                // SAFETY: The piece is in the folio, to which `Self` keeps a reference; it is no
                // longer than a page, and a folio is smaller than 4 GiB.
                seg: unsafe { Seg::new(ptr, offset as u32, len as u32) },
                filled: SegCursor::default(),
            };
            // SAFETY: The folio is locked.
            if unsafe { bindings::folio_mapping_locked(store.seg.folio()) } == mapping {
                return Ok(Grabbed::Locked(store));
            }
            // It was truncated meanwhile.
        }
    }

    /// Bytes of the piece.
    pub(crate) fn len(&self) -> usize {
        self.seg.len()
    }

    /// Bytes that have been filled.
    pub(crate) fn filled(&self) -> usize {
        let left = self.filled.left(slice::from_ref(&self.seg));
        self.seg.len().saturating_sub(left)
    }

    /// What has been filled, as far as `to` has room; returns how much.
    pub(crate) fn copy_back(&self, to: &mut [u8]) -> usize {
        let len = self.filled().min(to.len());
        // SAFETY: By the type's invariant the range is in the folio and has been written.
        unsafe {
            bindings::memcpy_from_folio(
                to.as_mut_ptr().cast(),
                self.seg.folio(),
                self.seg.offset(),
                len,
            )
        };
        len
    }

    /// It has got all that there is for it: `last`, also for what lies behind, which then is beyond
    /// the end of the file, and zeroed. A folio of which everything is known now becomes valid.
    pub(crate) fn finish(self, last: bool) {
        let folio = self.seg.folio();
        // SAFETY: By the type's invariant.
        let (size, uptodate) = unsafe {
            (
                bindings::folio_size(folio),
                bindings::folio_test_uptodate(folio),
            )
        };
        let len = self.seg.len();
        if uptodate || self.filled() < len || self.seg.offset() != 0 || !(last || len == size) {
            return;
        }
        // SAFETY: The folio is locked, not up to date, and written from its beginning to `len`,
        // which is within it; its file uses iomap.
        unsafe {
            bindings::folio_zero_range(folio, len, size - len);
            bindings::iomap_folio_mark_uptodate(folio);
        }
    }
}

impl Drop for FolioStore {
    fn drop(&mut self) {
        let folio = self.seg.folio();
        // SAFETY: By the type's invariant, lock and reference are ours.
        unsafe {
            bindings::flush_dcache_folio(folio);
            bindings::folio_unlock(folio);
            bindings::folio_put(folio);
        }
    }
}

// SAFETY: By the type's invariant there is a reference to the folio.
unsafe impl Segs for FolioStore {
    fn segs(&self) -> &[Seg] {
        slice::from_ref(&self.seg)
    }
}

// SAFETY: A locked folio of the page cache may be written to; those who have mapped it see it
// change, as with every write to a file.
unsafe impl DestSegs for FolioStore {
    unsafe fn to_fill(&mut self) -> (&[Seg], &mut SegCursor) {
        (slice::from_ref(&self.seg), &mut self.filled)
    }
}

// SAFETY: Lock and reference of the new folio take the place of those of the old one.
unsafe impl ReplaceSegs for FolioStore {
    fn is_replaceable(&self, max: usize) -> bool {
        if self.filled.fresh() != Some(0) {
            return false;
        }
        // SAFETY: By the type's invariant; the folio is locked.
        unsafe { self.seg.is_whole_page(max) && bindings::folio_is_fresh(self.seg.folio()) }
    }

    fn left_of_piece(&self) -> usize {
        self.filled.left(slice::from_ref(&self.seg))
    }

    unsafe fn replace(&mut self, new: NonNull<bindings::folio>) -> bool {
        if !self.is_replaceable(PAGE_SIZE) {
            return false;
        }
        // INVARIANT: The new folio is in the page cache, and has what the piece was to have.
        // SAFETY: The old folio is one page of the page cache, whose lock and reference are ours.
        // The caller promises the rest.
        let replaced = unsafe { self.seg.replace(new) };
        if replaced {
            self.filled.skip();
        }
        replaced
    }
}
