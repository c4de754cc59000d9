// SPDX-License-Identifier: GPL-2.0

//! Mounting and unmounting.
//!
//! - [`superblock`]: a superblock's data (`struct fuse_mount`),
//! - [`init`]: INIT, sent and settled,
//! - [`options`]: options, and from them to a superblock.

pub(in crate::fs) mod init;
pub(in crate::fs) mod options;
pub(in crate::fs) mod superblock;
