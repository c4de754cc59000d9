// SPDX-License-Identifier: GPL-2.0

//! What is in files and symbolic links. Uses [`attr`](super::attr), [`file`](mod@super::file) and
//! what they use; only the tables use it.
//!
//! In reading order:
//!
//! - [`args`]: what a transfer is, and what the daemon is told of it,
//! - [`read`]: reading through the page cache,
//! - [`direct_io`]: reading and writing past it,
//! - [`write`](mod@write): writing through the page cache,
//! - [`transfer`]: `read(2)` and `write(2)`: which way,
//! - [`mmap`]: mapping a file,
//! - [`seek`]: moving the position,
//! - [`bmap`]: where blocks are on a block device,
//! - [`readlink`]: READLINK, the text of a link.

pub(in crate::fs) mod args;
pub(in crate::fs) mod bmap;
pub(in crate::fs) mod direct_io;
pub(in crate::fs) mod mmap;
pub(in crate::fs) mod read;
pub(in crate::fs) mod readlink;
pub(in crate::fs) mod seek;
pub(in crate::fs) mod transfer;
pub(in crate::fs) mod write;
