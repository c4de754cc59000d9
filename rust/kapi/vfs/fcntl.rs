// SPDX-License-Identifier: GPL-2.0

//! Flags of open(2) and origins of lseek(2).
//!
//! C headers: [`include/uapi/asm-generic/fcntl.h`](srctree/include/uapi/asm-generic/fcntl.h),
//! [`include/uapi/linux/fs.h`](srctree/include/uapi/linux/fs.h).

pub(crate) use kernel::fs::file::flags::{
    O_ACCMODE,
    O_CREAT,
    O_DSYNC,
    O_EXCL,
    O_NOCTTY,
    O_RDONLY,
    O_RDWR,
    O_SYNC,
    O_TRUNC,
    O_WRONLY, //
};

/// `__FMODE_EXEC`: the file is opened to be executed (in `f_flags`, for the kernel alone).
pub(crate) const FMODE_EXEC: u32 = crate::bindings::FUSE_CONST_FMODE_EXEC;

pub(crate) use crate::bindings::{
    SEEK_CUR,
    SEEK_DATA,
    SEEK_END,
    SEEK_HOLE,
    SEEK_SET, //
};
