// SPDX-License-Identifier: GPL-2.0

//! Memory: allocation flags, caches of objects, and what a caller's buffers are made of.

pub(crate) mod gfp;
pub(crate) mod iov;
pub(crate) mod slab;
pub(crate) mod user_pages;
