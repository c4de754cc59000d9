// SPDX-License-Identifier: GPL-2.0

//! Reading and writing past the page cache: O_DIRECT, and files that the daemon opened so.
//!
//! C counterpart: `fuse_direct_io()`, `fuse_direct_read_iter()`, `fuse_direct_write_iter()`,
//! `fuse_direct_IO()` in `file.c`, without ASYNC_DIO: one request at a time, and the caller waits,
//! be it a synchronous one or not. Takes `i_rwsem`, the inode's lock.

use super::args::{
    past_eof,
    write_flags, //
};
use crate::{
    abi::{
        op::{
            Read,
            Write, //
        },
        NodeId,
        OpenOutFlags, //
    },
    fs::{
        attr::setattr,
        inode::{
            attr_cache::{
                self,
                STATX_MODSIZE, //
            },
            fuse_inode::State,
            iomode::UncachedIo,
            pages, //
        },
        request::{
            call::{
                Holds,
                Subject, //
            },
            held::Held, //
        },
        File,
        Fuse,
        Inode, //
    },
    kapi::{
        io::direct_io::DirectIter,
        mm::iov::{
            Dest,
            Direction,
            IovIter,
            Source, //
        },
        page_cache::pagemap::{
            self,
            page_index, //
        },
        task::cred::{
            capable,
            CAP_FSETID, //
        },
        vfs::{
            file::FlOwner,
            inode::{
                InodeLock,
                InodeLockShared, //
            },
            kiocb::{
                task_io_account_write,
                Kiocb, //
            },
        },
    },
    transport::{
        Outcome,
        Payload, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// `read_iter` of a file that the daemon opened for direct I/O.
pub(super) fn direct_read_iter(
    iocb: &mut Kiocb<'_, Fuse>,
    to: &mut IovIter<Dest>,
) -> Result<usize> {
    if !iocb.is_sync_kiocb() {
        // The position of an asynchronous transfer is not used again.
        return direct_read(iocb, to);
    }
    let start = iocb.pos();
    let mut pos = start;
    let result = read_at(iocb, to, &mut pos);
    iocb.set_pos(pos);
    result
}

/// `write_iter` of a file that the daemon opened for direct I/O.
pub(super) fn direct_write_iter(
    iocb: &mut Kiocb<'_, Fuse>,
    from: &mut IovIter<Source>,
) -> Result<usize> {
    let inode = iocb.file().inode();
    let lock = DioLock::new(iocb, from)?;

    let count = iocb.generic_write_checks(from)?;
    if count == 0 {
        return Ok(0);
    }
    let start = iocb.pos();
    task_io_account_write(count);
    let result = if iocb.is_sync_kiocb() {
        let mut pos = start;
        let mut left = false;
        let result = write_at(iocb, from, &mut pos, lock.is_shared(), &mut left);
        iocb.set_pos(pos);
        if !left {
            attr_cache::written(inode, pos, result.is_ok_and(|n| n > 0));
        }
        result
    } else {
        write_past(iocb, from, lock.is_shared())
    };
    if let Ok(written) = result {
        // Readahead may have been at it meanwhile. What cannot be dropped is in use, and stays.
        let _ = drop_written(inode, start, written);
    }
    result
}

/// `direct_IO` for reading: the page cache asks for a read past it.
pub(in crate::fs) fn direct_read(
    iocb: &mut Kiocb<'_, Fuse>,
    to: &mut IovIter<Dest>,
) -> Result<usize> {
    let mut pos = iocb.pos();
    if pos >= iocb.file().inode().i_size_read() {
        return Ok(0);
    }
    read_at(iocb, to, &mut pos)
}

/// `direct_IO` for writing: the page cache asks for a write past it. Needs `i_rwsem`.
pub(in crate::fs) fn direct_write(
    iocb: &mut Kiocb<'_, Fuse>,
    from: &mut IovIter<Source>,
) -> Result<usize> {
    write_past(iocb, from, false)
}

/// A write past the page cache; `shared`, if others may run beside it.
fn write_past(
    iocb: &mut Kiocb<'_, Fuse>,
    from: &mut IovIter<Source>,
    shared: bool,
) -> Result<usize> {
    let file = iocb.file();
    let inode = file.inode();
    let count = i64::try_from(from.count())?;
    let extends = iocb.pos().saturating_add(count) > inode.i_size_read();

    let mut pos = iocb.pos();
    let mut left = false;
    let result = write_at(iocb, from, &mut pos, shared, &mut left);
    if left {
        // The rest is done when the answer has come.
        return result;
    }
    inode.invalidate_attr_mask(STATX_MODSIZE);
    attr_cache::written(inode, pos, result.is_ok_and(|n| n > 0));
    if result.is_err() && extends {
        // The daemon may have got somewhere: take it back.
        setattr::do_truncate(file, inode.i_size_read());
    }
    result
}

/// A write past the page cache to a file that is in it, at the position of `iocb`, which moves
/// (`generic_file_direct_write()`). `Ok(0)` where the cache could not be got out of the way. Needs
/// `i_rwsem`.
pub(super) fn write_past_cache(
    iocb: &mut Kiocb<'_, Fuse>,
    from: &mut IovIter<Source>,
) -> Result<usize> {
    let inode = iocb.file().inode();
    let (start, end) = range(iocb.pos(), from.count());
    pagemap::filemap_write_and_wait_range(inode, start, end)?;
    match pages::drop_range(inode, page_index(start), page_index(end)) {
        Err(e) if e == EBUSY => return Ok(0),
        result => result?,
    }

    let written = direct_write(iocb, from)?;
    if written > 0 {
        if drop_written(inode, start, written).is_err() {
            pagemap::filemap_set_wb_err(inode, EIO);
        }
        let (_, last) = range(start, written);
        iocb.set_pos(last.saturating_add(1));
    }
    Ok(written)
}

/// Drops pages that others have read of what was written from `start` on, meanwhile.
///
/// # Errors
///
/// EBUSY if one is in use and stays.
fn drop_written(inode: &Inode, start: i64, written: usize) -> Result {
    if written == 0 || !pagemap::has_pages(inode) {
        return Ok(());
    }
    let (first, last) = range(start, written);
    pages::drop_written(inode, page_index(first), page_index(last))
}

/// Whether a write must keep others out (`fuse_dio_wr_exclusive_lock()`).
fn needs_exclusive(iocb: &Kiocb<'_, Fuse>, from: &IovIter<Source>) -> bool {
    let file = iocb.file();
    !file
        .data()
        .open_flags
        .contains(OpenOutFlags::PARALLEL_DIRECT_WRITES)
        // The end must be known, and must not move.
        || iocb.is_append()
        || file.inode().data().state.test(State::CACHE_IO_MODE)
        || past_eof(iocb, from, file.inode())
}

/// What a direct write holds (`fuse_dio_lock()`).
enum DioLock<'a> {
    Exclusive {
        _lock: InodeLock<'a, Fuse>,
    },
    Shared {
        // In this order.
        _io: UncachedIo<&'a Inode>,
        _lock: InodeLockShared<'a, Fuse>,
    },
}

impl<'a> DioLock<'a> {
    fn new(iocb: &Kiocb<'a, Fuse>, from: &IovIter<Source>) -> Result<Self> {
        let inode = iocb.file().inode();
        if !needs_exclusive(iocb, from) {
            let lock = inode.lock_shared()?;
            // Without the lock the end may have moved.
            if !past_eof(iocb, from, inode) {
                if let Some(io) = UncachedIo::start(inode) {
                    return Ok(DioLock::Shared {
                        _io: io,
                        _lock: lock,
                    });
                }
            }
        }
        Ok(DioLock::Exclusive {
            _lock: inode.lock()?,
        })
    }

    /// Whether others may write beside it.
    fn is_shared(&self) -> bool {
        matches!(self, DioLock::Shared { .. })
    }
}

/// The range that a transfer touches, its last byte included.
fn range(pos: i64, count: usize) -> (i64, i64) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    (pos, pos.saturating_add(count).saturating_sub(1))
}

/// READs as much as fits into `to`, at `pos`, which moves; the position of `iocb` does not.
fn read_at(iocb: &Kiocb<'_, Fuse>, to: &mut IovIter<Dest>, pos: &mut i64) -> Result<usize> {
    let inode = iocb.file().inode();
    let (start, end) = range(*pos, to.count());
    if iocb.file().data().is_direct() {
        pagemap::filemap_write_and_wait_range(inode, start, end)?;
    }
    let mut iter = DirectIter::new(to);
    let result = transfer(
        &mut iter,
        pos,
        iocb.file().data().conn.max_read(),
        |iter, pos, max| read_some(iocb, iter, pos, max),
    );
    inode.invalidate_atime();
    result
}

/// WRITEs all of `from`, at `pos`, which moves; the position of `iocb` does not.
fn write_at(
    iocb: &Kiocb<'_, Fuse>,
    from: &mut IovIter<Source>,
    pos: &mut i64,
    shared: bool,
    left: &mut bool,
) -> Result<usize> {
    let inode = iocb.file().inode();
    let (start, end) = range(*pos, from.count());
    if iocb.file().data().is_direct() {
        pagemap::filemap_write_and_wait_range(inode, start, end)?;
        pages::drop_range(inode, page_index(start), page_index(end))?;
    }
    let mut iter = DirectIter::new(from);
    let result = transfer(
        &mut iter,
        pos,
        iocb.file().data().conn.max_write(),
        |iter, pos, max| write_some(iocb, iter, pos, max, shared, left),
    );
    // What was written before does not count any more: nobody is to go on behind it.
    if *left {
        return Err(EINTR);
    }
    result
}

/// What one request has come to.
struct Step {
    tried: usize,
    /// So far the iterator has moved.
    done: usize,
    /// Why no more was tried, if the memory behind is bad.
    rest: Result,
}

/// Goes on with `step` until all is done, less is done than was tried, or it fails. A bad place in
/// memory is an error only if nothing was done before it.
fn transfer<D: Direction>(
    iter: &mut DirectIter<'_, D>,
    pos: &mut i64,
    max: u32,
    mut step: impl FnMut(&mut DirectIter<'_, D>, i64, usize) -> Result<Step>,
) -> Result<usize> {
    let mut total = 0;
    while iter.count() > 0 {
        let max = iter.count().min(max as usize);
        let Step { tried, done, rest } = match step(iter, *pos, max) {
            Ok(step) => step,
            Err(_) if total > 0 => break,
            Err(e) => return Err(e),
        };
        total += done;
        *pos = pos.saturating_add(i64::try_from(done)?);
        if done < tried {
            if total == 0 {
                rest?;
            }
            break;
        }
    }
    Ok(total)
}

/// Bytes of the kernel's own memory that C would put into one request.
fn kernel_bytes<D: Direction>(iter: &DirectIter<'_, D>, max: usize, max_pages: u32) -> usize {
    if iter.is_kvec() {
        max.min(iter.single_seg_count())
    } else {
        max.min(iter.bytes_in_pages(max_pages))
    }
}

/// One READ of at most `max` bytes.
fn read_some(
    iocb: &Kiocb<'_, Fuse>,
    iter: &mut DirectIter<'_, Dest>,
    pos: i64,
    max: usize,
) -> Result<Step> {
    let file = iocb.file();
    let data = file.data();
    let conn = &data.conn;
    let op = |size: usize| -> Result<Read> {
        Ok(Read {
            fh: data.fh,
            offset: u64::try_from(pos)?,
            size: u32::try_from(size)?,
            lock_owner: FlOwner::current_files().map(|owner| conn.lock_owner(owner)),
            flags: file.flags(),
        })
    };
    if iter.user_backed() {
        let (pages, rest) = iter.pin_pages(max, iter.npages(conn.max_pages()))?;
        let tried = pages.bytes();
        let (result, payload) = match op(tried) {
            Ok(op) => conn.call_with(file, &op, Payload::UserOut(pages), || {
                file.inode().then_invalidate_atime()
            }),
            Err(e) => (Err(e), Payload::UserOut(pages)),
        };
        drop(payload);
        return settle(iter, tried, rest, result.map(|(_, received)| received));
    }
    // A request may outlive its caller, whose memory is not to be relied on then: take our own.
    let tried = kernel_bytes(iter, max, conn.max_pages());
    let op = op(tried)?;
    let buf = KVVec::with_capacity(tried, GFP_KERNEL_ACCOUNT)?;
    let bytes = conn.call_bytes(file, &op, buf, tried, || {
        file.inode().then_invalidate_atime()
    })?;
    let done = iter.copy_to(&bytes);
    Ok(Step {
        tried,
        done,
        rest: Ok(()),
    })
}

/// One WRITE of at most `max` bytes.
fn write_some(
    iocb: &Kiocb<'_, Fuse>,
    iter: &mut DirectIter<'_, Source>,
    pos: i64,
    max: usize,
    shared: bool,
    left: &mut bool,
) -> Result<Step> {
    let file = iocb.file();
    let data = file.data();
    let conn = &data.conn;
    let (tried, rest, payload) = if iter.user_backed() {
        let (pages, rest) = iter.pin_pages(max, iter.npages(conn.max_pages()))?;
        (pages.bytes(), rest, Payload::UserIn(pages))
    } else {
        let buf = iter.copy_from(kernel_bytes(iter, max, conn.max_pages()))?;
        (buf.len(), Ok(()), Payload::In(buf))
    };
    let op = Write {
        fh: data.fh,
        offset: u64::try_from(pos)?,
        size: u32::try_from(tried)?,
        cache: false,
        lock_owner: FlOwner::current_files().map(|owner| conn.lock_owner(owner)),
        kill_suidgid: !capable(CAP_FSETID),
        flags: write_flags(iocb),
    };
    let start = iocb.pos();
    let then = || {
        *left = true;
        let inode = ARef::from(file.inode());
        move |outcome: &mut Outcome<'_>| {
            let written = outcome
                .decode(&op)
                .map_or(0, |written| written.min(op.size));
            wrote_behind(&inode, start, pos, written);
        }
    };
    let (result, payload) = conn.call_with(Writing { file, shared }, &op, payload, then);
    drop(payload);
    settle(
        iter,
        tried,
        rest,
        result.map(|(written, _)| written as usize),
    )
}

/// The end of a write that began at `start`, in place of a caller that has left: `written` bytes at
/// `pos` are the last. Nothing is taken back where it fails: nobody is there who could be told.
fn wrote_behind(inode: &Inode, start: i64, pos: i64, written: u32) {
    let end = pos.saturating_add(i64::from(written));
    inode.invalidate_attr_mask(STATX_MODSIZE);
    attr_cache::written(inode, end, end > start);
    let written = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    // As above.
    let _ = drop_written(inode, start, written);
}

/// A file that is being written to past the page cache.
struct Writing<'a> {
    file: &'a File,
    shared: bool,
}

impl Holds for Writing<'_> {
    fn hold(&self, held: &mut Held) -> Result {
        held.file(self.file)?;
        if self.shared {
            let inode = self.file.inode();
            held.locked(inode)?;
            // This one counts already, so that another does, too.
            let io = UncachedIo::start(ARef::from(inode)).ok_or(EAGAIN)?;
            held.other(KBox::new(io, GFP_KERNEL_ACCOUNT)? as KBox<dyn Send>)?;
        }
        Ok(())
    }
}

impl Subject for Writing<'_> {
    fn node(&self) -> NodeId {
        self.file.inode().nodeid()
    }
}

/// Moves the iterator back by what was not done.
fn settle<D: Direction>(
    iter: &mut DirectIter<'_, D>,
    tried: usize,
    rest: Result,
    result: Result<usize>,
) -> Result<Step> {
    let done = result.as_ref().map_or(0, |&n| n.min(tried));
    iter.revert(tried - done);
    result.map(|_| Step { tried, done, rest })
}
