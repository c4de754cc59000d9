// SPDX-License-Identifier: GPL-2.0

//! Taking folios out of the page cache, by callers who may be killed meanwhile.
//!
//! C counterpart: [`mm/truncate.c`](srctree/mm/truncate.c), whose functions wait for the locks of
//! folios uninterruptibly. A folio that is being read stays locked until the daemon has answered,
//! so that nobody who waits for it could be killed.
//!
//! All functions here may sleep. They take folio locks, `i_mmap_rwsem`, the lock of the mapping.
//! With [`Waits::Always`] they are the functions of C. Otherwise what nobody has locked goes as
//! well as it would have, and the folios that were not waited for stay.
//!
//! C rules encoded here:
//!
//! - A folio that is locked, has a reference and is in the mapping stays there until it is
//!   unlocked, and nobody maps it meanwhile: faults take its lock, or leave out what is locked.
//! - `generic_error_remove_folio()` drops a locked folio, unmapping it, and what is dirty of it is
//!   lost. So whoever may not lose it unmaps first and then looks: a page that is unmapped hands
//!   its dirty bit to the folio. It is for regular files only; what directories and symbolic links
//!   have in the page cache, C's own function drops, once nobody is waited for.

use crate::{
    bindings,
    kapi::{
        task::sched::cond_resched,
        vfs::{
            inode::Inode,
            types::Types, //
        },
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*, //
};

/// Whether to wait for the lock of a folio that is in the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Whatever happens.
    Always,
    /// Until a fatal signal.
    Killably,
    /// Nobody.
    Never,
}

/// The last page that a mapping can have.
const LAST: usize = usize::MAX;

/// `invalidate_inode_pages2()`: unmaps and drops all clean page cache.
///
/// # Errors
///
/// As [`invalidate_inode_pages2_range`].
pub(crate) fn invalidate_inode_pages2<T: Types>(inode: &Inode<T>, waits: Waits) -> Result {
    invalidate_inode_pages2_range(inode, 0, LAST, waits)
}

/// `invalidate_inode_pages2_range()`: unmaps and drops the clean folios of the pages from `first`
/// to `last` (included). Of what is no regular file none is dirty.
///
/// # Errors
///
/// EINTR if killed, EAGAIN where it does not wait: some folios that others had locked are still
/// there. Otherwise EBUSY, or the error of writing it, if there is one that is dirty and stays so.
pub(crate) fn invalidate_inode_pages2_range<T: Types>(
    inode: &Inode<T>,
    first: usize,
    last: usize,
    waits: Waits,
) -> Result {
    let mut walk = Walk::new(inode, waits);
    if walk.is_empty() {
        return Ok(());
    }
    if waits == Waits::Always {
        return walk.invalidate_all(first, last);
    }
    if !inode.is_reg() {
        walk.await_locked(first, last);
        walk.result()?;
        return walk.invalidate_all(first, last);
    }

    let mut result = Ok(());
    let mut unmapped = false;
    walk.each(first, last, |walk, folio| {
        if !unmapped && folio.is_mapped() {
            // The rest at once.
            let rest = last.wrapping_sub(folio.index()).wrapping_add(1);
            walk.unmap(folio.index(), rest, false);
            unmapped = true;
        }
        if let Some(locked) = walk.lock(folio) {
            if let Err(e) = locked.invalidate() {
                result = Err(e);
            }
        }
        true
    });
    walk.drop_shadows(first, last);
    walk.result().and(result)
}

/// `truncate_pagecache()`: unmaps and drops the page cache of a regular file beyond `size`, which
/// is its size already.
///
/// # Errors
///
/// EINTR if killed, EAGAIN where it does not wait. Somebody must do it again then: what others had
/// locked is still there, and should the file grow, it would come to light.
pub(crate) fn truncate_pagecache<T: Types>(inode: &Inode<T>, size: i64, waits: Waits) -> Result {
    if waits == Waits::Always {
        // SAFETY: The inode is live.
        unsafe { bindings::truncate_pagecache(inode.as_ptr(), size) };
        return Ok(());
    }
    let mut walk = Walk::new(inode, waits);
    let hole = first_page_after(size);
    walk.unmap(hole, 0, true);
    walk.truncate(size, None);
    // Those who write to private copies may have made some since.
    walk.unmap(hole, 0, true);
    walk.result()
}

/// `truncate_pagecache_range()`: unmaps and drops the page cache of a regular file from `start` to
/// `end`, included.
///
/// # Errors
///
/// EINTR, EAGAIN, as [`truncate_pagecache`].
pub(crate) fn truncate_pagecache_range<T: Types>(
    inode: &Inode<T>,
    start: i64,
    end: i64,
    waits: Waits,
) -> Result {
    if waits == Waits::Always {
        // SAFETY: The inode is live.
        unsafe { bindings::truncate_pagecache_range(inode.as_ptr(), start, end) };
        return Ok(());
    }
    let mut walk = Walk::new(inode, waits);
    let (hole, after) = (first_page_after(start), page_of(end.saturating_add(1)));
    if after > hole {
        walk.unmap(hole, after - hole, false);
    }
    walk.truncate(start, Some(end));
    walk.result()
}

/// As [`invalidate_inode_pages2_range`], but ends before the first folio that it would have to wait
/// for. Says where, to go on from there.
pub(crate) fn invalidate_until_locked<T: Types>(
    inode: &Inode<T>,
    first: usize,
    last: usize,
) -> Option<usize> {
    let mut walk = Walk::new(inode, Waits::Never);
    if !inode.is_reg() {
        let stopped_at = walk.await_locked(first, last);
        if stopped_at.is_none() {
            // What cannot be dropped is in use, and stays.
            let _ = walk.invalidate_all(first, last);
        }
        return stopped_at;
    }
    let mut stopped_at = None;
    walk.each(first, last, |walk, folio| {
        if stopped_at.is_none() {
            match walk.lock(folio) {
                // What cannot be dropped is in use, and stays.
                Some(locked) => drop(locked.invalidate()),
                None if walk.stopped.is_some() => stopped_at = Some(folio.index()),
                None => {}
            }
        }
        stopped_at.is_none()
    });
    stopped_at
}

/// The page that a position is in. Positions are not negative.
fn page_of(pos: i64) -> usize {
    (pos.max(0) as u64 >> PAGE_SHIFT) as usize
}

/// The first page of which no byte is before a position.
fn first_page_after(pos: i64) -> usize {
    (pos.max(0) as u64).div_ceil(PAGE_SIZE as u64) as usize
}

/// A way through the folios of a mapping.
struct Walk<'a> {
    mapping: *mut bindings::address_space,
    waits: Waits,
    /// Leaves what would have to be waited for to another way through.
    first: bool,
    /// Why some folios stay.
    stopped: Option<Error>,
    _inode: PhantomData<&'a ()>,
}

impl<'a> Walk<'a> {
    fn new<T: Types>(inode: &'a Inode<T>, waits: Waits) -> Self {
        Self {
            // SAFETY: The inode is live; `i_mapping` does not change once it is set up.
            mapping: unsafe { (*inode.as_ptr()).i_mapping },
            waits,
            first: false,
            stopped: None,
            _inode: PhantomData,
        }
    }

    fn result(&self) -> Result {
        self.stopped.map_or(Ok(()), Err)
    }

    /// Whether there is nothing in it, nor was.
    fn is_empty(&self) -> bool {
        // SAFETY: The inode is live, hence its mapping.
        unsafe { bindings::mapping_empty(self.mapping) }
    }

    /// Drops what the mapping remembers of folios that were reclaimed. Those that are idle go as
    /// well.
    fn drop_shadows(&self, first: usize, last: usize) {
        if !self.is_empty() {
            // SAFETY: The inode is live, hence its mapping.
            unsafe { bindings::invalidate_mapping_pages(self.mapping, first, last) };
        }
    }

    /// Drops the clean folios, with C's function.
    fn invalidate_all(&self, first: usize, last: usize) -> Result {
        // SAFETY: The inode is live, hence its mapping.
        to_result(unsafe { bindings::invalidate_inode_pages2_range(self.mapping, first, last) })
    }

    /// Waits for those who have folios locked, as far as it waits; else says which is the first
    /// one. What is dropped by C's function after that is of directories and symbolic links: the
    /// folio of a link is locked while it is read, that of a directory for moments.
    fn await_locked(&mut self, first: usize, last: usize) -> Option<usize> {
        let mut stopped_at = None;
        self.each(first, last, |walk, folio| {
            if walk.lock(folio).is_none() && walk.stopped.is_some() {
                stopped_at = Some(folio.index());
            }
            stopped_at.is_none()
        });
        stopped_at
    }

    /// Unmaps `nr` pages from everybody, all the rest if 0.
    fn unmap(&self, first: usize, nr: usize, even_cows: bool) {
        // SAFETY: The inode is live, hence its mapping.
        unsafe { bindings::unmap_mapping_pages(self.mapping, first, nr, even_cows) };
    }

    /// Shows `f` the folios that have pages from `first` to `last` (included), in order, until it
    /// says false.
    fn each(&mut self, first: usize, last: usize, mut f: impl FnMut(&mut Self, Found<'_>) -> bool) {
        let mut batch = Batch(bindings::folio_batch::default());
        let mut index = first;
        loop {
            // SAFETY: The inode is live, hence its mapping; the batch is empty.
            let found = unsafe {
                bindings::filemap_get_folios(self.mapping, &mut index, last, &mut batch.0)
            };
            if found == 0 {
                return;
            }
            for &folio in batch.0.folios.iter().take(found as usize) {
                // SAFETY: The batch has so many folios, none of them null, and a reference to each.
                let folio = Found(unsafe { NonNull::new_unchecked(folio) }, PhantomData);
                if !f(self, folio) {
                    return;
                }
            }
            batch.release();
            cond_resched();
        }
    }

    /// Locks a folio that is still in the mapping and is not being written back. None for one that
    /// is not, or that would have to be waited for by one who does not wait.
    fn lock<'f>(&mut self, folio: Found<'f>) -> Option<Locked<'f>> {
        // SAFETY: There is a reference to the folio.
        if !unsafe { bindings::folio_trylock(folio.as_ptr()) } {
            self.may_wait()?;
            // SAFETY: As above. We hold no other folio's lock.
            self.waited(unsafe { bindings::folio_lock_killable(folio.as_ptr()) })?;
        }
        let locked = Locked(folio);
        if locked.mapping() != self.mapping {
            return None;
        }
        // SAFETY: There is a reference to the folio.
        if unsafe { bindings::folio_test_writeback(folio.as_ptr()) } {
            self.may_wait()?;
            // SAFETY: As above.
            self.waited(unsafe { bindings::folio_wait_writeback_killable(folio.as_ptr()) })?;
        }
        Some(locked)
    }

    /// Before a wait.
    fn may_wait(&mut self) -> Option<()> {
        if self.first || self.stopped.is_some() {
            return None;
        }
        if self.waits == Waits::Never {
            self.stopped = Some(EAGAIN);
            return None;
        }
        Some(())
    }

    /// After a wait: a task that was killed waits no more.
    fn waited(&mut self, err: i32) -> Option<()> {
        if err != 0 {
            self.stopped = Some(EINTR);
            return None;
        }
        Some(())
    }

    /// Drops what lies in a range of bytes, to the end of all without `end`: as in C, first all
    /// that can be had without waiting, then what is at the edges, then the rest.
    fn truncate(&mut self, start: i64, end: Option<i64>) {
        if self.is_empty() {
            return;
        }
        let first = first_page_after(start);
        // `None` if there is no whole page.
        let last = match end {
            None => Some(LAST),
            Some(end) => page_of(end.saturating_add(1)).checked_sub(1),
        };
        let whole = last.filter(|&last| first <= last);

        self.first = true;
        if let Some(last) = whole {
            self.drop_whole(first, last);
        }
        self.first = false;
        let edge = page_of(start);
        self.truncate_page(edge, start, end);
        if let Some(other) = end.map(page_of).filter(|&page| page != edge) {
            self.truncate_page(other, start, end);
        }
        if let Some(last) = whole {
            // Others may put in what has been passed already.
            while self.drop_whole(first, last) && self.stopped.is_none() {}
            self.drop_shadows(first, last);
        }
    }

    /// Drops the folios that lie in the range as a whole; whether there were any.
    fn drop_whole(&mut self, first: usize, last: usize) -> bool {
        let mut any = false;
        self.each(first, last, |walk, folio| {
            if folio.index() >= first && folio.last() <= last {
                any |= walk
                    .lock(folio)
                    .is_none_or(|locked| locked.drop_folio().is_ok());
            }
            true
        });
        any
    }

    /// Drops or zeroes what lies in a range of bytes of the folio that has a page.
    fn truncate_page(&mut self, page: usize, start: i64, end: Option<i64>) {
        self.each(page, page, |walk, folio| {
            if let Some(locked) = walk.lock(folio) {
                locked.truncate(start, end);
            }
            true
        });
    }
}

/// Folios with a reference to each.
struct Batch(bindings::folio_batch);

impl Batch {
    fn release(&mut self) {
        // SAFETY: The batch has been filled by C, and is emptied.
        unsafe { bindings::folio_batch_release(&mut self.0) };
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.release();
    }
}

/// A folio that was found in a mapping.
///
/// # Invariants
///
/// There is a reference to it.
#[derive(Clone, Copy)]
struct Found<'f>(NonNull<bindings::folio>, PhantomData<&'f bindings::folio>);

impl Found<'_> {
    fn as_ptr(self) -> *mut bindings::folio {
        self.0.as_ptr()
    }

    /// Its first page in the mapping; also after it has left that.
    fn index(self) -> usize {
        // SAFETY: By the type's invariant.
        unsafe { bindings::folio_index(self.as_ptr()) }
    }

    fn nr_pages(self) -> usize {
        // SAFETY: By the type's invariant: a folio with a reference keeps its size.
        unsafe { bindings::folio_nr_pages(self.as_ptr()) }
    }

    /// Its last page.
    fn last(self) -> usize {
        self.index().saturating_add(self.nr_pages() - 1)
    }

    fn is_mapped(self) -> bool {
        // SAFETY: By the type's invariant.
        unsafe { bindings::folio_mapped(self.as_ptr()) }
    }

    fn is_dirty(self) -> bool {
        // SAFETY: By the type's invariant.
        unsafe { bindings::folio_test_dirty(self.as_ptr()) }
    }
}

/// A folio whose lock we hold. Drop unlocks.
///
/// # Invariants
///
/// We hold the lock.
struct Locked<'f>(Found<'f>);

impl Locked<'_> {
    fn mapping(&self) -> *mut bindings::address_space {
        // SAFETY: The folio is locked.
        unsafe { bindings::folio_mapping_locked(self.0.as_ptr()) }
    }

    /// Unmaps it and takes it out of its mapping, whatever it holds. Fails only where there are no
    /// files.
    fn drop_folio(&self) -> Result {
        // SAFETY: The folio is locked, has a reference, and is in this mapping, if in any: the one
        // of an inode that the walk keeps.
        to_result(unsafe { bindings::generic_error_remove_folio(self.mapping(), self.0.as_ptr()) })
    }

    /// The same, but not if it is dirty after it was written (`folio_unmap_invalidate()`). It is in
    /// the mapping, and not being written back.
    fn invalidate(&self) -> Result {
        let (folio, mapping) = (self.0, self.mapping());
        if folio.is_mapped() {
            // SAFETY: The folio is locked and in this mapping.
            unsafe {
                bindings::unmap_mapping_pages(mapping, folio.index(), folio.nr_pages(), false)
            };
        }
        if folio.is_dirty() {
            // SAFETY: The folio is locked and in a mapping. The operation may unlock it, but
            // returns it locked.
            to_result(unsafe { bindings::folio_launder(folio.as_ptr()) })?;
        }
        if self.mapping() != mapping {
            return Err(EBUSY);
        }
        // SAFETY: The folio is locked and in its mapping; we may sleep.
        if !unsafe { bindings::filemap_release_folio(folio.as_ptr(), bindings::GFP_KERNEL) }
            || folio.is_dirty()
        {
            return Err(EBUSY);
        }
        self.drop_folio()
    }

    /// Drops or zeroes the part of it that lies in a range of bytes
    /// (`truncate_inode_partial_folio()`, but large folios stay whole).
    fn truncate(&self, start: i64, end: Option<i64>) {
        let folio = self.0;
        // SAFETY: The folio has a reference, and is locked, so that it stays where it is.
        let (pos, size) = unsafe {
            (
                bindings::folio_pos(folio.as_ptr()),
                bindings::folio_size(folio.as_ptr()),
            )
        };
        let in_folio = |to: i64| to.saturating_sub(pos).clamp(0, size as i64) as usize;
        let from = in_folio(start);
        let to = end.map_or(size, |end| in_folio(end.saturating_add(1)));
        if from == 0 && to == size {
            // See above.
            let _ = self.drop_folio();
        } else if from < to {
            // SAFETY: The range lies within the folio, which is locked and in its mapping.
            unsafe { bindings::folio_zero_invalidate(folio.as_ptr(), from, to - from) };
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; the reference is still there.
        unsafe { bindings::folio_unlock(self.0.as_ptr()) };
    }
}
