// SPDX-License-Identifier: GPL-2.0

//! Copying between requests and the daemon's memory, or a pipe of the daemon's.
//!
//! C counterpart: `struct fuse_copy_state`, `fuse_copy_fill()`, `fuse_copy_do()`. C pins every page
//! of the daemon's with get_user_pages. Here copying goes straight through the iov_iter, with page
//! faults disabled; only where that comes up short is one page pinned, and the next few are faulted
//! in. With a pipe, what comes up short is the page at hand. Takes no lock; what is called `fill`
//! sleeps, the rest does not.

use crate::kapi::{
    io::{
        pipe_fs_i::PipeSource,
        splice::PipeSink, //
    },
    mm::{
        iov::{
            Dest,
            Direction,
            IovIter,
            Source, //
        },
        user_pages::UserPage, //
    },
    page_cache::{
        folio_copy,
        folio_list::WriteFolios,
        segs::{
            DestSegs,
            ReplaceSegs,
            SegCursor,
            SourceSegs, //
        },
    },
};
use kernel::prelude::*;
use zerocopy::IntoBytes;

/// Bytes to fault in beyond the pinned page, so that a large cold buffer does not cost a fault and
/// a pin per page.
const FAULT_AHEAD: usize = 16 * 4096;

/// Bytes copied at a time between a folio and the pinned page.
const BOUNCE: usize = 256;

/// The daemon's side of a copy, which takes messages.
pub(in crate::transport) trait CopyOut {
    /// Copies to the daemon as far as that goes without a fault; returns how much.
    fn put(&mut self, from: &[u8]) -> usize;

    /// Copies up to `max` bytes of folios to the daemon, as far as that goes without a fault;
    /// returns how much.
    fn put_segs<L: SourceSegs>(&mut self, list: &L, cursor: &mut SegCursor, max: usize) -> usize;

    /// As [`put_segs`](Self::put_segs), for folios of the page cache, which a pipe references: that
    /// lasts longer than the request, so it is not done to a caller's pages.
    fn put_folios(&mut self, list: &WriteFolios, cursor: &mut SegCursor, max: usize) -> usize {
        self.put_segs(list, cursor, max)
    }

    /// What the daemon's memory has room for from here on; 0 for a pipe.
    fn remaining(&self) -> usize {
        0
    }

    /// Makes the next copy get on: faults in and pins one page, and faults in the next few, as far
    /// as `needed` bytes reach: behind them may be memory that has nothing to do with the message
    /// and that nobody ever fills. To be called with nothing lent: sleeps, and may wait for the
    /// daemon itself.
    ///
    /// # Errors
    ///
    /// `EFAULT` and what else get_user_pages returns; those of [`PipeSink::add_page`].
    fn fill(&mut self, needed: usize) -> Result;

    /// Copies all of it to the daemon, of a message that is no request. Sleeps.
    ///
    /// # Errors
    ///
    /// As [`fill`](Self::fill).
    fn put_all(&mut self, from: &[u8]) -> Result {
        let mut rest = from;
        loop {
            let copied = self.put(rest);
            match rest.get(copied..) {
                None | Some([]) => return Ok(()),
                Some(left) => rest = left,
            }
            self.fill(rest.len())?;
        }
    }
}

/// The daemon's side of a copy, which has a reply.
pub(in crate::transport) trait CopyIn {
    /// Copies from the daemon as far as that goes without a fault; returns how much.
    fn get(&mut self, to: &mut [u8]) -> usize;

    /// The same, up to `max` bytes behind what a vector has, as far as it has the capacity.
    fn append_to(&mut self, to: &mut KVVec<u8>, max: usize) -> usize;

    /// Copies up to `max` bytes from the daemon to folios, as far as that goes without a fault;
    /// returns how much.
    fn get_segs<L: DestSegs>(&mut self, list: &mut L, max: usize) -> usize;

    /// As [`get_segs`](Self::get_segs), for folios of the page cache, which pages of a pipe may
    /// replace.
    fn get_folios<L: ReplaceSegs>(&mut self, list: &mut L, max: usize) -> usize {
        self.get_segs(list, max)
    }

    /// What the daemon's memory holds from here on; 0 for a pipe.
    fn remaining(&self) -> usize {
        0
    }

    /// As [`CopyOut::fill`].
    ///
    /// # Errors
    ///
    /// `EFAULT` and what else get_user_pages returns; those of [`PipeSource::fill`].
    fn fill(&mut self, needed: usize) -> Result;

    /// Copies all of it from the daemon, of a message that is no request's reply. Sleeps.
    ///
    /// # Errors
    ///
    /// As [`fill`](Self::fill).
    #[inline]
    fn get_all(&mut self, to: &mut [u8]) -> Result {
        match self.get(to) {
            copied if copied < to.len() => self.get_rest(to.get_mut(copied..).unwrap_or_default()),
            _ => Ok(()),
        }
    }

    /// As [`get_all`](Self::get_all), for the header of a reply.
    ///
    /// # Errors
    ///
    /// As [`fill`](Self::fill).
    #[inline]
    fn get_header(&mut self, to: &mut [u64; 2]) -> Result {
        self.get_all(to.as_mut_bytes())
    }

    /// What [`get_all`](Self::get_all) has not got at once.
    #[cold]
    #[inline(never)]
    fn get_rest(&mut self, mut rest: &mut [u8]) -> Result {
        while !rest.is_empty() {
            self.fill(rest.len())?;
            let copied = self.get(rest);
            rest = rest.get_mut(copied..).unwrap_or_default();
        }
        Ok(())
    }
}

/// splice(2) from the device.
impl CopyOut for PipeSink<'_> {
    fn put(&mut self, from: &[u8]) -> usize {
        self.put(from)
    }

    fn put_segs<L: SourceSegs>(&mut self, list: &L, cursor: &mut SegCursor, max: usize) -> usize {
        self.put_segs(list, cursor, max)
    }

    fn put_folios(&mut self, list: &WriteFolios, cursor: &mut SegCursor, max: usize) -> usize {
        self.put_refs(list, cursor, max)
    }

    fn fill(&mut self, _needed: usize) -> Result {
        self.add_page()
    }
}

/// splice(2) to the device.
impl CopyIn for PipeSource<'_> {
    fn get(&mut self, to: &mut [u8]) -> usize {
        self.get(to)
    }

    fn append_to(&mut self, to: &mut KVVec<u8>, max: usize) -> usize {
        self.append_to(to, max)
    }

    fn get_segs<L: DestSegs>(&mut self, list: &mut L, max: usize) -> usize {
        self.get_segs(list, max)
    }

    fn get_folios<L: ReplaceSegs>(&mut self, list: &mut L, max: usize) -> usize {
        self.get_folios(list, max)
    }

    fn fill(&mut self, _needed: usize) -> Result {
        self.fill()
    }
}

/// Memory of the daemon's: read(2) and write(2) on the device.
pub(in crate::transport) struct Memory<'a, D> {
    iter: &'a mut IovIter<D>,
    /// The pinned page, in front of what the iterator has left. When used up it stays until
    /// nothing is lent, as letting go of it may sleep.
    page: Option<UserPage<D>>,
}

impl<'a, D: Direction> Memory<'a, D> {
    /// That of a read or write on the device.
    pub(in crate::transport) fn new(iter: &'a mut IovIter<D>) -> Self {
        Self { iter, page: None }
    }

    /// What the daemon's memory has room for, or holds, from here on.
    fn left(&self) -> usize {
        let page = self.page.as_ref().map_or(0, UserPage::left);
        self.iter.count().saturating_add(page)
    }

    /// Faults in and pins the next page; returns how many bytes behind it, of the `needed` ones,
    /// are to be faulted in as well.
    ///
    /// # Errors
    ///
    /// `EFAULT` and what else get_user_pages returns.
    fn pin_next(&mut self, needed: usize) -> Result<usize> {
        // Dirties and unpins the one before.
        self.page = None;
        let page = self.page.insert(UserPage::extract(self.iter)?);
        Ok(needed.saturating_sub(page.left()).min(FAULT_AHEAD))
    }

    /// Moves up to `max` bytes between folios and the pinned page, if there is one: through a
    /// buffer, as it happens for one page after a fault. `piece` moves as much as its buffer holds,
    /// and says how much that was. Returns how much in all, and how much is left for the iterator:
    /// nothing if the folios end.
    fn bounce(
        &mut self,
        max: usize,
        mut piece: impl FnMut(&mut UserPage<D>, &mut [u8]) -> usize,
    ) -> (usize, usize) {
        let mut done = 0usize;
        let Some(page) = &mut self.page else {
            return (done, max);
        };
        let mut buf = [0; BOUNCE];
        loop {
            let rest = max.saturating_sub(done);
            let want = page.left().min(BOUNCE).min(rest);
            let Some(part @ [_, ..]) = buf.get_mut(..want) else {
                return (done, rest);
            };
            let moved = piece(page, part);
            done = done.saturating_add(moved);
            if moved < want {
                return (done, 0);
            }
        }
    }
}

impl CopyOut for Memory<'_, Dest> {
    #[inline(always)]
    fn put(&mut self, from: &[u8]) -> usize {
        let Some(page) = &mut self.page else {
            return self.iter.copy_to_iter_atomic(from);
        };
        let pinned = page.copy_to(from);
        match from.get(pinned..) {
            None | Some([]) => pinned,
            Some(rest) => pinned.saturating_add(self.iter.copy_to_iter_atomic(rest)),
        }
    }

    fn put_segs<L: SourceSegs>(&mut self, list: &L, cursor: &mut SegCursor, max: usize) -> usize {
        let (done, rest) = self.bounce(max, |page, part| {
            let got = folio_copy::copy_to_slice(list, cursor, part);
            page.copy_to(part.get(..got).unwrap_or_default())
        });
        match rest {
            0 => done,
            rest => done.saturating_add(folio_copy::copy_to_iter_atomic(
                list, cursor, rest, self.iter,
            )),
        }
    }

    fn remaining(&self) -> usize {
        self.left()
    }

    #[cold]
    #[inline(never)]
    fn fill(&mut self, needed: usize) -> Result {
        match self.pin_next(needed)? {
            0 => {}
            ahead => self.iter.fault_in_writeable(ahead),
        }
        Ok(())
    }
}

impl CopyIn for Memory<'_, Source> {
    #[inline(always)]
    fn get(&mut self, to: &mut [u8]) -> usize {
        let Some(page) = &mut self.page else {
            return self.iter.copy_from_iter_atomic(to);
        };
        let pinned = page.copy_from(to);
        match to.get_mut(pinned..) {
            None | Some([]) => pinned,
            Some(rest) => pinned.saturating_add(self.iter.copy_from_iter_atomic(rest)),
        }
    }

    fn append_to(&mut self, to: &mut KVVec<u8>, max: usize) -> usize {
        let pinned = self.page.as_mut().map_or(0, |page| page.append_to(to, max));
        match max.saturating_sub(pinned) {
            0 => pinned,
            rest => pinned.saturating_add(self.iter.append_from_iter_atomic(to, rest)),
        }
    }

    #[inline(always)]
    fn get_header(&mut self, to: &mut [u64; 2]) -> Result {
        if self.page.is_none() && self.iter.copy_words_from_iter_atomic(to) {
            return Ok(());
        }
        self.get_all(to.as_mut_bytes())
    }

    fn get_segs<L: DestSegs>(&mut self, list: &mut L, max: usize) -> usize {
        let (done, rest) = self.bounce(max, |page, part| {
            page.copy_from(part);
            folio_copy::copy_from_slice(list, part)
        });
        match rest {
            0 => done,
            rest => done.saturating_add(folio_copy::copy_from_iter_atomic(list, rest, self.iter)),
        }
    }

    fn remaining(&self) -> usize {
        self.left()
    }

    #[cold]
    #[inline(never)]
    fn fill(&mut self, needed: usize) -> Result {
        match self.pin_next(needed)? {
            0 => {}
            ahead => self.iter.fault_in_readable(ahead),
        }
        Ok(())
    }
}
