// SPDX-License-Identifier: GPL-2.0

//! What comes between the answer to OPEN and the end of open(2).
//!
//! C counterpart: `fuse_finish_open()`, `fuse_truncate_update_attr()` (file.c). Takes folio locks
//! and the inode's lock.

use super::fuse_file::FuseFile;
use crate::{
    abi::{
        InitFlags,
        OpenOutFlags, //
    },
    fs::{
        inode::{
            attr_cache,
            iomode,
            pages, //
        },
        Inode,
        OpeningFile, //
    },
    kapi::vfs::fcntl::O_TRUNC, //
};
use kernel::prelude::*;

/// Drops the pages that an open with `flags` leaves no use for: all, if OPEN has truncated the
/// file, and what is clean, unless the daemon says that it is still good.
///
/// # Errors
///
/// EINTR if killed; it is done all the same.
pub(super) fn drop_stale(inode: &Inode, file: &FuseFile, flags: u32) -> Result {
    if flags & O_TRUNC != 0 && file.conn.agreed(InitFlags::ATOMIC_O_TRUNC) {
        // The daemon has truncated it. mtime is the daemon's business (S_NOCMTIME).
        attr_cache::truncated_by_open(inode);
        pages::truncate(inode, 0)
    } else if !file.open_flags.contains(OpenOutFlags::KEEP_CACHE) {
        pages::drop_clean(inode)
    } else {
        Ok(())
    }
}

/// What both OPEN and CREATE end with (`fuse_finish_open()`).
///
/// # Errors
///
/// EIO if the daemon's flags make no sense; the file must be given back then.
pub(in crate::fs) fn finish_open(inode: &Inode, file: &OpeningFile, data: &FuseFile) -> Result {
    data.attach(inode);
    iomode::open(&data.cached_use, data.open_flags, inode)?;

    if data.open_flags.contains(OpenOutFlags::STREAM) {
        file.stream_open(inode);
    } else if data.open_flags.contains(OpenOutFlags::NONSEEKABLE) {
        file.nonseekable_open(inode);
    }
    Ok(())
}
