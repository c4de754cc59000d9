// SPDX-License-Identifier: GPL-2.0

//! The page cache of an inode: write it back, wait for it. [`super::truncate`] drops it.
//!
//! C header: [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h).
//!
//! All functions here may sleep, waiting for the locks of folios.

use crate::{
    bindings,
    kapi::{
        mm::iov::{
            IovIter,
            Source, //
        },
        vfs::{
            inode::Inode,
            types::Types, //
        },
    },
};
use kernel::{
    error::to_result,
    page::PAGE_SHIFT,
    prelude::*, //
};

fn mapping<T: Types>(inode: &Inode<T>) -> *mut bindings::address_space {
    // SAFETY: The inode is live; `i_mapping` does not change once it is set up.
    unsafe { (*inode.as_ptr()).i_mapping }
}

/// The index of the page that a position is in. Positions are not negative.
pub(crate) fn page_index(pos: i64) -> usize {
    (pos.max(0) as usize) >> PAGE_SHIFT
}

/// `write_inode_now()`: writes the inode and its dirty folios back, and waits.
pub(crate) fn write_inode_now<T: Types>(inode: &Inode<T>) -> Result {
    // SAFETY: The inode is live.
    to_result(unsafe { bindings::write_inode_now(inode.as_ptr(), 1) })
}

/// `filemap_check_errors()`: reports an error of writeback once, to whoever asks first.
pub(crate) fn filemap_check_errors<T: Types>(inode: &Inode<T>) -> Result {
    // SAFETY: The inode is live, hence its mapping.
    to_result(unsafe { bindings::filemap_check_errors(mapping(inode)) })
}

/// `filemap_write_and_wait_range()`: writes dirty folios back, and waits. `end` is included.
pub(crate) fn filemap_write_and_wait_range<T: Types>(
    inode: &Inode<T>,
    start: i64,
    end: i64,
) -> Result {
    // SAFETY: The inode is live, hence its mapping.
    to_result(unsafe { bindings::filemap_write_and_wait_range(mapping(inode), start, end) })
}

/// `filemap_set_wb_err()`: reports an error to those who sync the file next.
pub(crate) fn filemap_set_wb_err<T: Types>(inode: &Inode<T>, err: Error) {
    // SAFETY: The inode is live, hence its mapping.
    unsafe { bindings::filemap_set_wb_err(mapping(inode), err.to_errno()) };
}

/// Whether there is anything in the page cache (`mapping->nrpages`).
pub(crate) fn has_pages<T: Types>(inode: &Inode<T>) -> bool {
    // SAFETY: The inode is live, hence its mapping. Others may store: a single load.
    unsafe { (&raw const (*mapping(inode)).nrpages).read_volatile() != 0 }
}

/// `fault_in_iov_iter_readable()`: makes the next `bytes` resident, for an atomic copy to be tried
/// again. The caller holds no folio's lock, for a fault may need it. EFAULT where not all of them
/// could be.
pub(crate) fn fault_in_iov_iter_readable(from: &mut IovIter<Source>, bytes: usize) -> Result {
    // SAFETY: The iterator is valid.
    let left = unsafe { bindings::fault_in_iov_iter_readable(from.as_ptr(), bytes) };
    if left != 0 {
        return Err(EFAULT);
    }
    Ok(())
}
