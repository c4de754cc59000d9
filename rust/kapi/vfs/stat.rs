// SPDX-License-Identifier: GPL-2.0

//! File modes, device numbers, and the names of what `statx` can report.
//!
//! C headers: [`include/uapi/linux/stat.h`](srctree/include/uapi/linux/stat.h),
//! [`include/linux/stat.h`](srctree/include/linux/stat.h),
//! [`include/linux/kdev_t.h`](srctree/include/linux/kdev_t.h).

use crate::bindings;

pub(crate) const S_IFMT: u16 = bindings::S_IFMT as u16;
pub(crate) const S_IFREG: u16 = bindings::S_IFREG as u16;
pub(crate) const S_IFDIR: u16 = bindings::S_IFDIR as u16;
pub(crate) const S_IFLNK: u16 = bindings::S_IFLNK as u16;
pub(super) const S_IFCHR: u16 = bindings::S_IFCHR as u16;
pub(super) const S_IFBLK: u16 = bindings::S_IFBLK as u16;
pub(super) const S_IFIFO: u16 = bindings::S_IFIFO as u16;
pub(super) const S_IFSOCK: u16 = bindings::S_IFSOCK as u16;
pub(crate) const S_ISUID: u16 = bindings::S_ISUID as u16;
pub(crate) const S_ISGID: u16 = bindings::S_ISGID as u16;
pub(crate) const S_ISVTX: u16 = bindings::S_ISVTX as u16;
pub(crate) const S_IXGRP: u16 = bindings::S_IXGRP as u16;
/// Execute permission for anyone.
pub(crate) const S_IXUGO: u16 = (bindings::S_IXUSR | bindings::S_IXGRP | bindings::S_IXOTH) as u16;

pub(crate) use bindings::{
    AT_STATX_DONT_SYNC,
    AT_STATX_FORCE_SYNC,
    STATX_ATIME,
    STATX_BASIC_STATS,
    STATX_BLOCKS,
    STATX_BTIME,
    STATX_CTIME,
    STATX_GID,
    STATX_MODE,
    STATX_MTIME,
    STATX_NLINK,
    STATX_SIZE,
    STATX_UID, //
};

/// `S_ISDIR()`.
pub(super) fn s_isdir(mode: u16) -> bool {
    mode & S_IFMT == S_IFDIR
}

/// `S_ISREG()`.
pub(super) fn s_isreg(mode: u16) -> bool {
    mode & S_IFMT == S_IFREG
}

/// `MAJOR()` of a device number.
pub(super) const fn major(dev: u32) -> u32 {
    dev >> bindings::MINORBITS
}

/// `MINOR()` of a device number.
pub(super) const fn minor(dev: u32) -> u32 {
    dev & ((1 << bindings::MINORBITS) - 1)
}

/// `new_encode_dev()`: a device number as user space and the wire have it.
pub(crate) fn new_encode_dev(dev: u32) -> u32 {
    let (major, minor) = (major(dev), minor(dev));
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// `new_decode_dev()`: the kernel's own form of a device number on the wire.
pub(crate) fn new_decode_dev(dev: u32) -> u32 {
    let major = (dev & 0xf_ff00) >> 8;
    let minor = (dev & 0xff) | ((dev >> 12) & 0xf_ff00);
    (major << bindings::MINORBITS) | minor
}
