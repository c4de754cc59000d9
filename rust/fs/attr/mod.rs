// SPDX-License-Identifier: GPL-2.0

//! Attributes that the daemon is asked for or told, and permissions. Uses [`inode`](super::inode),
//! [`request`](super::request) and [`name`](super::name); reading and writing use it, which need
//! the size.
//!
//! In reading order:
//!
//! - [`fillattr`]: what of a daemon's answer a caller is told,
//! - [`getattr`]: GETATTR, and whether attributes are up to date,
//! - [`statx`]: STATX, which tells the time of birth as well,
//! - [`setattr`]: SETATTR, from chmod(2) to truncate(2),
//! - [`permission`]: who may do what; ACCESS,
//! - [`xattr`]: extended attributes: GETXATTR, LISTXATTR, SETXATTR, REMOVEXATTR,
//! - [`acl`]: POSIX ACLs, which are two of them.

pub(in crate::fs) mod acl;
mod fillattr;
pub(in crate::fs) mod getattr;
pub(in crate::fs) mod permission;
pub(in crate::fs) mod setattr;
mod statx;
pub(in crate::fs) mod xattr;
