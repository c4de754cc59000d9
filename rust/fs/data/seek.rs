// SPDX-License-Identifier: GPL-2.0

//! Moving the position of regular files.
//!
//! C counterpart: `fuse_file_llseek()` (file.c). Takes `i_rwsem`, and may sleep, where the end is
//! asked for.

use crate::{
    fs::{
        attr::getattr,
        File, //
    },
    kapi::vfs::{
        fcntl::{
            SEEK_CUR,
            SEEK_DATA,
            SEEK_END,
            SEEK_HOLE,
            SEEK_SET, //
        },
        stat::STATX_SIZE, //
    },
};
use kernel::prelude::*;

/// `llseek`.
pub(in crate::fs) fn llseek(file: &File, offset: i64, whence: i32) -> Result<i64> {
    let inode = file.inode();
    match u32::try_from(whence)? {
        SEEK_SET | SEEK_CUR => file.generic_file_llseek(offset, whence),
        // LSEEK comes with sparse files; until then all is data up to the end, as with a daemon
        // that does not know LSEEK.
        SEEK_END | SEEK_DATA | SEEK_HOLE => {
            let _lock = inode.lock()?;
            getattr::update_attributes(inode, Some(file), STATX_SIZE)?;
            file.generic_file_llseek(offset, whence)
        }
        _ => Err(EINVAL),
    }
}
