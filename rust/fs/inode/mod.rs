// SPDX-License-Identifier: GPL-2.0

//! What is known of an inode without asking the daemon. Uses [`request`](super::request) to hand
//! pages over that a killed caller would drop; all later rooms use it.
//!
//! In reading order:
//!
//! - [`fuse_inode`]: its data,
//! - [`times`]: the wire's times and the kernel's,
//! - [`pages`]: dropping its cached pages,
//! - [`attr_cache`]: its cached attributes,
//! - [`dir_cache`]: its entries in its pages, of a directory,
//! - [`iomode`]: whether its data goes through the page cache,
//! - [`given`]: a node that the daemon has given: an inode takes it, or it is given back,
//! - [`iget`]: finding an inode and making it,
//! - [`lifecycle`]: its memory, and giving it back.

pub(in crate::fs) mod attr_cache;
pub(in crate::fs) mod dir_cache;
pub(in crate::fs) mod fuse_inode;
pub(in crate::fs) mod given;
pub(in crate::fs) mod iget;
pub(in crate::fs) mod iomode;
pub(in crate::fs) mod lifecycle;
pub(in crate::fs) mod pages;
pub(in crate::fs) mod times;
