// SPDX-License-Identifier: GPL-2.0

//! The tables of operations.
//!
//! - [`dir`]: of directories, and of inodes in general,
//! - [`regular`]: of regular files and their page cache,
//! - [`superblock`]: of the superblock,
//! - [`fs_type`]: the filesystem type.

pub(in crate::fs) mod dir;
pub(in crate::fs) mod fs_type;
pub(in crate::fs) mod regular;
pub(in crate::fs) mod superblock;
