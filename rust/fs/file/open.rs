// SPDX-License-Identifier: GPL-2.0

//! Opening and closing regular files.
//!
//! C counterpart: `fuse_open()`, `fuse_finish_open()`, `fuse_release()` in `file.c`. Takes the
//! inode's lock.

use super::fuse_file::{
    atomic_o_trunc,
    FuseFile,
    Kind, //
};
use crate::{
    abi::OpenOutFlags,
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
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// `open(2)` of a file that is there.
pub(in crate::fs) fn open(inode: &Inode, file: &OpeningFile) -> Result<Arc<FuseFile>> {
    inode.settle();
    inode.check_bad()?;
    file.generic_file_open(inode)?;

    let data = FuseFile::open(inode, file.flags(), Kind::File)?;
    if let Err(e) = finish_open(inode, file, &data) {
        data.sync_release(file.flags(), false);
        return Err(e);
    }

    if let Err(e) = drop_stale(inode, &data, file.flags()) {
        data.sync_release(file.flags(), false);
        return Err(e);
    }
    Ok(data)
}

/// Drops the pages that an open with `flags` leaves no use for: all, if OPEN has truncated the file, and what is
/// clean, unless the daemon says that it is still good.
///
/// # Errors
///
/// EINTR if killed; it is done all the same.
pub(in crate::fs) fn drop_stale(inode: &Inode, file: &FuseFile, flags: u32) -> Result {
    if flags & O_TRUNC != 0 && atomic_o_trunc(&file.conn) {
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
    iomode::open(data, inode)?;

    if data.open_flags.contains(OpenOutFlags::STREAM) {
        file.stream_open(inode);
    } else if data.open_flags.contains(OpenOutFlags::NONSEEKABLE) {
        file.nonseekable_open(inode);
    }
    Ok(())
}
