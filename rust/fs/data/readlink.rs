// SPDX-License-Identifier: GPL-2.0

//! Symbolic links: READLINK.
//!
//! C counterpart: `fuse_get_link()`, `fuse_readlink_folio()` (dir.c). Takes no locks.

use crate::{
    abi::op::Readlink,
    fs::Inode, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Asks for a link's text, at most a page less one byte.
pub(in crate::fs) fn readlink(inode: &Inode) -> Result<KVVec<u8>> {
    inode.check_bad()?;
    // With room for the NUL that the VFS wants.
    let text = KVVec::with_capacity(PAGE_SIZE, GFP_KERNEL)?;
    let op = Readlink {
        max: (PAGE_SIZE - 1) as u32,
    };

    let text = inode
        .conn()
        .call_bytes(inode, &op, text, PAGE_SIZE - 1, || {
            inode.then_invalidate_atime()
        });
    inode.invalidate_atime();
    text
}
