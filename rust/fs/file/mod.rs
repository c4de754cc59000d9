// SPDX-License-Identifier: GPL-2.0

//! Open files and directories, from OPEN to RELEASE. Uses [`inode`](super::inode) and
//! [`request`](super::request); directories, reading and writing use it.
//!
//! In reading order:
//!
//! - [`fuse_file`]: an open file's data, and RELEASE,
//! - [`give_back`]: a file that was opened and could not be used after all,
//! - [`finish`]: what comes between the answer to OPEN and the end of open(2),
//! - [`behind`]: that, and the close, in place of a killed opener,
//! - [`open`]: OPEN and OPENDIR, and open(2) of a regular file,
//! - [`flush`]: FLUSH and FSYNC,
//! - [`ioctl`]: ioctl(2), by IOCTL,
//! - [`fileattr`]: flags and the like, by the same,
//! - [`lock`]: POSIX locks and those of flock(2),
//! - [`poll`]: what a file is ready for: POLL.

pub(in crate::fs) mod behind;
pub(in crate::fs) mod fileattr;
pub(in crate::fs) mod finish;
pub(in crate::fs) mod flush;
pub(in crate::fs) mod fuse_file;
pub(in crate::fs) mod give_back;
pub(in crate::fs) mod ioctl;
pub(in crate::fs) mod lock;
pub(in crate::fs) mod open;
pub(in crate::fs) mod poll;
