// SPDX-License-Identifier: GPL-2.0

//! The misc device, and what a driver shows in sysfs and debugfs.
//!
//! - [`miscdevice`]: `struct miscdevice` and the operations of its files,
//! - [`fasync`]: `struct fasync_struct`,
//! - [`sysfs`]: a directory to mount on (`sysfs_create_mount_point()`),
//! - [`debugfs`]: `debugfs_create_file()` with `struct seq_operations`.
//!
//! May use: `mm`, `sync`, `io`. Used by `transport` and `control`.

pub(crate) mod debugfs;
pub(crate) mod fasync;
pub(crate) mod miscdevice;
pub(crate) mod sysfs;
