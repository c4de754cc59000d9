// SPDX-License-Identifier: GPL-2.0

//! One superblock of a connection.
//!
//! C counterpart: `struct fuse_mount`.

use crate::{
    fs::conn::connection::Conn,
    kapi::sync::rcu::RcuArc, //
};

/// A superblock's data, freed a grace period after `kill_sb`.
pub(crate) struct Mount {
    pub(crate) conn: RcuArc<Conn>,
}
