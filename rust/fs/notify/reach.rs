// SPDX-License-Identifier: GPL-2.0

//! The way to the data of a node that a notification names.
//!
//! C counterpart: what `fuse_notify_store()` and `fuse_notify_retrieve()` begin with. Takes killsb
//! for reading.

use crate::{
    abi::NodeId,
    fs::{
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        inode_hold::InodeHold,
        super_block::LiveSuper, //
    },
};
use kernel::prelude::*;

/// Calls `f` with the inode of a node that is a regular file. An unmount waits until it is through,
/// so it should wait for nobody. Sleeps.
///
/// # Errors
///
/// `ENOENT` for a node that is not there, `EINVAL` for one that is no regular file; those of `f`.
pub(super) fn on_regular<R>(
    live: &LiveSuper<Fuse>,
    node: NodeId,
    f: impl FnOnce(&Inode) -> Result<R>,
) -> Result<R> {
    live.with(|sb| {
        let found = sb.ilookup(node).ok_or(ENOENT)?;
        let hold = InodeHold::new();
        hold.set(&found);
        // From here on the last reference is not dropped by the daemon itself.
        drop(found);
        let inode = hold.get().ok_or(ENOENT)?;
        if !inode.is_reg() {
            return Err(EINVAL);
        }
        f(inode)
    })
    .unwrap_or(Err(ENOENT))
}
