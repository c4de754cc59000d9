// SPDX-License-Identifier: GPL-2.0

//! Notifications from the daemon that are about the filesystem. Uses the superblock and the
//! connection; mounting uses it.
//!
//! - [`inode`]: what is known of a node is out of date,
//! - [`entry`]: a name is,
//! - [`reach`]: the inode of a node that a notification names,
//! - [`store`], [`retrieve`]: data for the page cache, and from there,
//! - [`notified`]: what they do to the superblock.

mod entry;
mod inode;
pub(in crate::fs) mod notified;
mod reach;
mod retrieve;
mod store;
