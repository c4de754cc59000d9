// SPDX-License-Identifier: GPL-2.0

//! What goes into a pipe, and the flags of splice(2).
//!
//! C header: [`include/linux/splice.h`](srctree/include/linux/splice.h).
//!
//! C rules encoded here: `add_to_pipe()` takes the reference of the buffer, well or not; a pipe may
//! outlive the module that has put something in it, so the operations of a buffer are the kernel's;
//! and it may outlive a request, so user memory is copied and folios of the page cache are
//! referenced.

use super::pipe_fs_i::LockedPipe;
use crate::{
    bindings,
    kapi::page_cache::{
        folio_copy,
        folio_list::WriteFolios,
        segs::{
            SegCursor,
            SourceSegs, //
        },
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Flags of splice(2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpliceFlags(u32);

impl SpliceFlags {
    /// Pages may be moved.
    pub(crate) const MOVE: Self = Self(bindings::SPLICE_F_MOVE);

    pub(in crate::kapi) fn from_raw(flags: u32) -> Self {
        Self(flags)
    }

    /// Whether all of `other` are set.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A message in the making, in buffers that go into a pipe together.
///
/// # Invariants
///
/// Each buffer owns a reference to its page. The last `room` bytes of the last buffer's page are
/// free and nobody else's. There are at most `slots` buffers.
pub(crate) struct PipeSink<'a> {
    pipe: &'a LockedPipe,
    slots: usize,
    bufs: KVVec<bindings::pipe_buffer>,
    room: usize,
}

impl<'a> PipeSink<'a> {
    /// Nothing yet. Sleeps.
    ///
    /// # Errors
    ///
    /// `EIO` if the pipe is full, `ENOMEM`.
    pub(crate) fn new(pipe: &'a LockedPipe) -> Result<Self> {
        let slots = pipe.free_slots();
        let mut sink = Self {
            pipe,
            slots,
            bufs: KVVec::with_capacity(slots, GFP_KERNEL)?,
            room: 0,
        };
        // Most messages need no more than this, and copying finds it there.
        sink.add_page()?;
        Ok(sink)
    }

    /// Adds an empty page. Sleeps.
    ///
    /// # Errors
    ///
    /// `EIO` if the pipe has no room for it, `ENOMEM`.
    pub(crate) fn add_page(&mut self) -> Result {
        if self.bufs.len() >= self.slots {
            return Err(EIO);
        }
        // SAFETY: Task context.
        let page = unsafe { bindings::alloc_page_highuser() };
        if page.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: A page of our own, all of it free.
        if self.push(page, 0, 0) {
            self.room = PAGE_SIZE;
        }
        Ok(())
    }

    /// Adds a buffer, which takes over a reference to `page`; false if there is no slot for it.
    fn push(&mut self, page: *mut bindings::page, offset: u32, len: u32) -> bool {
        self.room = 0;
        self.bufs
            .push_within_capacity(bindings::pipe_buffer {
                page,
                offset,
                len,
                ops: &raw const bindings::nosteal_pipe_buf_ops,
                flags: 0,
                private: 0,
            })
            .is_ok()
    }

    /// Up to `max` bytes of the page at hand are filled by `copy`, which gets page, offset and
    /// length and returns how much it has copied.
    fn fill(
        &mut self,
        max: usize,
        copy: impl FnOnce(*mut bindings::page, usize, usize) -> usize,
    ) -> usize {
        let len = max.min(self.room);
        let Some(buf) = self.bufs.last_mut().filter(|_| len > 0) else {
            return 0;
        };
        let n = copy(buf.page, PAGE_SIZE - self.room, len).min(len);
        self.room -= n;
        // At most a page.
        buf.len += n as u32;
        n
    }

    /// Copies as much as there is room for; returns how much. Does not sleep.
    pub(crate) fn put(&mut self, from: &[u8]) -> usize {
        self.fill(from.len(), |page, offset, len| {
            // SAFETY: By the type's invariant that part of the page is ours.
            unsafe { bindings::copy_to_page(page, offset, from.as_ptr().cast(), len) };
            len
        })
    }

    /// Copies up to `max` bytes of folios, as much as there is room for; returns how much. Does not
    /// sleep.
    pub(crate) fn put_segs<L: SourceSegs>(
        &mut self,
        list: &L,
        cursor: &mut SegCursor,
        max: usize,
    ) -> usize {
        self.fill(max, |page, offset, len| {
            // SAFETY: By the type's invariant that part of the page is ours.
            unsafe { folio_copy::copy_to_page(list, cursor, len, page, offset) }
        })
    }

    /// References up to `max` bytes of folios, as many as there are slots for; returns how much.
    /// What the pipe's reader finds may be newer than it is now. Does not sleep.
    pub(crate) fn put_refs(
        &mut self,
        list: &WriteFolios,
        cursor: &mut SegCursor,
        max: usize,
    ) -> usize {
        folio_copy::reference(list, cursor, max, |folio, offset, len| {
            let (Ok(offset), Ok(len)) = (offset.try_into(), len.try_into()) else {
                return false;
            };
            if self.bufs.len() >= self.slots {
                return false;
            }
            let folio = folio.as_ptr();
            // SAFETY: The list has a reference; the new one is the buffer's.
            let page = unsafe {
                bindings::folio_get(folio);
                bindings::folio_first_page(folio)
            };
            self.push(page, offset, len)
        })
    }

    /// Puts everything into the pipe; returns how many bytes that is.
    ///
    /// # Errors
    ///
    /// `EPIPE` (with SIGPIPE) if nobody reads the pipe any more.
    pub(crate) fn commit(mut self) -> Result<usize> {
        let mut total = 0usize;
        let mut result = Ok(());
        for mut buf in core::mem::take(&mut self.bufs) {
            if result.is_err() || buf.len == 0 {
                put_page(&buf);
                continue;
            }
            // SAFETY: The pipe is locked or ours, by its type; a buffer with its
            // reference, which goes with it in any case.
            let n = unsafe { bindings::add_to_pipe(self.pipe.as_ptr().cast(), &mut buf) };
            if n < 0 {
                result = Err(Error::from_errno(n as i32));
            } else {
                total = total.saturating_add(n as usize);
            }
        }
        if total == 0 {
            result?;
        }
        Ok(total)
    }
}

/// Drops the reference of a buffer that is not in a pipe.
fn put_page(buf: &bindings::pipe_buffer) {
    // SAFETY: The buffer owns a reference to its page.
    unsafe { bindings::folio_put(bindings::page_folio(buf.page)) };
}

impl Drop for PipeSink<'_> {
    #[inline(never)]
    fn drop(&mut self) {
        self.bufs.iter().for_each(put_page);
    }
}
