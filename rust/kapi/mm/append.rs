// SPDX-License-Identifier: GPL-2.0

//! Copying into memory that has not been written to yet.

use kernel::prelude::*;

/// Lets `copy` write up to `max` bytes behind what a vector has, as far as it has the capacity, and
/// adds as many as it says that it has written. It is given where, and how many at most. Returns
/// how many were added.
///
/// # Safety
///
/// `copy` has written as many bytes as it returns, and nothing behind the room that it is given.
#[inline(always)]
pub(crate) unsafe fn append_with(
    to: &mut KVVec<u8>,
    max: usize,
    copy: impl FnOnce(*mut u8, usize) -> usize,
) -> usize {
    let room = to.spare_capacity_mut();
    let len = max.min(room.len());
    let copied = copy(room.as_mut_ptr().cast(), len).min(len);
    // SAFETY: That many lie within the capacity, and the caller says that they have been written.
    unsafe { to.inc_len(copied) };
    copied
}
