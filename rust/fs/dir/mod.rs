// SPDX-License-Identifier: GPL-2.0

//! Operations on directories.
//!
//! - [`create`]: making what is no open file,
//! - [`atomic_open`]: CREATE, which makes and opens in one,
//! - [`remove`]: removing and renaming,
//! - [`readdir`]: open directories.

pub(in crate::fs) mod atomic_open;
pub(in crate::fs) mod create;
pub(in crate::fs) mod readdir;
pub(in crate::fs) mod remove;
