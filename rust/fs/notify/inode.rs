// SPDX-License-Identifier: GPL-2.0

//! What is known of a node is out of date (INVAL_INODE), or not to be kept (PRUNE).
//!
//! C counterpart: `fuse_reverse_inval_inode()`, `fuse_try_prune_one_inode()` (inode.c). Takes
//! `Inode::inner`, and the locks of folios, which are waited for killably: one that is being read
//! is locked until the daemon has answered, and what the daemon answers then may be older than the
//! notification. Called with killsb held for reading: an unmount ends what is waited for first.

use crate::{
    abi::NodeId,
    fs::{
        inode::pages,
        SuperBlock, //
    },
};
use kernel::{
    page::PAGE_SHIFT,
    prelude::*, //
};

/// INVAL_INODE. Sleeps.
///
/// # Errors
///
/// ENOENT if the node is not cached; EINTR if killed, and then some pages are still there.
pub(super) fn inval_inode(sb: &SuperBlock, node: NodeId, offset: i64, len: i64) -> Result {
    let inode = sb.ilookup(node).ok_or(ENOENT)?;
    inode.outdate_attr();
    inode.forget_acls();
    match pages_of(offset, len) {
        Some((first, last)) => pages::drop_outdated(&inode, first, last),
        None => Ok(()),
    }
}

/// The first and the last page of a range of a file, in bytes; `None` for an offset below 0, to the
/// end for a length of 0 or less.
fn pages_of(offset: i64, len: i64) -> Option<(usize, usize)> {
    let first = usize::try_from(offset).ok()? >> PAGE_SHIFT;
    let last = if len <= 0 {
        usize::MAX
    } else {
        // What ends behind all files goes to the end.
        (offset.checked_add(len - 1)).map_or(usize::MAX, |end| (end >> PAGE_SHIFT) as usize)
    };
    Some((first, last))
}

/// One node of PRUNE: nothing for one that is in use, or not cached. May sleep.
pub(super) fn prune(sb: &SuperBlock, node: NodeId) {
    if let Some(inode) = sb.ilookup(node) {
        inode.d_prune_aliases();
    }
}
