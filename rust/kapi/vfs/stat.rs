// SPDX-License-Identifier: GPL-2.0

//! File modes, times and what `stat` reports.
//!
//! C headers: [`include/linux/stat.h`](srctree/include/linux/stat.h),
//! [`include/uapi/linux/stat.h`](srctree/include/uapi/linux/stat.h),
//! [`include/linux/time64.h`](srctree/include/linux/time64.h).

use super::{
    inode::Inode,
    mnt_idmapping::MntIdmap, //
};
use crate::{
    bindings,
    kapi::{
        task::uidgid::{
            Kgid,
            Kuid, //
        },
        types::Types, //
    },
};

pub(crate) const S_IFMT: u16 = bindings::S_IFMT as u16;
pub(crate) const S_IFREG: u16 = bindings::S_IFREG as u16;
pub(crate) const S_IFDIR: u16 = bindings::S_IFDIR as u16;
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
    STATX_CTIME,
    STATX_GID,
    STATX_MODE,
    STATX_MTIME,
    STATX_NLINK,
    STATX_SIZE,
    STATX_UID, //
};

/// `S_ISDIR()`.
pub(crate) fn s_isdir(mode: u16) -> bool {
    mode & S_IFMT == S_IFDIR
}

/// `S_ISREG()`.
pub(crate) fn s_isreg(mode: u16) -> bool {
    mode & S_IFMT == S_IFREG
}

/// `new_encode_dev()`: a device number as user space and the wire have it.
pub(crate) fn new_encode_dev(dev: u32) -> u32 {
    let (major, minor) = (dev >> 20, dev & 0xf_ffff);
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// `new_decode_dev()`: the kernel's own form of a device number on the wire.
pub(crate) fn new_decode_dev(dev: u32) -> u32 {
    let major = (dev & 0xf_ff00) >> 8;
    let minor = (dev & 0xff) | ((dev >> 12) & 0xf_ff00);
    (major << 20) | minor
}

/// A `struct timespec64`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timespec64 {
    /// Seconds since the epoch.
    pub(crate) sec: i64,
    /// Nanoseconds, below 10^9.
    pub(crate) nsec: u32,
}

impl Timespec64 {
    /// The C form.
    pub(in crate::kapi) fn into_raw(self) -> bindings::timespec64 {
        bindings::timespec64 {
            tv_sec: self.sec,
            tv_nsec: self.nsec as isize,
        }
    }

    /// From the C form; the nanoseconds of a valid `struct timespec64` fit.
    pub(in crate::kapi) fn from_raw(raw: bindings::timespec64) -> Self {
        Self {
            sec: raw.tv_sec,
            nsec: raw.tv_nsec as u32,
        }
    }
}

/// A `struct kstat`: what `stat` and `statx` report.
#[repr(transparent)]
pub(crate) struct Kstat(bindings::kstat);

impl Kstat {
    /// Borrows what the VFS wants filled in.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, initialised and not used otherwise for `'a`.
    pub(in crate::kapi) unsafe fn from_raw<'a>(ptr: *mut bindings::kstat) -> &'a mut Self {
        // SAFETY: The caller's promise; the layout is that of `struct kstat`.
        unsafe { &mut *ptr.cast() }
    }

    /// Fills in everything from the inode (`generic_fillattr()`).
    pub(crate) fn generic_fillattr<T: Types>(
        &mut self,
        idmap: &MntIdmap,
        request_mask: u32,
        inode: &Inode<T>,
    ) {
        // SAFETY: All three are alive.
        unsafe {
            bindings::generic_fillattr(idmap.as_ptr(), request_mask, inode.as_ptr(), &mut self.0)
        };
    }

    /// Sets which fields are valid (`STATX_*`).
    pub(crate) fn set_result_mask(&mut self, mask: u32) {
        self.0.result_mask = mask;
    }

    /// The device of the superblock that `inode` is on.
    pub(crate) fn set_dev<T: Types>(&mut self, inode: &Inode<T>) {
        // SAFETY: The inode and its superblock are alive; `s_dev` does not change.
        self.0.dev = unsafe { (*(*inode.as_ptr()).i_sb).s_dev };
    }

    /// The inode number.
    pub(crate) fn set_ino(&mut self, ino: u64) {
        self.0.ino = ino;
    }

    /// Type and permissions.
    pub(crate) fn set_mode(&mut self, mode: u16) {
        self.0.mode = mode;
    }

    /// The number of links.
    pub(crate) fn set_nlink(&mut self, nlink: u32) {
        self.0.nlink = nlink;
    }

    /// The owner, as seen through the mount.
    pub(crate) fn set_uid(&mut self, uid: Kuid) {
        self.0.uid = uid.into_raw();
    }

    /// The group, as seen through the mount.
    pub(crate) fn set_gid(&mut self, gid: Kgid) {
        self.0.gid = gid.into_raw();
    }

    /// The device that a device node names, in the kernel's own encoding.
    pub(crate) fn set_rdev(&mut self, rdev: u32) {
        self.0.rdev = rdev;
    }

    /// The size in bytes.
    pub(crate) fn set_size(&mut self, size: i64) {
        self.0.size = size;
    }

    /// The space used, in units of 512 bytes.
    pub(crate) fn set_blocks(&mut self, blocks: u64) {
        self.0.blocks = blocks;
    }

    /// The preferred size of an access, as its log2.
    pub(crate) fn set_blkbits(&mut self, bits: u8) {
        self.0.blksize = 1u32.checked_shl(bits.into()).unwrap_or(0);
    }

    /// Access, modification and change time.
    pub(crate) fn set_times(&mut self, atime: Timespec64, mtime: Timespec64, ctime: Timespec64) {
        self.0.atime = atime.into_raw();
        self.0.mtime = mtime.into_raw();
        self.0.ctime = ctime.into_raw();
    }
}
