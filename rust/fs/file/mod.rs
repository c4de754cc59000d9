// SPDX-License-Identifier: GPL-2.0

//! Open files, from OPEN to RELEASE.
//!
//! - [`fuse_file`]: an open file's data; OPEN, RELEASE,
//! - [`open`]: opening a regular file,
//! - [`behind`]: the rest of open(2), and the close, in place of a killed opener,
//! - [`flush`]: FLUSH and FSYNC.

pub(in crate::fs) mod behind;
pub(in crate::fs) mod flush;
pub(in crate::fs) mod fuse_file;
pub(in crate::fs) mod open;
