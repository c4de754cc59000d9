// SPDX-License-Identifier: GPL-2.0

//! What `statfs(2)` tells.
//!
//! C header: [`include/linux/statfs.h`](srctree/include/linux/statfs.h).

use crate::bindings;

/// A `struct kstatfs` to be filled in, zeroed by the VFS.
#[repr(transparent)]
pub(crate) struct KStatFs(bindings::kstatfs);

/// The counts of a filesystem, in the units of `statvfs(3)`.
pub(crate) struct StatFsCounts {
    pub(crate) bsize: u32,
    pub(crate) frsize: u32,
    pub(crate) blocks: u64,
    pub(crate) bfree: u64,
    pub(crate) bavail: u64,
    pub(crate) files: u64,
    pub(crate) ffree: u64,
    pub(crate) namelen: u32,
}

impl KStatFs {
    /// Borrows one.
    ///
    /// # Safety
    ///
    /// `ptr` is an initialised `struct kstatfs`, the caller's alone for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::kstatfs) -> &'a mut Self {
        // SAFETY: The caller promises it; the layout is that of `struct kstatfs`.
        unsafe { &mut *ptr.cast() }
    }

    /// Sets the magic number of the filesystem's type.
    pub(crate) fn set_type(&mut self, magic: u32) {
        self.0.f_type = magic as isize;
    }

    /// Sets the counts.
    pub(crate) fn set_counts(&mut self, counts: &StatFsCounts) {
        self.0.f_bsize = counts.bsize as isize;
        self.0.f_frsize = counts.frsize as isize;
        self.0.f_blocks = counts.blocks;
        self.0.f_bfree = counts.bfree;
        self.0.f_bavail = counts.bavail;
        self.0.f_files = counts.files;
        self.0.f_ffree = counts.ffree;
        self.0.f_namelen = counts.namelen as isize;
    }
}
