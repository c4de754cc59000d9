// SPDX-License-Identifier: GPL-2.0

//! Folios of the page cache: copying to and from them, writing them back, dropping them.

pub(crate) mod folio;
pub(crate) mod folio_copy;
pub(crate) mod pagemap;
pub(crate) mod truncate;
