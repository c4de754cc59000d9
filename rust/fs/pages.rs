// SPDX-License-Identifier: GPL-2.0

//! Dropping pages of regular files, and who may be killed while waiting for those that are being read.
//!
//! C counterpart: the calls of `invalidate_inode_pages2()`, `truncate_pagecache()` and their like in
//! `file.c`, `dir.c` and `inode.c`. Takes folio locks.
//!
//! A page that is being read is locked until the daemon has answered. With parameter `killable` who waits
//! for one may be killed. What must be done all the same is done by others ([`finish`]): pages beyond a new
//! end would come to light when the file grows, and those that were read before a write are never asked for
//! again.

use super::{
    held::Held,
    Inode, //
};
use crate::{
    kapi::{
        lockdep::DoingLeft,
        moduleparam::killable,
        truncate,
        wait::Signals, //
    },
    transport::Later,
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// The last page that a file can have.
const LAST_PAGE: usize = usize::MAX;

/// The signals that end a wait for the lock of a folio.
pub(super) fn signals() -> Signals {
    if killable() {
        Signals::Fatal
    } else {
        Signals::None
    }
}

/// Drops all pages that are clean (`invalidate_inode_pages2()`). What cannot be dropped is in use, and
/// stays.
///
/// # Errors
///
/// EINTR if killed; it is done all the same.
pub(super) fn drop_clean(inode: &Inode) -> Result {
    match truncate::invalidate_inode_pages2(inode, signals()) {
        Err(e) if e == EINTR => {
            finish(inode, Rest::Drop(0, LAST_PAGE));
            Err(e)
        }
        _ => Ok(()),
    }
}

/// Makes way for a write past the page cache to the pages from `first` to `last`, included
/// (`invalidate_inode_pages2_range()`).
///
/// # Errors
///
/// EBUSY if one is in use; EINTR if killed, and then some are still there.
pub(super) fn drop_range(inode: &Inode, first: usize, last: usize) -> Result {
    truncate::invalidate_inode_pages2_range(inode, first, last, signals())
}

/// The same after the write, for those who have read meanwhile.
///
/// # Errors
///
/// EBUSY if one is in use and stays.
pub(super) fn drop_written(inode: &Inode, first: usize, last: usize) -> Result {
    match drop_range(inode, first, last) {
        Err(e) if e == EINTR => {
            finish(inode, Rest::Drop(first, last));
            Ok(())
        }
        result => result,
    }
}

/// Drops what lies from `start` to `end`, included (`truncate_pagecache_range()`).
///
/// # Errors
///
/// EINTR if killed, and then some is still there.
pub(super) fn truncate_range(inode: &Inode, start: i64, end: i64) -> Result {
    truncate::truncate_pagecache_range(inode, start, end, signals())
}

/// The file ends at `size` now: drops what lies beyond (`truncate_pagecache()`).
///
/// # Errors
///
/// EINTR if killed; it is done all the same.
pub(super) fn truncate(inode: &Inode, size: i64) -> Result {
    truncate::truncate_pagecache(inode, size, signals())
        .inspect_err(|_| finish(inode, Rest::Truncate(size)))
}

/// The daemon has said that the file's size is another one, `size`: drops what lies beyond, and what is
/// clean.
pub(super) fn resized(inode: &Inode, size: i64) {
    if truncate(inode, size).is_ok() {
        // Of a killed caller others take care.
        let _ = drop_clean(inode);
    }
}

/// The same after SETATTR, with the old size.
pub(super) fn set_size(inode: &Inode, old_size: i64, size: i64) {
    // What was mapped beyond the old end must not come to light.
    if size > old_size && truncate_range(inode, old_size, size.saturating_sub(1)).is_err() {
        finish(inode, Rest::Truncate(old_size));
    } else {
        resized(inode, size);
    }
}

/// What a killed caller has not done.
#[derive(Clone, Copy)]
enum Rest {
    /// To drop what lies beyond a size, which the file has or had, and then what is clean.
    Truncate(i64),
    /// To drop the pages from the first to the last, included, that are clean.
    Drop(usize, usize),
}

fn finish(inode: &Inode, rest: Rest) {
    // Where there is no memory for that, the killed caller has to wait.
    if Finishing::queue(inode, rest).is_err() {
        finish_now(inode, rest);
    }
}

/// Does it; no signal ends it.
fn finish_now(inode: &Inode, rest: Rest) {
    // What cannot be dropped is in use, and stays.
    let _ = match rest {
        Rest::Truncate(size) => truncate::truncate_pagecache(inode, size, Signals::None)
            .and_then(|()| truncate::invalidate_inode_pages2(inode, Signals::None)),
        Rest::Drop(first, last) => {
            truncate::invalidate_inode_pages2_range(inode, first, last, Signals::None)
        }
    };
}

/// What a killed caller has not done, for a work item. Until then the inode is held as it was by the caller.
struct Finishing {
    inode: ARef<Inode>,
    rest: Rest,
    held: Held,
}

impl Finishing {
    /// Leaves it to the work item.
    ///
    /// # Errors
    ///
    /// ENOMEM, EAGAIN.
    fn queue(inode: &Inode, rest: Rest) -> Result {
        let conn = inode.conn();
        let mut held = Held::new(conn)?;
        held.inode(inode)?;
        let finishing = Self {
            inode: inode.into(),
            rest,
            held,
        };
        conn.chan.later(KBox::new(finishing, GFP_KERNEL_ACCOUNT)?)
    }
}

impl Later for Finishing {
    fn run(self: KBox<Self>) {
        let Self { inode, rest, held } = KBox::into_inner(self);
        let _doing = DoingLeft::new();
        finish_now(&inode, rest);
        drop(held);
    }
}
