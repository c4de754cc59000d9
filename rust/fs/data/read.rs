// SPDX-License-Identifier: GPL-2.0

//! Reading through the page cache: READ of one folio, and readahead.
//!
//! C counterpart: `fuse_cache_read_iter()` to `fuse_readahead()` in `file.c`. Called with folios
//! locked; takes the inode's lock.

use super::args::past_eof;
use crate::{
    abi::{
        op::Read,
        FileHandle,
        InitFlags, //
    },
    fs::{
        attr::getattr,
        file::fuse_file::FuseFile,
        inode::fuse_inode::State,
        File,
        Fuse,
        Inode, //
    },
    kapi::{
        io::iomap::{
            iomap_read_folio,
            iomap_readahead,
            Left,
            ReadFolioRange, //
        },
        mm::{
            gfp::Gfp,
            iov::{
                Dest,
                IovIter, //
            },
        },
        page_cache::folio_list::{
            FolioRead,
            ReadFolios, //
        },
        vfs::{
            address_space::{
                LockedForRead,
                ReadaheadControl, //
            },
            kiocb::Kiocb,
            stat::STATX_SIZE, //
        },
    },
    transport::{
        Message,
        OnEnd,
        Outcome,
        Payload, //
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// `read(2)` and the like of a file in the page cache.
pub(super) fn cache_read_iter(iocb: &mut Kiocb<'_, Fuse>, to: &mut IovIter<Dest>) -> Result<usize> {
    let file = iocb.file();
    let inode = file.inode();

    // Ask for the size where the answer depends on it.
    if past_eof(iocb, to, inode) {
        getattr::update_attributes(inode, Some(file), STATX_SIZE)?;
    }
    iocb.generic_file_read_iter(to)
}

/// A folio is needed: reads it and waits, since a daemon need not be able to serve requests out of
/// order.
pub(in crate::fs) fn read_folio(file: Option<&File>, folio: LockedForRead<'_, Fuse>) -> Result {
    let Some(file) = file else {
        return Err(EIO);
    };
    let inode = file.inode();
    inode.check_bad()?;
    let mut reader = ReadNow { file };
    iomap_read_folio(folio, &mut reader);
    inode.invalidate_atime();
    Ok(())
}

/// Folios might be needed soon: reads what is asked for in as few requests as may be.
pub(in crate::fs) fn readahead(rac: &mut ReadaheadControl<'_, Fuse>) {
    let Some(file) = rac.file() else {
        return;
    };
    if file.inode().check_bad().is_err() {
        return;
    }
    let mut reader = ReadAhead { file, batch: None };
    iomap_readahead(rac, &mut reader);
    reader.send();
}

/// Fills in READ for `bytes` at `pos`.
fn read_op(fh: FileHandle, flags: u32, pos: i64, bytes: usize) -> Result<Read> {
    let mut size = u32::try_from(bytes)?;
    // The last byte that a file can have is not asked for: the end of the range would overflow.
    // The reply is a byte short then, and the transport zeroes the rest.
    if pos.checked_add(i64::from(size) - 1) == Some(i64::MAX) {
        size -= 1;
    }
    Ok(Read {
        fh,
        offset: u64::try_from(pos)?,
        size,
        lock_owner: None,
        flags,
    })
}

/// A reply may be shorter than what was asked for: the file ends there. If we think that it is
/// longer, and nothing has changed since, shorten it (`fuse_short_read()`).
fn short_read(inode: &Inode, attr_version: u64, end: i64) {
    let fi = inode.data();
    let mut inner = inode.lock_inner();
    if attr_version >= inner.attr_version
        && end < inode.i_size_read()
        && !fi.state.test(State::SIZE_UNSTABLE)
    {
        inner.attr_version = inode.conn().bump_attr_version();
        inner.i_size_write(end);
    }
}

/// Reads each range as it comes.
struct ReadNow<'a> {
    file: &'a File,
}

impl ReadNow<'_> {
    /// Makes the request and what it fills.
    fn prepare(&self, read: FolioRead) -> Result<(Read, ReadFolios), (Error, FolioRead)> {
        let op = read_op(
            self.file.data().fh,
            self.file.flags(),
            read.pos(),
            read.len(),
        );
        match op.and_then(|op| Ok((op, ReadFolios::with_capacity(1)?))) {
            Ok((op, mut folios)) => match folios.push(read) {
                Ok(()) => Ok((op, folios)),
                Err(read) => Err((ENOMEM, read)),
            },
            Err(e) => Err((e, read)),
        }
    }

    fn read(&self, read: FolioRead) -> Result<(), (Error, FolioRead)> {
        let data = self.file.data();
        let inode = self.file.inode();
        let attr_version = data.conn.attr_version();
        let pos = read.pos();
        let (op, folios) = self.prepare(read)?;
        let end = || ReadEnd {
            file: data_arc(self.file),
            attr_version,
            pos,
            size: op.size,
        };
        let (result, payload) =
            data.conn
                .call_with(self.file, &op, Payload::ReadFolios(folios), || end().then());
        if let Ok((_, received)) = result {
            if received < op.size as usize {
                short_read(inode, attr_version, end_of(pos, received));
            }
        }
        // A caller that leaves does not get it back: the read ends with the request.
        if let Payload::ReadFolios(folios) = payload {
            folios.finish(result.map(|_| ()));
            data.conn.chan.let_go();
        }
        Ok(())
    }
}

impl ReadFolioRange for ReadNow<'_> {
    fn add(&mut self, read: FolioRead) {
        // What goes wrong later ends the read, with the error, where it does.
        if let Err((e, read)) = self.read(read) {
            read.fail(e);
        }
    }
}

/// The position after `bytes` at `pos`.
fn end_of(pos: i64, bytes: usize) -> i64 {
    pos.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// Collects ranges that follow each other.
struct ReadAhead<'a> {
    file: &'a File,
    batch: Option<ReadFolios>,
}

impl ReadAhead<'_> {
    /// Whether the range at `pos` must go into another request (`fuse_folios_need_send()`).
    fn needs_send(&self, batch: &ReadFolios, pos: i64, len: usize) -> bool {
        let conn = &self.file.data().conn;
        let max_pages = conn.max_pages() as usize;
        let bytes = batch.bytes().saturating_add(len);

        batch.count() >= max_pages
            || bytes.div_ceil(PAGE_SIZE) > max_pages
            || bytes > conn.max_read() as usize
            || batch.pos().map(|start| end_of(start, batch.bytes())) != Some(pos)
    }

    /// Sends what there is (`fuse_send_readpages()`).
    fn send(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        // On an error the drop of the list has said all: nobody is told of failed readahead.
        let _ = self.send_batch(batch);
    }

    fn send_batch(&self, batch: ReadFolios) -> Result {
        let data = self.file.data();
        let conn = &data.conn;
        let Some(pos) = batch.pos() else {
            return Ok(());
        };
        let op = read_op(data.fh, self.file.flags(), pos, batch.bytes())?;
        let end = ReadEnd {
            file: self.file.data_arc().into(),
            attr_version: conn.attr_version(),
            pos,
            size: op.size,
        };
        let payload = Payload::ReadFolios(batch);
        if conn.agreed(InitFlags::ASYNC_READ) {
            let end = KBox::new(end, GFP_KERNEL)?;
            let message = Message {
                node: Some(data.nodeid),
                caller: conn.caller(None)?,
                op: &op,
            };
            let request = conn.chan.background(Gfp::KERNEL)?;
            let end = Some(end as KBox<dyn OnEnd>);
            conn.chan.send_background(request, &message, payload, end);
        } else {
            let (result, payload) = conn.call_with(self.file, &op, payload, || {
                ReadEnd {
                    file: data_arc(self.file),
                    ..end
                }
                .then()
            });
            end.finish(result.map(|(_, received)| received), payload);
        }
        Ok(())
    }
}

impl ReadFolioRange for ReadAhead<'_> {
    fn prepare(&mut self, pos: i64, len: usize, left: Option<Left>) -> Result {
        if let Some(batch) = &self.batch {
            if !self.needs_send(batch, pos, len) {
                return Ok(());
            }
            self.send();
        }
        let conn = &self.file.data().conn;
        let left = left.ok_or(EINVAL)?;
        if conn.chan.is_congested() && left.async_size >= left.pages {
            // Only pages that nobody waits for are left, and the daemon has enough to do.
            return Err(EAGAIN);
        }
        // The range at hand has been taken from what is left.
        let pieces = conn.max_pages().min(left.pages.max(1));
        let mut batch = ReadFolios::with_capacity(pieces as usize)?;
        batch.set_replaceable();
        self.batch = Some(batch);
        Ok(())
    }

    fn add(&mut self, read: FolioRead) {
        if let Some(batch) = &mut self.batch {
            // `prepare` has seen to it that there is room; a range that is given back is dropped,
            // which ends its read.
            let _ = batch.push(read);
        }
    }
}

/// What the end of a READ of several folios needs to know.
struct ReadEnd {
    /// Keeps the inode, and RELEASE from overtaking.
    file: Arc<FuseFile>,
    attr_version: u64,
    pos: i64,
    size: u32,
}

/// A file's data, to be kept.
fn data_arc(file: &File) -> Arc<FuseFile> {
    file.data_arc().into()
}

impl ReadEnd {
    /// For a caller that has left.
    fn then(self) -> impl FnOnce(&mut Outcome<'_>) + Send + 'static {
        move |outcome| {
            let payload = outcome.payload();
            self.finish(outcome.result(), payload);
        }
    }

    /// `fuse_readpages_end()`. Does not sleep.
    fn finish(&self, result: Result<usize>, payload: Payload) {
        if let Some(inode) = self.file.inode() {
            if let Ok(received) = result {
                if received < self.size as usize {
                    short_read(inode, self.attr_version, end_of(self.pos, received));
                }
            }
            inode.invalidate_atime();
        }
        if let Payload::ReadFolios(folios) = payload {
            folios.finish(result.map(|_| ()));
            self.file.conn.chan.let_go();
        }
    }
}

impl OnEnd for ReadEnd {
    fn ended(self: KBox<Self>, mut outcome: Outcome<'_>) {
        let payload = outcome.payload();
        self.finish(outcome.result(), payload);
    }
}
