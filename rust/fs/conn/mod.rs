// SPDX-License-Identifier: GPL-2.0

//! What all mounts of one daemon share. All later rooms use it, and it uses none of them.
//!
//! In reading order:
//!
//! - [`rest`]: pages still to be dropped in place of killed callers,
//! - [`records`]: how tables of such callers grow,
//! - [`left_locks`]: locks of files that killed callers had asked for, and whose they are,
//! - [`left`]: killed callers that have left: how many, and what others wait for,
//! - [`polled`]: open files that have been polled,
//! - [`connection`]: the connection itself (`struct fuse_conn`), and what INIT has settled,
//! - [`lacks`]: which operations its daemon lacks,
//! - [`lock_owner`]: who holds a lock, as the daemon is told.

pub(in crate::fs) mod connection;
mod lacks;
pub(in crate::fs) mod left;
mod left_locks;
mod lock_owner;
pub(in crate::fs) mod polled;
mod records;
pub(in crate::fs) mod rest;
