// SPDX-License-Identifier: GPL-2.0

//! What all mounts of one daemon share.
//!
//! - [`connection`]: the connection itself (`struct fuse_conn`),
//! - [`rest`]: pages still to be dropped in place of those,
//! - [`left`]: its callers that have left: how many, and what they wait for.

pub(in crate::fs) mod connection;
pub(in crate::fs) mod left;
pub(in crate::fs) mod rest;
