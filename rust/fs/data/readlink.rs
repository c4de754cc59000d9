// SPDX-License-Identifier: GPL-2.0

//! Symbolic links: READLINK.
//!
//! C counterpart: `fuse_get_link()`, `fuse_readlink_folio()` (dir.c). Takes no locks.

use crate::{
    abi::op::Readlink,
    fs::Inode,
    transport::Payload, //
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

    let (result, payload) =
        inode
            .conn()
            .call_with(inode, &op, Payload::Out(text, PAGE_SIZE - 1), || {
                inode.then_invalidate_atime()
            });
    inode.invalidate_atime();

    result?;
    match payload {
        Payload::Out(text, _) => Ok(text),
        // It goes with a caller that leaves, who has an error then.
        _ => Err(EIO),
    }
}
