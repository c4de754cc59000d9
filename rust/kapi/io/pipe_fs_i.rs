// SPDX-License-Identifier: GPL-2.0

//! Pipes, and buffers that were taken out of one.
//!
//! C header: [`include/linux/pipe_fs_i.h`](srctree/include/linux/pipe_fs_i.h).
//!
//! C rules encoded here: head and tail of a pipe change under its lock; a buffer's contents may be
//! looked at once it is confirmed; a page that was stolen is locked and nobody else's; a buffer is
//! released once, with the pipe locked unless somebody else has a reference to its page. What is
//! offset and length from a page may reach into those that follow it in the same folio.

use crate::{
    bindings,
    kapi::{
        mm::append::append_with,
        page_cache::{
            folio_copy,
            segs::{
                DestSegs,
                ReplaceSegs, //
            },
        },
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    types::Opaque, //
};

/// A `struct pipe_inode_info`.
#[repr(transparent)]
pub(crate) struct Pipe(Opaque<bindings::pipe_inode_info>);

impl Pipe {
    /// Borrows a pipe.
    ///
    /// # Safety
    ///
    /// `ptr` is a pipe that somebody keeps open for `'a`.
    pub(in crate::kapi) unsafe fn from_raw<'a>(ptr: *mut bindings::pipe_inode_info) -> &'a Self {
        // SAFETY: The caller promises a live pipe; the layout is that of the C struct.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    fn as_ptr(&self) -> *mut bindings::pipe_inode_info {
        self.0.get()
    }

    /// `pipe_lock()`, until dropped. Sleeps.
    fn lock(&self) -> PipeGuard<'_> {
        // SAFETY: The pipe is live; task context.
        unsafe { bindings::pipe_lock(self.as_ptr().cast()) };
        PipeGuard(self, PhantomData)
    }

    /// Takes `len` bytes out of the pipe. A last buffer that has more is shared with the pipe.
    /// With `may_move`, whole pages may become those of the page cache. Locks the pipe; sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is less in it, or a buffer cannot be shared; `ENOMEM`.
    pub(crate) fn take(&self, len: usize, may_move: bool) -> Result<PipeSource<'_>> {
        let mut source = PipeSource {
            pipe: self,
            bufs: KVVec::new(),
            next: 0,
            current: Current::None,
            may_move,
            wanted: false,
        };
        let guard = self.lock();
        let taken = guard.take(len, &mut source.bufs);
        // To release what was taken before a failure takes the lock again.
        drop(guard);
        taken.map(|()| source)
    }
}

/// A pipe that the VFS has locked, or that is the current task's own.
#[repr(transparent)]
pub(crate) struct LockedPipe(Pipe, PhantomData<*mut ()>);

impl LockedPipe {
    /// Borrows a pipe.
    ///
    /// # Safety
    ///
    /// As for [`Pipe::from_raw`], and the pipe is locked by the current task, or no other task has
    /// it, for `'a`.
    pub(in crate::kapi) unsafe fn from_raw<'a>(ptr: *mut bindings::pipe_inode_info) -> &'a Self {
        // SAFETY: The caller promises a live pipe; the layout is that of the C struct.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::pipe_inode_info {
        self.0.as_ptr()
    }

    /// How many more buffers it has room for.
    pub(super) fn free_slots(&self) -> usize {
        // SAFETY: The pipe is live.
        let (max, used) = unsafe {
            (
                bindings::pipe_max_usage(self.as_ptr()),
                bindings::pipe_buf_usage(self.as_ptr()),
            )
        };
        max.saturating_sub(used) as usize
    }
}

/// [`Pipe::lock`].
struct PipeGuard<'a>(&'a Pipe, PhantomData<*mut ()>);

impl PipeGuard<'_> {
    /// The buffer that is `nth` to be read.
    fn nth(&self, nth: u32) -> NonNull<bindings::pipe_buffer> {
        // SAFETY: The pipe is live; its ring is there while it is locked.
        unsafe { NonNull::new_unchecked(bindings::pipe_nth_buf(self.0.as_ptr(), nth)) }
    }

    /// Moves `len` bytes' worth of buffers to `to`.
    fn take(&self, len: usize, to: &mut KVVec<bindings::pipe_buffer>) -> Result {
        let pipe = self.0.as_ptr();
        // SAFETY: The pipe is live.
        let count = unsafe { bindings::pipe_buf_usage(pipe) };
        to.reserve(count as usize, GFP_KERNEL)?;

        let mut there = 0usize;
        for nth in 0..count {
            // SAFETY: A buffer in use, as the pipe is locked.
            there = there.saturating_add(unsafe { self.nth(nth).as_ref() }.len as usize);
            if there >= len {
                break;
            }
        }
        if there < len {
            return Err(EINVAL);
        }

        let mut rest = len;
        while rest > 0 {
            let first = self.nth(0).as_ptr();
            // SAFETY: There are at least `rest` bytes in the pipe, so its first buffer is in use;
            // ours while the pipe is locked.
            let mut buf = unsafe { *first };
            if rest >= buf.len as usize {
                to.push_within_capacity(buf).map_err(|_| ENOMEM)?;
                // SAFETY: As above. The reference is that of the copy from here on.
                unsafe {
                    (*first).ops = core::ptr::null();
                    bindings::pipe_advance_tail(pipe);
                }
            } else {
                // SAFETY: A buffer in use.
                if !unsafe { bindings::pipe_buf_get(pipe, first) } {
                    return Err(EINVAL);
                }
                // Shared, so no gift any more. Less than the buffer's length, so it fits.
                buf.flags &= !bindings::PIPE_BUF_FLAG_GIFT;
                buf.len = rest as u32;
                // Room was made for one buffer each, and each of them is pushed once.
                to.push_within_capacity(buf).map_err(|_| ENOMEM)?;
                // SAFETY: As above; the rest of the buffer stays in the pipe.
                unsafe {
                    (*first).offset += buf.len;
                    (*first).len -= buf.len;
                }
            }
            rest -= buf.len as usize;
        }
        Ok(())
    }
}

impl Drop for PipeGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: Locked by `lock()`, by this task.
        unsafe { bindings::pipe_unlock(self.0.as_ptr().cast()) };
    }
}

/// The buffer that is being copied from: the one before [`PipeSource::next`].
enum Current {
    /// None, or it is used up.
    None,
    /// Confirmed. The page, and offset and length of what is left.
    Copy {
        page: *mut bindings::page,
        offset: usize,
        left: usize,
    },
    /// Stolen: a whole page, locked by us.
    Stolen(NonNull<bindings::folio>),
}

/// Buffers that were taken out of a pipe, to be copied from front to back. Drop releases them,
/// which locks the pipe.
///
/// # Invariants
///
/// Each buffer whose `ops` is not null is ours to release.
pub(crate) struct PipeSource<'a> {
    pipe: &'a Pipe,
    bufs: KVVec<bindings::pipe_buffer>,
    /// The first buffer that has not been looked at.
    next: usize,
    current: Current,
    may_move: bool,
    /// The next buffer would be stolen rather than copied.
    wanted: bool,
}

impl PipeSource<'_> {
    /// Makes the next buffer current if nothing is left of the one before, as far as that goes
    /// without sleeping; returns how many bytes are left in it.
    fn ready(&mut self) -> usize {
        loop {
            match self.current {
                Current::Copy { left, .. } if left > 0 => return left,
                // Nobody takes it.
                Current::Stolen(_) => self.unsteal(),
                _ => {
                    let Some(buf) = self.bufs.get(self.next) else {
                        return 0;
                    };
                    // SAFETY: By the type's invariant the buffer is live, as it was not looked at.
                    if unsafe { (*buf.ops).confirm.is_some() } {
                        return 0;
                    }
                    self.begin();
                }
            }
        }
    }

    /// Makes the next buffer, which is confirmed, current.
    fn begin(&mut self) {
        if let Some(buf) = self.bufs.get(self.next) {
            self.current = Current::Copy {
                page: buf.page,
                offset: buf.offset as usize,
                left: buf.len as usize,
            };
            self.next += 1;
        }
    }

    /// The page of a stolen buffer is just copied from.
    fn unsteal(&mut self) {
        if let Current::Stolen(folio) = self.current {
            // SAFETY: We hold the lock.
            unsafe { bindings::folio_unlock(folio.as_ptr()) };
            self.next = self.next.saturating_sub(1);
            self.begin();
        }
    }

    /// Copies with `copy`, which gets page, offset, place in the transfer and length, up to `max`
    /// bytes.
    fn walk(
        &mut self,
        max: usize,
        mut copy: impl FnMut(*mut bindings::page, usize, usize, usize) -> usize,
    ) -> usize {
        let mut done = 0;
        while done < max {
            let len = self.ready().min(max - done);
            let Current::Copy {
                page,
                ref mut offset,
                ref mut left,
            } = self.current
            else {
                break;
            };
            if len == 0 {
                break;
            }
            let n = copy(page, *offset, done, len).min(len);
            *offset += n;
            *left -= n;
            done += n;
            if n < len {
                break;
            }
        }
        done
    }

    /// Copies to `to` as far as that goes without sleeping; returns how much.
    pub(crate) fn get(&mut self, to: &mut [u8]) -> usize {
        // SAFETY: The slice is writable.
        unsafe { self.copy_raw(to.as_mut_ptr(), to.len()) }
    }

    /// The same, up to `max` bytes behind what a vector has.
    pub(crate) fn append_to(&mut self, to: &mut KVVec<u8>, max: usize) -> usize {
        // SAFETY: What is copied is what is returned, from the beginning on.
        unsafe { append_with(to, max, |to, len| self.copy_raw(to, len)) }
    }

    /// Copies up to `max` bytes; returns how many.
    ///
    /// # Safety
    ///
    /// So many can be written to.
    unsafe fn copy_raw(&mut self, to: *mut u8, max: usize) -> usize {
        self.walk(max, |page, offset, done, len| {
            let mut n = 0;
            while n < len {
                let at = offset + n;
                let part = (len - n).min(PAGE_SIZE - at % PAGE_SIZE);
                // SAFETY: The range lies in the buffer, hence in one folio, whose pages follow each
                // other; `walk` stays within `max`, for which there is room by the contract.
                unsafe {
                    bindings::copy_from_page(
                        page.add(at / PAGE_SIZE),
                        at % PAGE_SIZE,
                        to.add(done + n).cast(),
                        part,
                    )
                };
                n += part;
            }
            len
        })
    }

    /// Copies up to `max` bytes to folios as far as that goes without sleeping; returns how much.
    pub(crate) fn get_segs<L: DestSegs>(&mut self, list: &mut L, max: usize) -> usize {
        self.walk(max, |page, offset, _, len| {
            // SAFETY: The range lies in the buffer, hence in one folio.
            unsafe { folio_copy::copy_from_page(list, len, page, offset) }
        })
    }

    /// As [`get_segs`](Self::get_segs), for folios of the page cache, which are replaced by pages
    /// of the pipe where both sides allow it.
    pub(crate) fn get_folios<L: ReplaceSegs>(&mut self, list: &mut L, max: usize) -> usize {
        if !self.may_move {
            return self.get_segs(list, max);
        }
        let mut done = 0;
        while done < max {
            match (list.is_replaceable(max - done), &self.current) {
                (true, Current::Stolen(folio)) => {
                    let folio = *folio;
                    // SAFETY: Stolen, so locked, ours alone, in no mapping; a whole page of what
                    // was in the pipe.
                    if !unsafe { list.replace(folio) } {
                        self.unsteal();
                        continue;
                    }
                    self.current = Current::None;
                    self.moved(folio);
                    done += PAGE_SIZE;
                }
                (true, Current::None | Current::Copy { left: 0, .. }) => {
                    // Whether the next buffer can be stolen shows while nothing is lent.
                    self.wanted = true;
                    break;
                }
                _ => {
                    // To the end of this piece, if the buffer at hand has as much.
                    let part = list.left_of_piece().min(max - done);
                    let n = self.get_segs(list, part);
                    done += n;
                    if n < part || part == 0 {
                        break;
                    }
                }
            }
        }
        done
    }

    /// The stolen page is one of the page cache now.
    fn moved(&mut self, folio: NonNull<bindings::folio>) {
        let Some(buf) = self.bufs.get_mut(self.next.wrapping_sub(1)) else {
            return;
        };
        if buf.flags & bindings::PIPE_BUF_FLAG_LRU == 0 {
            // SAFETY: The page cache has a reference.
            unsafe { bindings::folio_add_lru(folio.as_ptr()) };
        }
        // SAFETY: Ours to release, once, as this sets `ops` to null. The pipe need not be locked,
        // as the page has other references, so that the pipe does not keep it for later use.
        unsafe { bindings::pipe_buf_release(self.pipe.as_ptr(), buf) };
    }

    /// Makes the next copy get on: confirms the next buffer, and steals it if that was wanted. To
    /// be called with nothing lent: sleeps, and may wait for the daemon itself.
    ///
    /// # Errors
    ///
    /// `EINTR` if killed; what `confirm` returns; `EIO` at the end.
    pub(crate) fn fill(&mut self) -> Result {
        self.unsteal();
        let wanted = core::mem::replace(&mut self.wanted, false);
        let buf = self.bufs.get_mut(self.next).ok_or(EIO)?;
        // SAFETY: By the type's invariant the buffer is live, and has its page.
        let folio = unsafe { bindings::page_folio(buf.page) };
        // SAFETY: As above.
        let (has_confirm, uptodate) = unsafe {
            (
                (*buf.ops).confirm.is_some(),
                bindings::folio_test_uptodate(folio),
            )
        };
        if has_confirm {
            if !uptodate {
                // What follows sleeps until the folio can be locked, whatever signal comes.
                // SAFETY: As above.
                to_result(unsafe { bindings::folio_wait_locked_killable(folio) })?;
            }
            // SAFETY: As above.
            to_result(unsafe { bindings::pipe_buf_confirm(self.pipe.as_ptr(), buf) })?;
        }
        if wanted && Self::try_steal(self.pipe, buf) {
            // SAFETY: `page_folio()` of a page.
            self.current = Current::Stolen(unsafe { NonNull::new_unchecked(folio) });
            self.next += 1;
        } else {
            self.begin();
        }
        Ok(())
    }

    /// Makes the page of a confirmed buffer ours, locked, if it is one whole page and nobody else
    /// has to do with it.
    fn try_steal(pipe: &Pipe, buf: &mut bindings::pipe_buffer) -> bool {
        if buf.offset != 0 || buf.len as usize != PAGE_SIZE {
            return false;
        }
        // SAFETY: The buffer is live and confirmed.
        unsafe {
            let folio = bindings::page_folio(buf.page);
            if bindings::folio_test_large(folio)
                || bindings::folio_wait_locked_killable(folio) != 0
                || !bindings::pipe_buf_try_steal(pipe.as_ptr(), buf)
            {
                return false;
            }
            // Locked, and ours.
            bindings::folio_disown(folio);
            if !bindings::folio_is_nobodys(folio) {
                bindings::folio_unlock(folio);
                return false;
            }
        }
        true
    }
}

impl Drop for PipeSource<'_> {
    #[inline(never)]
    fn drop(&mut self) {
        self.unsteal();
        let guard = self.pipe.lock();
        for buf in &mut self.bufs {
            if !buf.ops.is_null() {
                // SAFETY: By the type's invariant; the pipe is locked.
                unsafe { bindings::pipe_buf_release(self.pipe.as_ptr(), buf) };
            }
        }
        drop(guard);
    }
}
