// SPDX-License-Identifier: GPL-2.0

//! Writing through the page cache: WRITE before `write(2)` returns.
//!
//! C counterpart: `fuse_cache_write_iter()` to `fuse_perform_write()` in `file.c`. Takes `i_rwsem`,
//! folio locks, the inode's lock.
//!
//! The page cache gets the data first and the daemon is sent it from there. A folio that was
//! written as a whole, or was valid before, is unlocked while the daemon is busy; another one
//! stays locked, so that nobody reads what is not there.

use super::{
    args::write_flags,
    direct_io, //
};
use crate::{
    abi::{
        op::Write,
        InitFlags, //
    },
    fs::{
        attr::xattr::check_answered,
        inode::{
            attr_cache,
            fuse_inode::State,
            pages, //
        },
        Fuse,
        Inode, //
    },
    kapi::{
        mm::iov::{
            IovIter,
            Source, //
        },
        page_cache::{
            folio::{
                LockedFolio,
                WrittenFolio, //
            },
            folio_list::WriteFolios,
            pagemap::{
                fault_in_iov_iter_readable,
                page_index, //
            },
        },
        vfs::kiocb::{
            task_io_account_write,
            Kiocb, //
        },
    },
    transport::{
        Outcome,
        Payload, //
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef, //
};

/// `write(2)` and the like of a file in the page cache.
pub(super) fn cache_write_iter(
    iocb: &mut Kiocb<'_, Fuse>,
    from: &mut IovIter<Source>,
) -> Result<usize> {
    let written = {
        let inode = iocb.file().inode();
        let _lock = inode.lock()?;
        match locked_write(iocb, from)? {
            0 => return Ok(0),
            written => written,
        }
    };
    iocb.generic_write_sync(written)
}

fn locked_write(iocb: &mut Kiocb<'_, Fuse>, from: &mut IovIter<Source>) -> Result<usize> {
    let count = iocb.generic_write_checks(from)?;
    if count == 0 {
        return Ok(0);
    }
    task_io_account_write(count);
    iocb.kiocb_modified()?;
    if let Err(e) = check_answered() {
        // The VFS remembers a no that nobody has said.
        iocb.file().inode().lock_inner().clear_nosec();
        return Err(e);
    }

    if !iocb.is_direct() {
        return perform_write(iocb, from);
    }
    let direct = direct_io::write_past_cache(iocb, from)?;
    if from.count() == 0 {
        return Ok(direct);
    }
    let buffered = perform_write(iocb, from);
    iocb.direct_write_fallback(from, direct, buffered)
}

/// Writes through the page cache at the position of `iocb`, and moves it (`fuse_perform_write()`).
/// Needs `i_rwsem`.
fn perform_write(iocb: &mut Kiocb<'_, Fuse>, from: &mut IovIter<Source>) -> Result<usize> {
    let inode = iocb.file().inode();
    let start = iocb.pos();
    let size = inode.i_size_read();
    let count = i64::try_from(from.count())?;

    if start > size {
        // What lies between was read as zeroes, perhaps, and is the daemon's to say now.
        pages::truncate_range(inode, size, start - 1)?;
    }
    let state = &inode.data().state;
    if size < start.saturating_add(count) {
        state.set(State::SIZE_UNSTABLE);
    }
    let mut pos = start;
    let mut left = false;
    let result = write_all(iocb, from, &mut pos, &mut left);
    let written = usize::try_from(pos.saturating_sub(start))?;
    if left {
        // The rest is done when the answer has come.
        return Err(EINTR);
    }

    attr_cache::written(inode, pos, written > 0);
    state.clear(State::SIZE_UNSTABLE);

    if written == 0 {
        result?;
    }
    iocb.set_pos(pos);
    Ok(written)
}

/// Writes request by request, until all is written or something goes wrong; moves `pos`.
fn write_all(
    iocb: &Kiocb<'_, Fuse>,
    from: &mut IovIter<Source>,
    pos: &mut i64,
    left: &mut bool,
) -> Result {
    let inode = iocb.file().inode();
    let conn = inode.conn();
    loop {
        let pages = pages_of(*pos, from.count()).min(conn.max_pages() as usize);
        let mut batch = WriteFolios::with_capacity(pages, GFP_KERNEL)?;
        fill(&mut batch, inode, from, *pos, pages)?;

        let sent = u32::try_from(batch.bytes())?;
        let written = send(iocb, batch, *pos, sent, left)?;
        *pos = pos.saturating_add(i64::from(written));
        if written != sent {
            return Err(EIO);
        }
        if from.count() == 0 {
            return Ok(());
        }
    }
}

/// Pages that `len` bytes at `pos` lie in, at least one.
fn pages_of(pos: i64, len: usize) -> usize {
    let in_page = page_offset(pos);
    in_page.saturating_add(len).div_ceil(PAGE_SIZE).max(1)
}

fn page_offset(pos: i64) -> usize {
    // Positions are not negative.
    pos.max(0) as usize % PAGE_SIZE
}

/// Copies the caller's data to the page cache, as much as goes into one request
/// (`fuse_fill_write_pages()`). Fails where nothing could be copied.
fn fill(
    batch: &mut WriteFolios,
    inode: &Inode,
    from: &mut IovIter<Source>,
    start: i64,
    max_folios: usize,
) -> Result {
    let conn = inode.conn();
    let big_writes = conn.agreed(InitFlags::BIG_WRITES);
    let mut left = from.count().min(conn.max_write() as usize);
    let mut pos = start;

    while left > 0 && batch.count() < max_folios {
        let written = match copy_folio(inode, from, pos, left) {
            Ok(written) => written,
            // What there is goes first; the next round fails.
            Err(_) if batch.count() > 0 => break,
            Err(e) => return Err(e),
        };
        left -= written.len();
        pos = pos.saturating_add(i64::try_from(written.len())?);

        let to_end = written.is_to_end();
        let goes_on = batch.push(written)?;
        if !goes_on || !big_writes || !to_end {
            break;
        }
    }
    Ok(())
}

/// Copies at most `max` bytes to the folio at `pos`.
fn copy_folio(
    inode: &Inode,
    from: &mut IovIter<Source>,
    pos: i64,
    max: usize,
) -> Result<WrittenFolio> {
    loop {
        let folio = LockedFolio::write_begin(inode, page_index(pos), pages::signals())?;
        let offset = folio.offset_of(pos);
        let bytes = max.min(folio.folio().size().saturating_sub(offset));

        if let Some(written) = folio.copy_from_iter_atomic(offset, bytes, from) {
            return Ok(written);
        }
        // The data may lie in this very folio, which is why it is not locked any more.
        fault_in_iov_iter_readable(from, bytes)?;
    }
}

/// Sends a WRITE and waits for it; returns the bytes that the daemon took
/// (`fuse_send_write_pages()`).
fn send(
    iocb: &Kiocb<'_, Fuse>,
    batch: WriteFolios,
    pos: i64,
    size: u32,
    left: &mut bool,
) -> Result<u32> {
    let data = iocb.file().data();
    batch.wait_writeback(pages::signals())?;
    let op = Write {
        fh: data.fh,
        offset: u64::try_from(pos)?,
        size,
        cache: false,
        lock_owner: None,
        kill_suidgid: data.conn.kill_suidgid(),
        flags: write_flags(iocb),
    };
    let start = iocb.pos();
    let then = || {
        *left = true;
        let inode = ARef::from(iocb.file().inode());
        move |outcome: &mut Outcome<'_>| {
            let written = outcome.decode(&op).unwrap_or(0);
            let end = pos.saturating_add(i64::from(written.min(size)));
            attr_cache::written(&inode, end, end > start);
            inode.data().state.clear(State::SIZE_UNSTABLE);
        }
    };
    let (result, batch) = data
        .conn
        .call_with(iocb.file(), &op, Payload::WriteFolios(batch), then);
    drop(batch);
    data.conn.chan.let_go();
    result.map(|(written, _)| written)
}
