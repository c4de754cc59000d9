// SPDX-License-Identifier: GPL-2.0

//! Attributes that the daemon is asked for or told, and permissions. Uses [`inode`](super::inode)
//! and [`request`](super::request); reading and writing use it, which need the size.
//!
//! In reading order:
//!
//! - [`getattr`]: GETATTR, and whether attributes are up to date,
//! - [`setattr`]: SETATTR, from chmod(2) to truncate(2),
//! - [`permission`]: who may do what; ACCESS,
//! - [`xattr`]: extended attributes: GETXATTR, LISTXATTR, SETXATTR, REMOVEXATTR,
//! - [`acl`]: POSIX ACLs, which are two of them.

pub(in crate::fs) mod acl;
pub(in crate::fs) mod getattr;
pub(in crate::fs) mod permission;
pub(in crate::fs) mod setattr;
pub(in crate::fs) mod xattr;
