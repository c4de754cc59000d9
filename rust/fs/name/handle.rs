// SPDX-License-Identifier: GPL-2.0

//! File handles: a node and its generation.
//!
//! C counterpart: `fuse_encode_fh()` to `fuse_get_parent()` (inode.c), for daemons without
//! EXPORT_SUPPORT, which is not offered: what is not cached is stale. Takes no locks; may sleep.

use crate::{
    abi::NodeId,
    fs::{
        Dentry,
        Inode,
        SuperBlock, //
    },
    kapi::vfs::export::{
        Fid,
        FidType, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// What stands for an inode in a handle: the node's high half, its low half, the generation.
type Words = [u32; 3];

fn words_of(inode: &Inode) -> Words {
    let node = inode.nodeid().get();
    [(node >> 32) as u32, node as u32, inode.i_generation()]
}

/// `encode_fh`.
pub(in crate::fs) fn encode(inode: &Inode, parent: Option<&Inode>) -> Fid {
    match parent {
        None => Fid::ino64_gen(words_of(inode)),
        Some(parent) => Fid::ino64_gen_parent(words_of(inode), words_of(parent)),
    }
}

/// `fh_to_dentry`.
pub(in crate::fs) fn to_dentry(sb: &SuperBlock, fid: &[u32]) -> Result<Option<ARef<Dentry>>> {
    // The parent that a handle tells may be missing: nobody asks for it here.
    fid.first_chunk().map(|words| get(sb, words)).transpose()
}

/// `fh_to_parent`.
pub(in crate::fs) fn to_parent(
    sb: &SuperBlock,
    kind: FidType,
    fid: &[u32],
) -> Result<Option<ARef<Dentry>>> {
    let parent = match kind {
        FidType::Ino64Gen => None,
        FidType::Ino64GenParent => fid.get(size_of::<Words>() / size_of::<u32>()..),
    };
    let words = parent.and_then(<[u32]>::first_chunk);
    words.map(|words| get(sb, words)).transpose()
}

/// The dentry of a cached inode (`fuse_get_dentry()`).
fn get(sb: &SuperBlock, &[high, low, generation]: &Words) -> Result<ARef<Dentry>> {
    let node = NodeId::new(u64::from(high) << 32 | u64::from(low)).ok_or(ESTALE)?;
    let inode = sb.ilookup(node).ok_or(ESTALE)?;
    if inode.i_generation() != generation {
        return Err(ESTALE);
    }
    let dentry = Dentry::d_obtain_alias(inode)?;
    if !node.is_root() {
        // Nobody has asked the daemon.
        dentry.invalidate_entry_cache();
    }
    Ok(dentry)
}
