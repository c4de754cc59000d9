// SPDX-License-Identifier: GPL-2.0

//! The page cache: copying to and from its folios, writing them back, dropping them.
//!
//! - [`folio`]: `struct folio`,
//! - [`segs`]: pieces of folios, and what a list of them is,
//! - [`folio_list`]: lists of pieces of folios that a request carries,
//! - [`folio_store`]: a folio that data is put into which came unasked,
//! - [`folio_copy`]: copying to and from such lists (`highmem.h`),
//! - [`pagemap`]: an inode's `struct address_space`: writing it back, waiting for it,
//! - [`dir_page`]: that of a directory, for whatever its filesystem likes,
//! - [`truncate`]: `mm/truncate.c`, for callers who may be killed.
//!
//! May use: `mm`, `sync`, `task`, `vfs`. Used by `io`, and by `transport` and `fs`.

pub(crate) mod dir_page;
pub(crate) mod folio;
pub(crate) mod folio_copy;
pub(crate) mod folio_list;
pub(crate) mod folio_store;
pub(crate) mod pagemap;
pub(crate) mod segs;
pub(crate) mod truncate;
