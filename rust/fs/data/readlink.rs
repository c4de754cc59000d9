// SPDX-License-Identifier: GPL-2.0

//! Symbolic links: READLINK.
//!
//! C counterpart: `fuse_get_link()`, `fuse_readlink_folio()`, `fuse_symlink_read_folio()` (dir.c).
//! Called with the folio locked that is to be filled, if the connection caches links; takes no
//! locks. The folio stays locked until the answer, also if the caller leaves, so that others wait
//! for that as in C.

use crate::{
    abi::{
        op::Readlink,
        InitFlags, //
    },
    fs::{
        request::bytes::kept_bytes,
        Fuse,
        Inode, //
    },
    kapi::{
        fuse::moduleparam::killable,
        vfs::{
            rcu_walk::RcuInode,
            symlink::{
                LinkFolio,
                LinkSource, //
            },
        },
    },
    transport::Outcome, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Where a link's text comes from.
///
/// # Errors
///
/// EIO for a bad inode.
pub(in crate::fs) fn source(inode: &RcuInode<'_, Fuse>) -> Result<LinkSource> {
    if inode.data().is_bad() {
        return Err(EIO);
    }
    Ok(if inode.sb_data().conn.agreed(InitFlags::CACHE_SYMLINKS) {
        LinkSource::PageCache {
            killable: killable(),
        }
    } else {
        LinkSource::Anew
    })
}

/// The longest text: with the NUL that the VFS wants, a page.
const MAX: usize = PAGE_SIZE - 1;

/// What is asked for.
const READLINK: Readlink = Readlink { max: MAX as u32 };

/// Asks for a link's text, at most a page less one byte.
pub(in crate::fs) fn readlink(inode: &Inode) -> Result<KVVec<u8>> {
    // With room for the NUL.
    let text = KVVec::with_capacity(PAGE_SIZE, GFP_KERNEL)?;
    let then = || inode.then_invalidate_atime();
    let text = (inode.conn()).call_bytes(inode, &READLINK, text, MAX, then);
    inode.invalidate_atime();
    text
}

/// The same for the page cache.
pub(in crate::fs) fn read_folio(folio: LinkFolio<Fuse>) -> Result {
    let inode = folio.inode().clone();
    let text = KVVec::with_capacity(MAX, GFP_KERNEL_ACCOUNT)?;
    // With a caller that leaves it goes to the request.
    let mut folio = Some(folio);
    let then = || {
        let folio = folio.take();
        move |outcome: &mut Outcome<'_>| {
            if let Some(folio) = folio {
                folio.inode().invalidate_atime();
                if let Ok(text) = kept_bytes(outcome) {
                    let _ = folio.fill(&text);
                }
            }
        }
    };
    let text = (inode.conn()).call_kept_bytes(&*inode, &READLINK, text, MAX, then);
    inode.invalidate_atime();
    match (text, folio) {
        (Ok(text), Some(folio)) => folio.fill(&text),
        (Ok(_), None) => Err(EINTR),
        (Err(e), _) => Err(e),
    }
}
