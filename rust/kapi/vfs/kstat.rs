// SPDX-License-Identifier: GPL-2.0

//! What `stat` and `statx` report.
//!
//! C header: [`include/linux/stat.h`](srctree/include/linux/stat.h) (`struct kstat`).

use super::{
    inode::Inode,
    mnt_idmapping::MntIdmap,
    types::Types, //
};
use crate::{
    bindings,
    kapi::{
        task::uidgid::Kgid,
        time::time64::Timespec64, //
    },
};
use kernel::task::Kuid;

/// A `struct kstat`: what `stat` and `statx` report.
#[repr(transparent)]
pub(crate) struct Kstat(bindings::kstat);

impl Kstat {
    /// Borrows what the VFS wants filled in.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, initialised and not used otherwise for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::kstat) -> &'a mut Self {
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

    /// Sets that these fields are valid too.
    pub(crate) fn add_result_mask(&mut self, mask: u32) {
        self.0.result_mask |= mask;
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

    /// The time of birth, which counts with `STATX_BTIME` in the result mask.
    pub(crate) fn set_btime(&mut self, btime: Timespec64) {
        self.0.btime = btime.into_raw();
    }
}
