// SPDX-License-Identifier: GPL-2.0

//! The memory as a whole.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h).

use crate::bindings;

/// Pages of memory that the kernel manages (`totalram_pages()`).
pub(crate) fn totalram_pages() -> usize {
    // SAFETY: A counter that the kernel keeps for good; an aligned word is read at once.
    let pages = unsafe { (&raw const bindings::_totalram_pages.counter).read_volatile() };
    usize::try_from(pages).unwrap_or(0)
}
