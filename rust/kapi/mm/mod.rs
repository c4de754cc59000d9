// SPDX-License-Identifier: GPL-2.0

//! Memory: allocation flags, caches of objects, and what a caller's buffers are made of.
//!
//! - [`gfp`]: allocation flags (`gfp_t`),
//! - [`slab`]: `struct kmem_cache`,
//! - [`backing_dev`]: a superblock's device (`struct backing_dev_info`),
//! - [`append`]: copying into what has not been written to,
//! - [`iov`]: `struct iov_iter`,
//! - [`user_pages`]: `struct page` of user memory, pinned.
//!
//! May use no other room. Used by `vfs`, `page_cache`, `io` and `device`, and by `transport` and
//! `fs`.

pub(crate) mod append;
pub(crate) mod backing_dev;
pub(crate) mod gfp;
pub(crate) mod iov;
pub(crate) mod slab;
pub(crate) mod user_pages;
