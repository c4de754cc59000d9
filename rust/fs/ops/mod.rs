// SPDX-License-Identifier: GPL-2.0

//! The tables of operations: which function does what, a line for each. Uses all other rooms;
//! nothing uses it but the registration.
//!
//! In reading order:
//!
//! - [`fs_type`]: of the filesystem type, and of a mount in the making,
//! - [`superblock`]: of the superblock,
//! - [`dentry`]: of dentries,
//! - [`export`]: of file handles,
//! - [`inode`]: of inodes, and which inode has which,
//! - [`file`](mod@file): of open files and directories,
//! - [`address_space`]: of the page cache.

mod address_space;
mod dentry;
mod export;
mod file;
pub(in crate::fs) mod fs_type;
mod inode;
mod superblock;
