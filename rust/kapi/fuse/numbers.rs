// SPDX-License-Identifier: GPL-2.0

//! Numbers that C reserves for FUSE.
//!
//! C headers: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h),
//! [`include/uapi/linux/magic.h`](srctree/include/uapi/linux/magic.h).

use crate::bindings;

/// The minor number of `/dev/fuse`.
pub(crate) const FUSE_MINOR: i32 = bindings::FUSE_MINOR as i32;

/// What `statfs()` calls the type of the filesystem.
pub(crate) use bindings::FUSE_SUPER_MAGIC;
