// SPDX-License-Identifier: GPL-2.0

//! The page cache of a directory, in which a filesystem may keep what it likes: nobody maps it,
//! reads it or writes it back.
//!
//! C header: [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h).
//!
//! Pages may be reclaimed at any time; one that has been lives on, out of the cache, as long as
//! somebody has it. Memory is reached by copying only. Whoever writes and whoever reads agree on a
//! lock of their own: a page's lock is not taken here.

use super::folio::Folio;
use crate::{
    bindings,
    kapi::{
        mm::append::append_with,
        vfs::{
            inode::Inode,
            types::Types, //
        },
    },
};
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef, //
};

/// A page of a directory's page cache, or one that was.
///
/// # Invariants
///
/// The folio is one page of the page cache of a directory, or has been.
pub(crate) struct DirPage(ARef<Folio>);

impl DirPage {
    /// The page at an index, if it is there.
    pub(crate) fn find<T: Types>(dir: &Inode<T>, index: usize) -> Option<Self> {
        Self::get(dir, index, false)
    }

    /// The same, made if it is not. May sleep. `None` without memory.
    pub(crate) fn find_or_make<T: Types>(dir: &Inode<T>, index: usize) -> Option<Self> {
        Self::get(dir, index, true)
    }

    fn get<T: Types>(dir: &Inode<T>, index: usize, make: bool) -> Option<Self> {
        if !dir.is_dir() {
            return None;
        }
        // SAFETY: The inode is live, hence its mapping.
        let folio = from_err_ptr(unsafe {
            bindings::filemap_get_unlocked((*dir.as_ptr()).i_mapping, index, make)
        });
        let folio = NonNull::new(folio.ok()?.cast::<Folio>())?;
        // SAFETY: The function returned a reference, which we take over.
        let folio = unsafe { ARef::from_raw(folio) };
        // INVARIANT: Just found there. Directories have no larger ones, of which we know.
        (folio.size() == PAGE_SIZE).then(|| Self(folio))
    }

    /// Whether somebody has [started](Self::start) it.
    pub(crate) fn is_started(&self) -> bool {
        self.0.is_uptodate()
    }

    /// Clears it.
    pub(crate) fn start(&self) {
        // SAFETY: By the type's invariant the range is in the folio, and nobody else has a use for
        // what is there.
        unsafe {
            bindings::folio_zero_range(self.0.as_ptr(), 0, PAGE_SIZE);
            bindings::folio_mark_uptodate(self.0.as_ptr());
        }
    }

    /// Whether `len` bytes at an offset are in the page.
    fn has(offset: usize, len: usize) -> bool {
        offset.checked_add(len).is_some_and(|end| end <= PAGE_SIZE)
    }

    /// Copies bytes to an offset. What does not fit is not copied.
    pub(crate) fn write(&self, offset: usize, from: &[u8]) {
        if Self::has(offset, from.len()) {
            // SAFETY: By the type's invariant the range is in the folio.
            unsafe {
                let from_ptr = from.as_ptr().cast();
                bindings::memcpy_to_folio(self.0.as_ptr(), offset, from_ptr, from.len());
            }
        }
    }

    /// Appends up to `len` bytes from an offset on, as far as the vector has the capacity. What is
    /// beyond the page is not copied.
    pub(crate) fn read(&self, offset: usize, len: usize, to: &mut KVVec<u8>) {
        if Self::has(offset, len) {
            // SAFETY: By the type's invariant the range is in the folio. All of it is written to.
            unsafe {
                append_with(to, len, |to, len| {
                    bindings::memcpy_from_folio(to.cast(), self.0.as_ptr(), offset, len);
                    len
                })
            };
        }
    }
}

/// Drops all pages of a directory from an index on (`truncate_inode_pages()`). Sleeps for their
/// locks, which nobody has for long.
pub(crate) fn truncate_dir_pages<T: Types>(dir: &Inode<T>, index: usize) {
    if dir.is_dir() {
        let start = (index as u64).saturating_mul(PAGE_SIZE as u64);
        let start = i64::try_from(start).unwrap_or(i64::MAX);
        // SAFETY: The inode is live, hence its mapping.
        unsafe { bindings::truncate_inode_pages((*dir.as_ptr()).i_mapping, start) };
    }
}
