// SPDX-License-Identifier: GPL-2.0

//! File handles: a node and its generation.
//!
//! C counterpart: `fuse_get_dentry()` to `fuse_get_parent()` (inode.c). A daemon with
//! EXPORT_SUPPORT is asked for what is not cached, by LOOKUPs of `.` and `..`; of others it is
//! stale. Takes no locks, and is called without; sleeps for the daemon's answer.

use super::lookup::lookup_name;
use crate::{
    abi::{
        InitFlags,
        NodeId, //
    },
    fs::{
        request::{
            call::{
                Holds,
                Subject, //
            },
            held::Held, //
        },
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

/// `get_parent`.
pub(in crate::fs) fn parent(child: &Dentry) -> Result<ARef<Dentry>> {
    let child = child.inode().ok_or(ESTALE)?;
    if !child.conn().agreed(InitFlags::EXPORT_SUPPORT) {
        return Err(ESTALE);
    }
    let found = lookup_name(child, child, b"..")?;
    dentry_of(found.inode.ok_or(ESTALE)?)
}

/// What a part of a handle stands for (`fuse_get_dentry()`).
fn get(sb: &SuperBlock, &[high, low, generation]: &Words) -> Result<ARef<Dentry>> {
    let node = NodeId::new(u64::from(high) << 32 | u64::from(low)).ok_or(ESTALE)?;
    let inode = match sb.ilookup(node) {
        Some(inode) => inode,
        None => ask(sb, node)?,
    };
    if inode.i_generation() != generation {
        return Err(ESTALE);
    }
    dentry_of(inode)
}

/// A dentry of an inode whose name nobody has asked the daemon for.
fn dentry_of(inode: ARef<Inode>) -> Result<ARef<Dentry>> {
    let is_root = inode.nodeid().is_root();
    let dentry = Dentry::d_obtain_alias(inode)?;
    if !is_root {
        dentry.invalidate_entry_cache();
    }
    Ok(dentry)
}

/// Asks the daemon for a node that is not cached.
fn ask(sb: &SuperBlock, node: NodeId) -> Result<ARef<Inode>> {
    let root = sb.ilookup(NodeId::ROOT).ok_or(ESTALE)?;
    if !root.conn().agreed(InitFlags::EXPORT_SUPPORT) {
        return Err(ESTALE);
    }
    let on = Uncached { node, root: &root };
    let inode = lookup_name(&root, on, b".")?.inode.ok_or(ESTALE)?;
    if inode.nodeid() != node {
        return Err(EIO);
    }
    Ok(inode)
}

/// A node that has no inode. The root is kept in its place.
struct Uncached<'a> {
    node: NodeId,
    root: &'a Inode,
}

impl Holds for Uncached<'_> {
    fn hold(&self, held: &mut Held) -> Result {
        held.inode(self.root)
    }
}

impl Subject for Uncached<'_> {
    fn node(&self) -> NodeId {
        self.node
    }
}
