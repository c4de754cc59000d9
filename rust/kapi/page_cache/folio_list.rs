// SPDX-License-Identifier: GPL-2.0

//! Lists of pieces of folios that a request carries.
//!
//! C counterpart: `struct fuse_args_pages`; C headers:
//! [`include/linux/iomap.h`](srctree/include/linux/iomap.h) (`iomap_finish_folio_read()`),
//! [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h).
//!
//! What must happen to a folio is a type whose drop does it: a [`FolioRead`] ends a read into the
//! page cache. Memory is reached by copying only, as others may write to it at any time.

use super::{
    folio::{
        Folio,
        WrittenFolio, //
    },
    pagemap::page_index,
    segs::{
        DestSegs,
        ReplaceSegs,
        Seg,
        SegCursor,
        Segs,
        SourceSegs, //
    },
};
use crate::{
    bindings,
    kapi::{
        sync::wait::Signals,
        vfs::{
            inode::Inode,
            types::Types, //
        },
    },
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    alloc::Flags,
    page::PAGE_SIZE,
    prelude::*, //
};

/// A range of a folio of the page cache that has to be read, the folio being locked. Drop ends the
/// read with EIO; afterwards the folio may be unlocked, and waiters may find it not up to date.
///
/// # Invariants
///
/// iomap has handed out the range, and counts on one call of `iomap_finish_folio_read()` for it.
/// We own a reference to the folio.
pub(crate) struct FolioRead {
    seg: Seg,
    _unshared: PhantomData<*mut ()>,
}

// SAFETY: A read may be ended by any thread.
unsafe impl Send for FolioRead {}

impl FolioRead {
    /// # Safety
    ///
    /// iomap asks for the range to be read and counts on `iomap_finish_folio_read()`; the caller
    /// hands a reference to the folio over.
    pub(in crate::kapi) unsafe fn new(
        folio: NonNull<bindings::folio>,
        offset: u32,
        len: u32,
    ) -> Self {
        Self {
            // SAFETY: The range is in the folio, and `Self` keeps a reference.
            seg: unsafe { Seg::new(folio, offset, len) },
            _unshared: PhantomData,
        }
    }

    /// The position of the range in the file.
    pub(crate) fn pos(&self) -> i64 {
        // SAFETY: The folio is locked, so it stays where it is.
        unsafe { bindings::folio_pos(self.seg.folio()) }.wrapping_add(i64::from(self.seg.offset))
    }

    /// Bytes to be read.
    pub(crate) fn len(&self) -> usize {
        self.seg.len()
    }

    /// Ends the read with an error, of which those are told who watch the filesystem for errors.
    pub(crate) fn fail(self, error: Error) {
        let me = ManuallyDrop::new(self);
        // SAFETY: By the type's invariant; the drop does not run.
        unsafe { finish_read(&me.seg, error.to_errno()) };
    }
}

impl Drop for FolioRead {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { finish_read(&self.seg, EIO.to_errno()) };
    }
}

/// # Safety
///
/// As for the invariants of [`FolioRead`], which this uses up.
unsafe fn finish_read(seg: &Seg, error: i32) {
    // SAFETY: By the caller's promise; callable in any context that may not be interrupted.
    unsafe { bindings::iomap_finish_folio_read(seg.folio(), seg.offset(), seg.len(), error) };
    // SAFETY: The reference of the `FolioRead`.
    unsafe { bindings::folio_put(seg.folio()) };
}

/// Consecutive ranges of the page cache that one READ fills. Drop ends all the reads with EIO.
///
/// # Invariants
///
/// Each piece is a [`FolioRead`] that was taken apart. What lies before `filled` has been written
/// to, or is a folio that took the place of the piece.
pub(crate) struct ReadFolios {
    segs: KVec<Seg>,
    /// Fewer than 4 GiB: no request has more than 65,535 pages.
    bytes: u32,
    filled: SegCursor,
    replaceable: bool,
}

impl ReadFolios {
    /// An empty list with room for `pieces`.
    pub(crate) fn with_capacity(pieces: usize) -> Result<Self> {
        Ok(Self {
            segs: KVec::with_capacity(pieces, GFP_KERNEL)?,
            bytes: 0,
            filled: SegCursor::default(),
            replaceable: false,
        })
    }

    /// Lets other folios take the place of these in the page cache (C: `fuse_args::page_replace`).
    /// That is for readahead: who has asked for one folio looks at that one, and would find it not
    /// read.
    pub(crate) fn set_replaceable(&mut self) {
        self.replaceable = true;
    }

    /// The next piece to be filled, if it may be replaced by another folio: a whole page of at most
    /// `max` bytes.
    fn replaceable(&self, max: usize) -> Option<usize> {
        let whole = |index: &usize| {
            // SAFETY: By the type's invariant the folio is live.
            (self.segs.get(*index)).is_some_and(|seg| unsafe { seg.is_whole_page(max) })
        };
        if !self.replaceable {
            return None;
        }
        self.filled.fresh().filter(whole)
    }

    /// Appends a range; gives it back where there is no room.
    pub(crate) fn push(&mut self, read: FolioRead) -> Result<(), FolioRead> {
        let len = read.seg.len;
        if self.segs.push_within_capacity(Seg { ..read.seg }).is_err() {
            return Err(read);
        }
        // INVARIANT: Taken apart without the drop.
        core::mem::forget(read);
        self.bytes = self.bytes.saturating_add(len);
        Ok(())
    }

    /// Ranges in it.
    pub(crate) fn count(&self) -> usize {
        self.segs.len()
    }

    /// The position in the file where it starts; `None` for an empty list.
    pub(crate) fn pos(&self) -> Option<i64> {
        self.segs.first().map(|seg| {
            // SAFETY: The folio is locked until the read ends, so it stays where it is.
            unsafe { bindings::folio_pos(seg.folio()) }.wrapping_add(i64::from(seg.offset))
        })
    }

    /// Bytes to be read.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Ends all the reads, with EIO if they have not all been filled, with what the daemon has sent
    /// or zeroes: readers would find there what was in the memory before.
    pub(crate) fn finish(mut self, result: Result) {
        self.end(match result {
            Ok(()) if self.filled.is_at_end(&self.segs) => 0,
            Ok(()) => EIO.to_errno(),
            Err(error) => error.to_errno(),
        });
    }

    fn end(&mut self, error: i32) {
        for seg in &self.segs {
            // SAFETY: By the type's invariant; the list is emptied below.
            unsafe { finish_read(seg, error) };
        }
        self.segs.clear();
    }
}

impl Drop for ReadFolios {
    #[inline(never)]
    fn drop(&mut self) {
        self.end(EIO.to_errno());
    }
}

/// Consecutive ranges of the page cache that one message takes to the daemon, referenced; of WRITE
/// the last folio may be locked. Drop unlocks and puts.
///
/// # Invariants
///
/// Each piece lies in its folio and has been written: it comes from a [`WrittenFolio`], or the
/// folio is up to date. We own a reference to the folio, and if `locked`, the lock of the last one.
pub(crate) struct WriteFolios {
    segs: KVec<Seg>,
    bytes: usize,
    locked: bool,
}

impl WriteFolios {
    /// An empty list with room for `pieces`, whose memory is got with these flags.
    pub(crate) fn with_capacity(pieces: usize, flags: Flags) -> Result<Self> {
        Ok(Self {
            segs: KVec::with_capacity(pieces, flags)?,
            bytes: 0,
            locked: false,
        })
    }

    /// Appends what the page cache has at a position of a file, at most `max` bytes, all of one
    /// folio; returns how many. 0 if that folio is not there, or not up to date. Does not wait for
    /// its lock.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no room, `EINVAL` behind a folio that is locked.
    pub(crate) fn push_cached<T: Types>(
        &mut self,
        inode: &Inode<T>,
        pos: i64,
        max: usize,
    ) -> Result<usize> {
        if self.locked {
            return Err(EINVAL);
        }
        let Some(folio) = Folio::cached(inode, page_index(pos)) else {
            return Ok(0);
        };
        if !folio.is_uptodate() {
            return Ok(0);
        }
        let offset = folio.offset_of(pos);
        let len = folio.size().saturating_sub(offset).min(max);
        // SAFETY: The range is in the folio, whose reference becomes the list's. A folio is smaller
        // than 4 GiB.
        let seg = unsafe { Seg::new(NonNull::from(&*folio).cast(), offset as u32, len as u32) };
        self.segs.push_within_capacity(seg).map_err(|_| ENOMEM)?;
        // INVARIANT: The reference is the list's now. What is up to date has been written.
        core::mem::forget(folio);
        self.bytes = self.bytes.saturating_add(len);
        Ok(len)
    }

    /// Appends what was written of a folio, which is unlocked if all of it is valid. If not, it
    /// stays locked until the list is dropped, so that nobody reads the rest of it, and is the last
    /// one: false.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no room, `EINVAL` behind the last one.
    pub(crate) fn push(&mut self, written: WrittenFolio) -> Result<bool> {
        let (folio, offset, len) = written.into_parts();
        if self.locked {
            return Err(EINVAL);
        }
        // SAFETY: The range is in the folio, whose reference becomes the list's. A folio is smaller
        // than 4 GiB.
        let seg = unsafe {
            Seg::new(
                NonNull::from(folio.folio()).cast(),
                offset as u32,
                len as u32,
            )
        };
        self.segs.push_within_capacity(seg).map_err(|_| ENOMEM)?;
        self.bytes = self.bytes.saturating_add(len);
        let uptodate = folio.folio().is_uptodate();
        // INVARIANT: The reference, and the lock if it is not unlocked, are the list's now.
        if uptodate {
            core::mem::forget(folio.unlock());
        } else {
            core::mem::forget(folio);
            self.locked = true;
        }
        Ok(uptodate)
    }

    /// Ranges in it.
    pub(crate) fn count(&self) -> usize {
        self.segs.len()
    }

    /// Bytes to be written.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Waits until none of the folios is being written back; `EINTR` if killed, unless `signals` is
    /// [`Signals::None`].
    pub(crate) fn wait_writeback(&self, signals: Signals) -> Result {
        for seg in &self.segs {
            // SAFETY: By the type's invariant the folio is live.
            unsafe { Folio::from_raw(seg.folio()) }.wait_writeback(signals)?;
        }
        Ok(())
    }
}

impl Drop for WriteFolios {
    #[inline(never)]
    fn drop(&mut self) {
        if let (true, Some(last)) = (self.locked, self.segs.last()) {
            // SAFETY: By the type's invariant we hold the lock.
            unsafe { bindings::folio_unlock(last.folio()) };
        }
        for seg in &self.segs {
            // SAFETY: By the type's invariant we own a reference.
            unsafe { bindings::folio_put(seg.folio()) };
        }
    }
}

// SAFETY: By the type's invariant there is a reference to the folio of each piece.
unsafe impl Segs for ReadFolios {
    fn segs(&self) -> &[Seg] {
        &self.segs
    }
}

// SAFETY: The folios are locked and not up to date until the read ends: nobody else looks at, or
// writes to, these parts of them.
unsafe impl DestSegs for ReadFolios {
    unsafe fn to_fill(&mut self) -> (&[Seg], &mut SegCursor) {
        (&self.segs, &mut self.filled)
    }
}

// SAFETY: A reference to the new folio takes the place of that to the old one.
unsafe impl ReplaceSegs for ReadFolios {
    fn is_replaceable(&self, max: usize) -> bool {
        self.replaceable(max).is_some()
    }

    fn left_of_piece(&self) -> usize {
        self.filled.left(&self.segs)
    }

    unsafe fn replace(&mut self, new: NonNull<bindings::folio>) -> bool {
        let index = self.replaceable(PAGE_SIZE);
        let Some(seg) = index.and_then(|index| self.segs.get_mut(index)) else {
            return false;
        };
        // INVARIANT: The read that is to be finished is that of the new folio now: iomap does not
        // look again at a folio that it has handed out as a whole, nor keeps anything about one of
        // one page.
        // SAFETY: By the type's invariant we have a reference to the old folio, and it is locked,
        // in the page cache, until its read ends. The caller promises the rest.
        let replaced = unsafe { seg.replace(new) };
        if replaced {
            self.filled.skip();
        }
        replaced
    }
}

// SAFETY: By the type's invariant there is a reference to the folio of each piece.
unsafe impl Segs for WriteFolios {
    fn segs(&self) -> &[Seg] {
        &self.segs
    }
}

// SAFETY: By the type's invariant.
unsafe impl SourceSegs for WriteFolios {}
