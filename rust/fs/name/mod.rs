// SPDX-License-Identifier: GPL-2.0

//! Names: what is known of them, and finding them. Uses [`inode`](super::inode) and
//! [`request`](super::request); directories, attributes and mounting use it.
//!
//! In reading order:
//!
//! - [`dentry`]: a dentry's data,
//! - [`wire_name`]: a name as the wire takes it,
//! - [`doubt`]: names of which nobody knows any more what they stand for,
//! - [`lookup`]: finding a name,
//! - [`revalidate`]: whether a name still is what it was,
//! - [`expiry`]: dropping names that have expired,
//! - [`handle`]: what names an inode without a name.

pub(in crate::fs) mod dentry;
pub(in crate::fs) mod doubt;
pub(in crate::fs) mod expiry;
pub(in crate::fs) mod handle;
pub(in crate::fs) mod lookup;
pub(in crate::fs) mod revalidate;
pub(in crate::fs) mod wire_name;
