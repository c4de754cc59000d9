// SPDX-License-Identifier: GPL-2.0

//! Mounting and unmounting. Uses [`conn`](super::conn), [`request`](super::request),
//! [`name`](super::name), [`notify`](super::notify), and tells [`control`](crate::control); only
//! the tables use it.
//!
//! In reading order:
//!
//! - [`superblock`]: a superblock's data (`struct fuse_mount`), and what it tells of itself,
//! - [`options`]: a mount in the making,
//! - [`init`]: INIT, sent and settled,
//! - [`destroy`]: DESTROY, the last request,
//! - [`fill`]: from options to a superblock, and its end.

mod destroy;
pub(in crate::fs) mod fill;
pub(in crate::fs) mod init;
pub(in crate::fs) mod options;
pub(in crate::fs) mod superblock;
