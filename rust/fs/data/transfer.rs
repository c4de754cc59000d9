// SPDX-License-Identifier: GPL-2.0

//! `read(2)` and `write(2)` of regular files: through the page cache, or past it.
//!
//! C counterpart: `fuse_file_read_iter()`, `fuse_file_write_iter()` (file.c). Takes no locks.

use super::{
    direct_io,
    read,
    write, //
};
use crate::{
    fs::Fuse,
    kapi::{
        mm::iov::{
            Dest,
            IovIter,
            Source, //
        },
        vfs::kiocb::Kiocb, //
    },
};
use kernel::prelude::*;

/// `read_iter`.
pub(in crate::fs) fn read_iter(
    iocb: &mut Kiocb<'_, Fuse>,
    to: &mut IovIter<Dest>,
) -> Result<usize> {
    let file = iocb.file();
    file.inode().settle();
    file.inode().check_bad()?;
    if file.data().is_direct() {
        direct_io::direct_read_iter(iocb, to)
    } else {
        read::cache_read_iter(iocb, to)
    }
}

/// `write_iter`.
pub(in crate::fs) fn write_iter(
    iocb: &mut Kiocb<'_, Fuse>,
    from: &mut IovIter<Source>,
) -> Result<usize> {
    let file = iocb.file();
    file.inode().check_bad()?;
    if file.data().is_direct() {
        direct_io::direct_write_iter(iocb, from)
    } else {
        write::cache_write_iter(iocb, from)
    }
}
