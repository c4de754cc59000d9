// SPDX-License-Identifier: GPL-2.0

//! What the kernel knows of the device behind a superblock: how far to read ahead.
//!
//! C header: [`include/linux/backing-dev.h`](srctree/include/linux/backing-dev.h).

use crate::bindings;
use kernel::types::Opaque;

/// A `struct backing_dev_info`.
#[repr(transparent)]
pub(crate) struct BackingDevInfo(Opaque<bindings::backing_dev_info>);

impl BackingDevInfo {
    /// Borrows a device.
    ///
    /// # Safety
    ///
    /// `ptr` is a device that stays alive for `'a`.
    pub(in crate::kapi) unsafe fn from_raw<'a>(ptr: *mut bindings::backing_dev_info) -> &'a Self {
        // SAFETY: The caller promises a live device; the layout is that of the C struct.
        unsafe { &*ptr.cast() }
    }

    /// Pages to read ahead.
    pub(crate) fn ra_pages(&self) -> usize {
        // SAFETY: A live device; C reads and writes this word without a lock.
        unsafe { (&raw const (*self.0.get()).ra_pages).read_volatile() }
    }

    /// Sets the pages to read ahead.
    pub(crate) fn set_ra_pages(&self, pages: usize) {
        // SAFETY: As in `ra_pages()`.
        unsafe { (&raw mut (*self.0.get()).ra_pages).write_volatile(pages) };
    }

    /// Sets the pages of one request that the device likes best.
    pub(crate) fn set_io_pages(&self, pages: usize) {
        // SAFETY: As in `ra_pages()`.
        unsafe { (&raw mut (*self.0.get()).io_pages).write_volatile(pages) };
    }
}
