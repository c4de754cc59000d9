// SPDX-License-Identifier: GPL-2.0

//! Dropping pages of regular files, where a page may be locked for as long as the daemon reads it.
//!
//! C counterpart: the calls of `invalidate_inode_pages2()`, `truncate_pagecache()` and their like
//! in `file.c`, `dir.c` and `inode.c`. Takes folio locks.
//!
//! A page that is being read is locked until the daemon has answered. With parameter `killable` a
//! task that waits for one may be killed. What it was to drop is then dropped in its place
//! ([`finish`]): pages beyond a new end would come to light when the file grows, and those that
//! were read before a write are never asked for again. The work item that does what killed callers
//! have left waits for no page at all, and comes back later.

use crate::{
    fs::{
        conn::rest::{
            Pages,
            Rest, //
        },
        request::held::Held,
        Inode, //
    },
    kapi::{
        fuse::moduleparam::killable,
        page_cache::truncate::{
            self,
            Waits, //
        },
        sync::wait::Signals, //
    },
    transport::{
        Left,
        Next, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// The last page that a file can have.
const LAST_PAGE: usize = usize::MAX;

/// The signals that end a wait for what others do with pages.
pub(in crate::fs) fn signals() -> Signals {
    if killable() {
        Signals::Fatal
    } else {
        Signals::None
    }
}

/// How the current task waits for folios that are to be dropped.
fn waits(inode: &Inode) -> Waits {
    if inode.conn().left.is_doing() {
        Waits::Never
    } else if killable() {
        Waits::Killably
    } else {
        Waits::Always
    }
}

/// Drops all pages that are clean (`invalidate_inode_pages2()`). What cannot be dropped is in use,
/// and stays.
///
/// # Errors
///
/// EINTR if killed; it is done all the same.
pub(in crate::fs) fn drop_clean(inode: &Inode) -> Result {
    let dropped = truncate::invalidate_inode_pages2(inode, waits(inode));
    match finish_unless_done(inode, dropped, (0, LAST_PAGE)) {
        Err(e) if e == EINTR => Err(e),
        _ => Ok(()),
    }
}

/// Makes way for a write past the page cache to the pages from `first` to `last`, included
/// (`invalidate_inode_pages2_range()`).
///
/// # Errors
///
/// EBUSY if one is in use; EINTR if killed, and then some are still there.
pub(in crate::fs) fn drop_range(inode: &Inode, first: usize, last: usize) -> Result {
    truncate::invalidate_inode_pages2_range(inode, first, last, waits(inode))
}

/// The same after the write, for those who have read meanwhile.
///
/// # Errors
///
/// EBUSY if one is in use and stays.
pub(in crate::fs) fn drop_written(inode: &Inode, first: usize, last: usize) -> Result {
    let dropped = drop_range(inode, first, last);
    match finish_unless_done(inode, dropped, (first, last)) {
        Err(e) if e == EINTR => Ok(()),
        result => result,
    }
}

/// Drops the pages from `first` to `last`, included, of which the daemon says that they are out of
/// date. What cannot be dropped is in use, and stays, as in C.
///
/// # Errors
///
/// EINTR if killed, and then some are still there.
pub(in crate::fs) fn drop_outdated(inode: &Inode, first: usize, last: usize) -> Result {
    match drop_range(inode, first, last) {
        Err(e) if e == EINTR => Err(e),
        _ => Ok(()),
    }
}

/// Drops what lies from `start` to `end`, included (`truncate_pagecache_range()`).
///
/// # Errors
///
/// EINTR if killed, and then some is still there.
pub(in crate::fs) fn truncate_range(inode: &Inode, start: i64, end: i64) -> Result {
    truncate::truncate_pagecache_range(inode, start, end, waits(inode))
}

/// The file ends at `size` now: drops what lies beyond (`truncate_pagecache()`).
///
/// # Errors
///
/// EINTR if killed; it is done all the same.
pub(in crate::fs) fn truncate(inode: &Inode, size: i64) -> Result {
    let dropped = truncate::truncate_pagecache(inode, size, waits(inode));
    finish_unless_done(inode, dropped, (0, LAST_PAGE))
}

/// The daemon has said that the file's size is another one, `size`: drops what lies beyond, and
/// what is clean.
pub(super) fn resized(inode: &Inode, size: i64) {
    if truncate(inode, size).is_ok() {
        // Of a killed caller others take care.
        let _ = drop_clean(inode);
    }
}

/// The same after SETATTR, with the old size.
pub(in crate::fs) fn set_size(inode: &Inode, old_size: i64, size: i64) {
    // What was mapped beyond the old end must not come to light.
    if size > old_size && truncate_range(inode, old_size, size.saturating_sub(1)).is_err() {
        finish(inode, (0, LAST_PAGE));
    } else {
        resized(inode, size);
    }
}

/// Sees to it that pages are dropped that would have been waited for.
///
/// # Errors
///
/// Those of `result`, but not EAGAIN.
fn finish_unless_done(inode: &Inode, result: Result, pages: Pages) -> Result {
    match result {
        Err(e) if e == EINTR => {
            finish(inode, pages);
            Err(e)
        }
        Err(e) if e == EAGAIN => {
            finish(inode, pages);
            Ok(())
        }
        result => result,
    }
}

/// Leaves the rest of the pages to the work item that does what killed callers have left: the
/// current task is that work item, or is killed. Where there is no memory for that, it has to wait.
fn finish(inode: &Inode, pages: Pages) {
    let left = &inode.conn().left;
    let rest = Rest::new(inode, pages);
    let (done, waits) = if left.is_doing() {
        // Whoever goes through several files looks after each whether there is a rest. Waiting here
        // could be for what this task alone does.
        (left.put_rest(rest), Waits::Never)
    } else {
        (Finishing::queue(rest).is_ok(), Waits::Always)
    };
    if !done {
        let (first, last) = pages;
        // What cannot be dropped is in use, and stays.
        let _ = truncate::invalidate_inode_pages2_range(inode, first, last, waits);
    }
}

/// What a killed caller has not done. Until then the inode is held as it was by the caller.
struct Finishing {
    rest: Rest,
    held: Held,
}

impl Finishing {
    /// Leaves it to the work item.
    ///
    /// # Errors
    ///
    /// ENOMEM, EAGAIN.
    fn queue(rest: Rest) -> Result {
        let inode = ARef::from(rest.inode());
        let conn = inode.conn();
        let mut held = Held::new(conn)?;
        held.inode(&inode)?;
        let finishing = KBox::new(Self { rest, held }, GFP_KERNEL_ACCOUNT)?;
        conn.chan.later(finishing)
    }
}

impl Left for Finishing {
    fn go_on(&mut self) -> Next {
        let _doing = self.held.doing();
        if self.rest.go_on() {
            Next::Done
        } else {
            Next::Again
        }
    }
}
