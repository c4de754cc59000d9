// SPDX-License-Identifier: GPL-2.0

//! Operations on directories. Uses [`name`](super::name), [`file`](mod@super::file) and what they
//! use; only the tables use it.
//!
//! In reading order:
//!
//! - [`create`]: MKNOD, MKDIR, SYMLINK and LINK,
//! - [`atomic_open`]: CREATE, which makes and opens in one, and TMPFILE,
//! - [`create_ext`]: what else those say of what is made,
//! - [`remove`]: UNLINK and RMDIR,
//! - [`rename`]: RENAME and RENAME2,
//! - [`open`]: opening a directory,
//! - [`readdir`], [`readdirplus`]: READDIR, which lists it; what READDIRPLUS says beside,
//! - [`cache`]: reading it from its page cache,
//! - [`fsync`]: FSYNCDIR, which makes its changes durable.

pub(in crate::fs) mod atomic_open;
mod cache;
pub(in crate::fs) mod create;
mod create_ext;
pub(in crate::fs) mod fsync;
pub(in crate::fs) mod open;
pub(in crate::fs) mod readdir;
mod readdirplus;
pub(in crate::fs) mod remove;
pub(in crate::fs) mod rename;
