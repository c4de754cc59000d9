// SPDX-License-Identifier: GPL-2.0

//! Copying between requests and the daemon's memory, or a pipe of the daemon's.
//!
//! C counterpart: `struct fuse_copy_state`, `fuse_copy_fill()`, `fuse_copy_do()`. C pins every page
//! of the daemon's with get_user_pages. Here copying goes straight through the iov_iter, with page
//! faults disabled; only where that comes up short is one page pinned, and the next few are faulted
//! in. With a pipe, what comes up short is the page at hand. Takes no lock; [`Copier::fill`] sleeps,
//! the rest does not.

use crate::kapi::{
    folio::{
        ReadFolios,
        Segs, //
    },
    folio_copy::{
        self,
        SegCursor, //
    },
    iov::IovIter,
    pipe_fs_i::PipeSource,
    splice::PipeSink,
    user_pages::UserPage, //
};
use kernel::prelude::*;

/// Bytes to fault in beyond the pinned page, so that a large cold buffer does not cost a fault and
/// a pin per page.
const FAULT_AHEAD: usize = 16 * 4096;

/// Bytes copied at a time between a folio and the pinned page.
const BOUNCE: usize = 256;

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the daemon: read(2) on the device.
    Out,
    /// From the daemon: write(2) on the device.
    In,
}

/// The daemon's side of a copy.
pub(super) struct Copier<'a>(Side<'a>);

/// Tagged by a byte of its own, which is quicker to look at than a niche in what it holds.
#[repr(u8)]
enum Side<'a> {
    /// read(2) and write(2) on the device.
    Memory(Memory<'a>),
    /// splice(2) from the device.
    ToPipe(PipeSink<'a>),
    /// splice(2) to the device.
    FromPipe(PipeSource<'a>),
}

impl<'a> Copier<'a> {
    /// Over the memory of a read or write on the device.
    pub(super) fn new(iter: &'a mut IovIter, way: Way) -> Self {
        Self(Side::Memory(Memory {
            iter,
            way,
            page: None,
        }))
    }

    /// Into a pipe.
    pub(super) fn to_pipe(sink: PipeSink<'a>) -> Self {
        Self(Side::ToPipe(sink))
    }

    /// The pipe gets what was copied; returns how many bytes that is.
    ///
    /// # Errors
    ///
    /// See [`PipeSink::commit`].
    pub(super) fn commit(self) -> Result<usize> {
        match self.0 {
            Side::ToPipe(sink) => sink.commit(),
            Side::Memory(_) | Side::FromPipe(_) => Ok(0),
        }
    }

    /// From what was taken out of a pipe.
    pub(super) fn from_pipe(source: PipeSource<'a>) -> Self {
        Self(Side::FromPipe(source))
    }

    /// Copies to the daemon as far as that goes without a fault; returns how much.
    #[inline]
    pub(super) fn put(&mut self, from: &[u8]) -> usize {
        match &mut self.0 {
            Side::Memory(memory) => memory.put(from),
            Side::ToPipe(sink) => sink.put(from),
            Side::FromPipe(_) => 0,
        }
    }

    /// Copies from the daemon as far as that goes without a fault; returns how much.
    #[inline]
    pub(super) fn get(&mut self, to: &mut [u8]) -> usize {
        match &mut self.0 {
            Side::Memory(memory) => memory.get(to),
            Side::FromPipe(source) => source.get(to),
            Side::ToPipe(_) => 0,
        }
    }

    /// Copies up to `max` bytes of folios to the daemon, as far as that goes without a fault;
    /// returns how much.
    pub(super) fn put_segs<L: Segs>(
        &mut self,
        list: &L,
        cursor: &mut SegCursor,
        max: usize,
    ) -> usize {
        match &mut self.0 {
            Side::Memory(memory) => memory.put_segs(list, cursor, max),
            Side::ToPipe(sink) => sink.put_segs(list, cursor, max),
            Side::FromPipe(_) => 0,
        }
    }

    /// As [`put_segs`](Self::put_segs), for folios of the page cache, which a pipe references: that
    /// lasts longer than the request, so it must not be done to a caller's pages.
    pub(super) fn put_folios<L: Segs>(
        &mut self,
        list: &L,
        cursor: &mut SegCursor,
        max: usize,
    ) -> usize {
        match &mut self.0 {
            Side::ToPipe(sink) => sink.put_refs(list, cursor, max),
            _ => self.put_segs(list, cursor, max),
        }
    }

    /// Copies up to `max` bytes from the daemon to folios, as far as that goes without a fault;
    /// returns how much.
    pub(super) fn get_segs<L: Segs>(
        &mut self,
        list: &L,
        cursor: &mut SegCursor,
        max: usize,
    ) -> usize {
        match &mut self.0 {
            Side::Memory(memory) => memory.get_segs(list, cursor, max),
            Side::FromPipe(source) => source.get_segs(list, cursor, max),
            Side::ToPipe(_) => 0,
        }
    }

    /// As [`get_segs`](Self::get_segs), for folios of the page cache, which pages of a pipe may
    /// replace.
    pub(super) fn get_folios(
        &mut self,
        list: &mut ReadFolios,
        cursor: &mut SegCursor,
        max: usize,
    ) -> usize {
        match &mut self.0 {
            Side::FromPipe(source) => source.get_folios(list, cursor, max),
            _ => self.get_segs(list, cursor, max),
        }
    }

    /// What the daemon's memory has room for, or holds, from here on; 0 for a pipe.
    pub(super) fn remaining(&self) -> usize {
        match &self.0 {
            Side::Memory(memory) => memory.remaining(),
            Side::ToPipe(_) | Side::FromPipe(_) => 0,
        }
    }

    /// Makes the next copy get on: faults in and pins one page, and faults in the next few, as far
    /// as `needed` bytes reach: behind them may be memory that has nothing to do with the message
    /// and that nobody ever fills. To be called with nothing lent: sleeps, and may wait for the
    /// daemon itself.
    ///
    /// # Errors
    ///
    /// `EFAULT` and what else get_user_pages returns; those of [`PipeSink::add_page`] and
    /// [`PipeSource::fill`].
    #[cold]
    pub(super) fn fill(&mut self, needed: usize) -> Result {
        match &mut self.0 {
            Side::Memory(memory) => memory.fill(needed),
            Side::ToPipe(sink) => sink.add_page(),
            Side::FromPipe(source) => source.fill(),
        }
    }

    /// Copies all of it to the daemon, of a message that is no request. Sleeps.
    ///
    /// # Errors
    ///
    /// As [`fill`](Self::fill).
    pub(super) fn put_all(&mut self, from: &[u8]) -> Result {
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

    /// Copies all of it from the daemon, of a message that is no request's reply. Sleeps.
    ///
    /// # Errors
    ///
    /// As [`fill`](Self::fill).
    #[inline]
    pub(super) fn get_all(&mut self, to: &mut [u8]) -> Result {
        match self.get(to) {
            copied if copied < to.len() => self.get_rest(to.get_mut(copied..).unwrap_or_default()),
            _ => Ok(()),
        }
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

/// Memory of the daemon's.
struct Memory<'a> {
    iter: &'a mut IovIter,
    way: Way,
    /// The pinned page, in front of what the iterator has left. When used up it stays until
    /// nothing is lent, as letting go of it may sleep.
    page: Option<UserPage>,
}

impl Memory<'_> {
    /// Copies to the daemon as far as that goes without a fault; returns how much.
    #[inline(always)]
    fn put(&mut self, from: &[u8]) -> usize {
        let pinned = self.page.as_mut().map_or(0, |page| page.copy_to(from));
        match from.get(pinned..) {
            None | Some([]) => pinned,
            Some(rest) => pinned.saturating_add(self.iter.copy_to_iter_atomic(rest)),
        }
    }

    /// Copies from the daemon as far as that goes without a fault; returns how much.
    #[inline(always)]
    fn get(&mut self, to: &mut [u8]) -> usize {
        let pinned = self.page.as_mut().map_or(0, |page| page.copy_from(to));
        match to.get_mut(pinned..) {
            None | Some([]) => pinned,
            Some(rest) => pinned.saturating_add(self.iter.copy_from_iter_atomic(rest)),
        }
    }

    /// Copies up to `max` bytes of folios to the daemon, as far as that goes without a fault;
    /// returns how much.
    fn put_segs<L: Segs>(&mut self, list: &L, cursor: &mut SegCursor, max: usize) -> usize {
        let mut done = 0usize;
        if let Some(page) = &mut self.page {
            // Through a buffer: happens for one page after a fault.
            let mut buf = [0; BOUNCE];
            loop {
                let want = page.left().min(BOUNCE).min(max.saturating_sub(done));
                let Some(part @ [_, ..]) = buf.get_mut(..want) else {
                    break;
                };
                let got = folio_copy::copy_to_slice(list, cursor, part);
                done = done.saturating_add(page.copy_to(part.get(..got).unwrap_or_default()));
                if got < want {
                    return done;
                }
            }
        }
        match max.saturating_sub(done) {
            0 => done,
            rest => done.saturating_add(folio_copy::copy_to_iter_atomic(
                list, cursor, rest, self.iter,
            )),
        }
    }

    /// Copies up to `max` bytes from the daemon to folios, as far as that goes without a fault;
    /// returns how much.
    fn get_segs<L: Segs>(&mut self, list: &L, cursor: &mut SegCursor, max: usize) -> usize {
        let mut done = 0usize;
        if let Some(page) = &mut self.page {
            let mut buf = [0; BOUNCE];
            loop {
                let want = page.left().min(BOUNCE).min(max.saturating_sub(done));
                let Some(part @ [_, ..]) = buf.get_mut(..want) else {
                    break;
                };
                page.copy_from(part);
                let put = folio_copy::copy_from_slice(list, cursor, part);
                done = done.saturating_add(put);
                if put < want {
                    return done;
                }
            }
        }
        match max.saturating_sub(done) {
            0 => done,
            rest => done.saturating_add(folio_copy::copy_from_iter_atomic(
                list, cursor, rest, self.iter,
            )),
        }
    }

    /// What the daemon's memory has room for, or holds, from here on.
    fn remaining(&self) -> usize {
        let page = self.page.as_ref().map_or(0, UserPage::left);
        self.iter.count().saturating_add(page)
    }

    /// Makes the next copy get on: faults in and pins one page, and faults in the next few, as far
    /// as `needed` bytes reach: behind them may be memory that has nothing to do with the message
    /// and that nobody ever fills. To be called with nothing lent: sleeps, and may wait for the
    /// daemon itself.
    ///
    /// # Errors
    ///
    /// `EFAULT` and what else get_user_pages returns.
    #[cold]
    fn fill(&mut self, needed: usize) -> Result {
        // Dirties and unpins the one before.
        self.page = None;
        let page = self.page.insert(UserPage::extract(self.iter)?);
        let ahead = needed.saturating_sub(page.left()).min(FAULT_AHEAD);
        match self.way {
            _ if ahead == 0 => {}
            Way::Out => self.iter.fault_in_writeable(ahead),
            Way::In => self.iter.fault_in_readable(ahead),
        }
        Ok(())
    }
}
