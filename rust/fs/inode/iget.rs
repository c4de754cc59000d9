// SPDX-License-Identifier: GPL-2.0

//! Finding the inode of a node, and making it.
//!
//! C counterpart: `fuse_iget()`, `fuse_init_inode()` (inode.c). Takes `Inode::inner`, and folio
//! locks after it when the size changes; may sleep.

use super::{
    attr_cache::{
        self,
        AskedAt, //
    },
    fuse_inode::FuseInode,
    given::Given,
    times::valid_until, //
};
use crate::{
    abi::{
        Attr,
        Entry,
        FileType,
        InitFlags,
        NodeId, //
    },
    fs::{
        conn::connection::Conn,
        Fuse,
        Inode,
        SuperBlock, //
    },
    kapi::vfs::{
        iget::{
            Iget,
            InodeKey,
            InodeKind,
            NewInode,
            ReadyInode, //
        },
        types::Types, //
    },
};
use core::ops::Deref;
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed, //
    },
};

/// An inode's number.
struct Key(NodeId);

impl InodeKey<Fuse> for Key {
    fn test(&self, inode: &FuseInode) -> bool {
        inode.nodeid.load(Relaxed) == self.0.get()
    }

    fn set(&self, inode: &FuseInode) {
        inode.nodeid.store(self.0.get(), Relaxed);
    }
}

impl SuperBlock {
    /// The inode of an entry, with the entry's attributes, which takes the reference to the node
    /// (`fuse_iget()`). May sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM; the reference has been given back then.
    pub(in crate::fs) fn iget(&self, entry: &Entry, asked: AskedAt) -> Result<ARef<Inode>> {
        let given = Given::new(&*self.data().conn, entry.node);
        self.iget_given(given, entry, asked).map_err(|(e, _)| e)
    }

    /// The same where the reference is not to be given back at once.
    ///
    /// # Errors
    ///
    /// ENOMEM; the reference comes back with it.
    pub(in crate::fs) fn iget_given<C: Deref<Target = Conn>>(
        &self,
        given: Given<C>,
        entry: &Entry,
        asked: AskedAt,
    ) -> Result<ARef<Inode>, (Error, Given<C>)> {
        match self.find_or_make(entry, asked) {
            Ok(inode) => {
                // Others find the inode before this is counted. But `inode` is a reference, which
                // keeps it from being evicted until then, so that no FORGET is lost.
                given.taken_by(&inode);
                Ok(inode)
            }
            Err(e) => Err((e, given)),
        }
    }

    /// The inode of an entry, which counts no reference yet.
    fn find_or_make(&self, entry: &Entry, asked: AskedAt) -> Result<ARef<Inode>> {
        let key = Key(entry.node);

        let old = loop {
            match self.iget5_locked(entry.node.get(), &key)? {
                Iget::Old(inode) if inode.is_stale(entry.generation, entry.attr()) => {
                    // The node was given to another object: I/O on the old one is to fail.
                    inode.data().make_bad();
                    if entry.node.is_root() {
                        break inode;
                    }
                    // The next round finds a new one, unless someone else was faster.
                    inode.remove_inode_hash();
                }
                Iget::Old(inode) => break inode,
                Iget::New(new) => {
                    let new = init_inode(&self.data().conn, new, entry);
                    attr_cache::change(&new, entry.attr(), valid_until(entry.attr_valid), asked);
                    return Ok(new.unlock_new_inode());
                }
            }
        };
        attr_cache::change(&old, entry.attr(), valid_until(entry.attr_valid), asked);
        Ok(old)
    }

    /// The inode of a node, if it is cached.
    pub(in crate::fs) fn ilookup(&self, node: NodeId) -> Option<ARef<Inode>> {
        self.ilookup5(node.get(), &Key(node))
    }

    /// The inode of the root, of which nothing but what the mounter says (`rootmode`) is known yet
    /// (`fuse_get_root_inode()`).
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(in crate::fs) fn root_inode(&self, kind: FileType, perm: u16) -> Result<ARef<Inode>> {
        let root = self.find_or_make(&Entry::root(kind, perm), AskedAt::CREATED)?;
        root.inc_nlookup();
        Ok(root)
    }
}

/// Gives inodes their operations. [`Fuse`] does it on top of all that the operations use (`ops`),
/// so that an inode names none of them.
pub(in crate::fs) trait Operations: Types {
    /// What a new inode is: its type and the tables for it; of a device node, also its number.
    fn inode_kind(attr: Attr<'_>) -> InodeKind<Self>;
}

/// Sets a new inode up, by its type (`fuse_init_inode()`).
fn init_inode(conn: &Conn, mut new: NewInode<Fuse>, entry: &Entry) -> ReadyInode<Fuse> {
    let attr = entry.attr();

    new.set_noatime();
    new.set_nocmtime();
    new.set_generation(entry.generation.get());
    new.i_size_write(attr.size());
    new.inode_set_mtime(attr.mtime().into());
    new.inode_set_ctime(attr.ctime().into());
    if !conn.agreed(InitFlags::POSIX_ACL) {
        // Such daemons keep their ACLs to themselves.
        new.set_acl_dont_cache();
    }
    new.set_up(Fuse::inode_kind(attr))
}
