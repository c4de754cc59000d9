// SPDX-License-Identifier: GPL-2.0

//! What all mounts of one daemon share.
//!
//! - [`connection`]: the connection itself (`struct fuse_conn`), and what INIT has settled,
//! - [`lacks`]: which operations its daemon lacks,
//! - [`lock_owner`]: who holds a lock, as the daemon is told,
//! - [`rest`]: pages still to be dropped in place of those,
//! - [`left`]: its callers that have left: how many, and what they wait for.

pub(in crate::fs) mod connection;
mod lacks;
pub(in crate::fs) mod left;
mod lock_owner;
pub(in crate::fs) mod rest;
