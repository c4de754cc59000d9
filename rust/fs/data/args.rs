// SPDX-License-Identifier: GPL-2.0

//! What a transfer is, and what the daemon is told of it.
//!
//! C counterpart: `fuse_write_flags()`, `fuse_io_past_eof()` (file.c). Takes no locks.

use crate::{
    fs::{
        Fuse,
        Inode, //
    },
    kapi::{
        mm::iov::{
            Direction,
            IovIter, //
        },
        vfs::{
            fcntl::{
                O_DSYNC,
                O_SYNC, //
            },
            kiocb::Kiocb, //
        },
    },
};

/// Whether a transfer goes beyond the end of the file, as far as is known (`fuse_io_past_eof()`).
pub(super) fn past_eof<D: Direction>(
    iocb: &Kiocb<'_, Fuse>,
    iter: &IovIter<D>,
    inode: &Inode,
) -> bool {
    // Positions and counts fit: the VFS has checked them.
    let count = i64::try_from(iter.count()).unwrap_or(i64::MAX);
    iocb.pos().saturating_add(count) > inode.i_size_read()
}

/// The flags of open(2) that WRITE tells (`fuse_write_flags()`).
pub(super) fn write_flags(iocb: &Kiocb<'_, Fuse>) -> u32 {
    let mut flags = iocb.file().flags();
    if iocb.is_dsync() {
        flags |= O_DSYNC;
    }
    if iocb.is_sync_write() {
        flags |= O_SYNC;
    }
    flags
}
