// SPDX-License-Identifier: GPL-2.0

//! What is known of a directory's entries in its page cache (FOPEN_CACHE_DIR): how far they go, and
//! whether they are still true.
//!
//! C counterpart: `fi->rdc`, `fuse_rdc_reset()` (readdir.c). Takes the inode's lock.
//!
//! The pages hold entries as a READDIR brings them, none across the end of a page, each page
//! cleared before its first one. The memory for this is there once somebody has opened the
//! directory so.

use crate::{
    fs::Inode,
    kapi::{
        page_cache::dir_page::DirPage,
        time::time64::Timespec64, //
    },
};
use kernel::{
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*, //
};

/// What the pages hold.
#[derive(Default)]
pub(in crate::fs) struct DirCache {
    /// All of the directory.
    complete: bool,
    /// Bytes, with what is left at the ends of pages.
    size: usize,
    /// The directory's position after the last entry.
    pos: i64,
    /// Changes when all is dropped.
    version: u64,
    /// What the directory was like when the first entry was asked for.
    of: DirState,
}

/// What tells whether a directory has changed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct DirState {
    mtime: Timespec64,
    iversion: u64,
    epoch: u32,
}

impl DirCache {
    /// All is dropped.
    fn reset(&mut self) {
        *self = Self {
            version: self.version.wrapping_add(1),
            ..Self::default()
        };
    }
}

/// Where a reader is in the pages.
#[derive(Clone, Copy, Default)]
pub(in crate::fs) struct Stream {
    /// The directory's position there.
    pub(in crate::fs) pos: i64,
    /// Bytes before it.
    pub(in crate::fs) offset: usize,
    /// Of the pages.
    pub(in crate::fs) version: u64,
}

/// What a reader finds next.
pub(in crate::fs) enum Next {
    /// The directory is to be asked for.
    Uncached,
    /// The end of the directory.
    End,
    /// Entries in this page, up to so many bytes from its beginning.
    In {
        /// Which page.
        index: usize,
        /// From where on.
        offset: usize,
        /// To where.
        end: usize,
    },
}

/// Whether a page could be copied.
#[derive(PartialEq, Eq)]
pub(in crate::fs) enum Copied {
    /// It was.
    All,
    /// The pages have changed: to be looked at anew.
    Changed,
}

impl Inode {
    /// Sees to it that there is the memory for this; whether there is. May sleep.
    pub(in crate::fs) fn prepare_dir_cache(&self) -> bool {
        if self.lock_inner().dir_cache.is_some() {
            return true;
        }
        let Ok(new) = KBox::new(DirCache::default(), GFP_KERNEL_ACCOUNT) else {
            return false;
        };
        let mut new = Some(new);
        {
            let mut inner = self.lock_inner();
            if inner.dir_cache.is_none() {
                inner.dir_cache = new.take();
            }
        }
        // If somebody else was quicker, it is dropped here, without the lock.
        true
    }

    /// What the directory is like now.
    fn dir_state(&self, iversion: u64) -> DirState {
        DirState {
            mtime: self.inode_get_mtime(),
            iversion,
            epoch: self.conn().epoch(),
        }
    }

    /// What a reader at the directory's position `pos` finds next. One that begins sees whether the
    /// directory has changed.
    pub(in crate::fs) fn next_in_dir_cache(&self, stream: &mut Stream, pos: i64) -> Next {
        let mut inner = self.lock_inner();
        let Some(cache) = &mut inner.dir_cache else {
            return Next::Uncached;
        };
        if cache.complete && pos == 0 && cache.of != self.dir_state(self.inode_peek_iversion()) {
            cache.reset();
        }
        if !cache.complete {
            if pos == 0 && cache.size == 0 {
                cache.of = self.dir_state(self.inode_query_iversion());
            }
            return Next::Uncached;
        }
        if stream.version != cache.version {
            (stream.pos, stream.offset) = (0, 0);
        }
        if stream.pos == 0 {
            stream.version = cache.version;
        }
        let (index, offset) = split(stream.offset);
        let end = match split(cache.size) {
            (last, end) if last == index => end,
            _ => PAGE_SIZE,
        };
        if offset == end {
            return Next::End;
        }
        Next::In { index, offset, end }
    }

    /// Copies what a reader has found in a page, `len` bytes at most, for which `to` has the
    /// capacity; none: the page is gone, and all is dropped.
    pub(in crate::fs) fn copy_from_dir_cache(
        &self,
        stream: &Stream,
        page: Option<&DirPage>,
        offset: usize,
        len: usize,
        to: &mut KVVec<u8>,
    ) -> Copied {
        to.clear();
        let mut inner = self.lock_inner();
        let cache = inner.dir_cache.as_mut();
        let Some(cache) = cache.filter(|cache| cache.version == stream.version) else {
            return Copied::Changed;
        };
        match page.filter(|page| page.is_started()) {
            Some(page) => {
                page.read(offset, len, to);
                Copied::All
            }
            None => {
                cache.reset();
                Copied::Changed
            }
        }
    }

    /// A READDIR at `pos` says that the directory ends there. From which page on there is nothing,
    /// if the pages are complete now.
    pub(in crate::fs) fn end_dir_cache(&self, pos: i64) -> Option<usize> {
        let mut inner = self.lock_inner();
        let cache = inner.dir_cache.as_mut()?;
        if cache.pos != pos {
            return None;
        }
        cache.complete = true;
        Some(cache.size.div_ceil(PAGE_SIZE))
    }
}

/// The page that an offset is in, and where in it.
fn split(offset: usize) -> (usize, usize) {
    (offset >> PAGE_SHIFT, offset & (PAGE_SIZE - 1))
}

/// Adds entries to the pages as they come.
pub(in crate::fs) struct Filler<'a> {
    dir: &'a Inode,
    /// The page that the last entry was written to, if this was done here, and where.
    page: Option<(Place, DirPage)>,
}

/// Where an entry goes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    index: usize,
    offset: usize,
    version: u64,
    size: usize,
}

impl<'a> Filler<'a> {
    /// For the entries of one READDIR.
    pub(in crate::fs) fn new(dir: &'a Inode) -> Self {
        Self { dir, page: None }
    }

    /// Adds an entry, if it comes after the last one: it was read at position `pos`, and the next
    /// one comes at `next`. May sleep. What has no place is left out.
    pub(in crate::fs) fn add(&mut self, pos: i64, next: i64, head: &[u8], name: &[u8]) {
        let len = head.len().saturating_add(name.len());
        let len = len.next_multiple_of(size_of::<u64>());
        if len > PAGE_SIZE {
            return;
        }
        // Kept by whoever writes to it. One who is too late may have found a page that was dropped
        // and made anew since: the version is the same, but the cache has another page there.
        let mut found = self.page.take();
        let mut wanted = None;
        loop {
            let mut inner = self.dir.lock_inner();
            let Some((cache, place)) = place(inner.dir_cache.as_deref_mut(), pos, len) else {
                return;
            };
            match &found {
                // Somebody else was quicker.
                _ if wanted.is_some_and(|wanted| wanted != place) => return,
                Some((at, page)) if at.index == place.index && at.version == place.version => {
                    if place.offset == 0 {
                        page.start();
                    }
                    page.write(place.offset, head);
                    page.write(place.offset.saturating_add(head.len()), name);
                    cache.size = (place.index << PAGE_SHIFT) | place.offset;
                    cache.size = cache.size.saturating_add(len);
                    cache.pos = next;
                    self.page = found;
                    return;
                }
                _ => wanted = Some(place),
            }
            drop(inner);
            let page = if place.offset == 0 {
                DirPage::find_or_make(self.dir, place.index)
            } else {
                DirPage::find(self.dir, place.index)
            };
            match page {
                Some(page) => found = Some((place, page)),
                None => return,
            }
        }
    }
}

/// Where an entry of `len` bytes at position `pos` goes; none if it does not come after the last
/// one.
fn place(cache: Option<&mut DirCache>, pos: i64, len: usize) -> Option<(&mut DirCache, Place)> {
    let cache = cache?;
    if cache.complete || cache.pos != pos {
        return None;
    }
    let (index, offset) = split(cache.size);
    let fits = offset.saturating_add(len) <= PAGE_SIZE;
    let place = Place {
        index: if fits { index } else { index.checked_add(1)? },
        offset: if fits { offset } else { 0 },
        version: cache.version,
        size: cache.size,
    };
    Some((cache, place))
}
