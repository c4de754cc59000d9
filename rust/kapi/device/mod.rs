// SPDX-License-Identifier: GPL-2.0

//! The misc device, and what a driver shows in sysfs and debugfs.

pub(crate) mod debugfs;
pub(crate) mod fasync;
pub(crate) mod miscdevice;
pub(crate) mod sysfs;
