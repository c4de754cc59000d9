// SPDX-License-Identifier: GPL-2.0

//! Names: dentries, finding them, and dropping those whose time is over.
//!
//! - [`dentry`]: a dentry's data,
//! - [`wire_name`]: a name as the wire takes it,
//! - [`doubt`]: names of which nobody knows what they stand for,
//! - [`lookup`]: finding a name,
//! - [`revalidate`]: whether a name still is what it was,
//! - [`expiry`]: dropping names that have expired.

pub(in crate::fs) mod dentry;
pub(in crate::fs) mod doubt;
pub(in crate::fs) mod expiry;
pub(in crate::fs) mod lookup;
pub(in crate::fs) mod revalidate;
pub(in crate::fs) mod wire_name;
