// SPDX-License-Identifier: GPL-2.0

//! Reading a directory from its page cache (FOPEN_CACHE_DIR), and filling that.
//!
//! C counterpart: `fuse_readdir_cached()`, `fuse_parse_cache()`, `fuse_add_dirent_to_cache()`,
//! `fuse_readdir_cache_end()` (readdir.c).
//!
//! Called with the directory's `i_rwsem` held shared. Takes the inode's lock. Entries are copied
//! before they are handed over: that may fault, and ask a daemon that waits for a page of this very
//! directory.

use crate::{
    abi::{
        Dirent,
        Dirents,
        InitFlags,
        OpenOutFlags, //
    },
    fs::{
        attr::getattr,
        inode::dir_cache::{
            Copied,
            Filler,
            Next,
            Stream, //
        },
        File, //
    },
    kapi::{
        page_cache::dir_page::{
            truncate_dir_pages,
            DirPage, //
        },
        vfs::{
            dir_context::DirContext,
            stat::STATX_MTIME, //
        },
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Whether the reader has all that it gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cached {
    /// It has.
    Done,
    /// The daemon is to be asked.
    Uncached,
}

/// Whether the daemon wants this open directory cached.
fn is_cached(file: &File) -> bool {
    file.data().open_flags.contains(OpenOutFlags::CACHE_DIR)
}

/// Hands over what is cached, as much as there is room for.
pub(super) fn read(file: &File, ctx: &mut DirContext) -> Result<Cached> {
    if !is_cached(file) {
        return Ok(Cached::Uncached);
    }
    let inode = file.inode();
    let mut stream = file.data().stream.get();
    if stream.pos != ctx.pos() {
        // From the beginning, to look for the position.
        (stream.pos, stream.offset) = (0, 0);
    }
    // Whoever begins to read what is cached, or to cache, needs to know whether it has changed.
    if ctx.pos() == 0 && inode.conn().agreed(InitFlags::AUTO_INVAL_DATA) {
        getattr::update_attributes(inode, Some(file), STATX_MTIME)?;
    }
    if !inode.prepare_dir_cache() {
        return Ok(Cached::Uncached);
    }
    let result = read_pages(file, &mut stream, ctx);
    file.data().stream.set(stream);
    result
}

/// The same, from where the reader is.
fn read_pages(file: &File, stream: &mut Stream, ctx: &mut DirContext) -> Result<Cached> {
    let inode = file.inode();
    let mut copy = KVVec::with_capacity(PAGE_SIZE, GFP_KERNEL)?;
    loop {
        let (index, offset, end) = match inode.next_in_dir_cache(stream, ctx.pos()) {
            Next::Uncached => return Ok(Cached::Uncached),
            Next::End => return Ok(Cached::Done),
            Next::In { index, offset, end } => (index, offset, end),
        };
        let page = DirPage::find(inode, index);
        let len = end.saturating_sub(offset);
        if inode.copy_from_dir_cache(stream, page.as_ref(), offset, len, &mut copy)
            == Copied::Changed
        {
            continue;
        }
        match emit_page(&copy, stream, ctx) {
            Emitted::Full => return Ok(Cached::Done),
            _ if end == PAGE_SIZE => {
                stream.offset = stream.offset.next_multiple_of(PAGE_SIZE);
            }
            Emitted::Some => return Ok(Cached::Done),
            // The position is none of those that are cached.
            Emitted::None => return Ok(Cached::Uncached),
        }
    }
}

/// What was handed over of a page.
enum Emitted {
    /// Nothing: what was looked for is not there.
    None,
    /// All from the position on.
    Some,
    /// As much as there was room for.
    Full,
}

/// Hands over what of a page comes after the reader's position.
fn emit_page(page: &[u8], stream: &mut Stream, ctx: &mut DirContext) -> Emitted {
    let mut emitted = Emitted::None;
    // What follows the last entry is no entry.
    for entry in Dirents::new(page).map_while(Result::ok) {
        if stream.pos == ctx.pos() {
            emitted = Emitted::Some;
            if !emit(ctx, &entry) {
                return Emitted::Full;
            }
        }
        stream.pos = entry.off as i64;
        stream.offset = stream.offset.saturating_add(entry.record_len());
    }
    emitted
}

/// Hands over one entry; whether there was room.
pub(super) fn emit(ctx: &mut DirContext, entry: &Dirent<'_>) -> bool {
    let room = ctx.dir_emit(entry.name, entry.ino, entry.kind.into());
    if room {
        ctx.set_pos(entry.off as i64);
    }
    room
}

/// Takes entries as they come from the daemon.
pub(super) struct Cache<'a>(Option<Filler<'a>>);

impl<'a> Cache<'a> {
    /// Of an open directory, if it is to be cached.
    pub(super) fn new(file: &'a File) -> Self {
        Self(is_cached(file).then(|| Filler::new(file.inode())))
    }

    /// An entry that was read at position `pos`.
    #[inline]
    pub(super) fn add(&mut self, pos: i64, entry: &Dirent<'_>) {
        if let Some(filler) = &mut self.0 {
            filler.add(pos, entry.off as i64, &entry.head(), entry.name);
        }
    }
}

/// The daemon has nothing more: at position `pos` the directory ends.
pub(super) fn end(file: &File, pos: i64) {
    if !is_cached(file) {
        return;
    }
    if let Some(index) = file.inode().end_dir_cache(pos) {
        truncate_dir_pages(file.inode(), index);
    }
}
