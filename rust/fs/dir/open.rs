// SPDX-License-Identifier: GPL-2.0

//! Opening directories.
//!
//! C counterpart: `fuse_dir_open()` (dir.c). Takes no locks.

use crate::{
    abi::OpenOutFlags,
    fs::{
        file::fuse_file::{
            FuseFile,
            Kind, //
        },
        inode::pages,
        Inode,
        OpeningFile, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// `open` of a directory.
pub(in crate::fs) fn open(inode: &Inode, file: &OpeningFile) -> Result<Arc<FuseFile>> {
    inode.check_bad()?;
    file.generic_file_open(inode)?;

    let data = FuseFile::open(inode, file.flags(), Kind::Dir)?;
    data.attach(inode);
    // Old daemons may rely on these, though they are of little use for directories.
    if data.open_flags.contains(OpenOutFlags::STREAM)
        || data.open_flags.contains(OpenOutFlags::NONSEEKABLE)
    {
        file.nonseekable_open(inode);
    }
    if !data.open_flags.contains(OpenOutFlags::KEEP_CACHE) {
        // A directory has no pages that anybody reads.
        let _ = pages::drop_clean(inode);
    }
    Ok(data)
}
