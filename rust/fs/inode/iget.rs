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
        NodeId,
        SeenEntry, //
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

/// An inode that was there, or one that others wait for.
enum Found {
    Old(ARef<Inode>),
    New(ReadyInode<Fuse>),
}

impl Found {
    /// Takes what the entry says, and the reference that came with it, and lets others use the
    /// inode.
    fn take<C: Deref<Target = Conn>>(
        self,
        given: Given<C>,
        entry: SeenEntry<'_>,
        asked: AskedAt,
    ) -> ARef<Inode> {
        let inode: &Inode = match &self {
            Self::Old(inode) => inode,
            Self::New(inode) => inode,
        };
        // Others may find the inode before the reference is counted. But this is a reference to the
        // inode, which keeps it from being evicted until then, so that no FORGET is lost.
        let valid = valid_until(entry.attr_valid);
        attr_cache::change_and_count(inode, entry.attr, valid, asked, given);
        match self {
            Self::Old(inode) => inode,
            Self::New(inode) => inode.unlock_new_inode(),
        }
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
        (self.iget_given(given, entry.seen(), asked)).map_err(|(e, _)| e)
    }

    /// The same where the reference is not to be given back at once.
    ///
    /// # Errors
    ///
    /// ENOMEM; the reference comes back with it.
    pub(in crate::fs) fn iget_given<C: Deref<Target = Conn>>(
        &self,
        given: Given<C>,
        entry: SeenEntry<'_>,
        asked: AskedAt,
    ) -> Result<ARef<Inode>, (Error, Given<C>)> {
        match self.find_or_make(entry) {
            Ok(found) => Ok(found.take(given, entry, asked)),
            Err(e) => Err((e, given)),
        }
    }

    /// The inode of an entry, which has neither its attributes nor a reference yet.
    fn find_or_make(&self, entry: SeenEntry<'_>) -> Result<Found> {
        let key = Key(entry.node);
        loop {
            match self.iget5_locked(entry.node.get(), &key)? {
                Iget::Old(inode) if inode.is_stale(entry.generation, entry.attr) => {
                    // The node was given to another object: I/O on the old one is to fail.
                    inode.data().make_bad();
                    if entry.node.is_root() {
                        return Ok(Found::Old(inode));
                    }
                    // The next round finds a new one, unless someone else was faster.
                    inode.remove_inode_hash();
                }
                Iget::Old(inode) => return Ok(Found::Old(inode)),
                Iget::New(new) => return Ok(Found::New(init_inode(&self.data().conn, new, entry))),
            }
        }
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
        let entry = Entry::root(kind, perm);
        let root = self.find_or_make(entry.seen())?;
        let given = Given::new(&*self.data().conn, NodeId::ROOT);
        Ok(root.take(given, entry.seen(), AskedAt::CREATED))
    }
}

/// Gives inodes their operations. [`Fuse`] does it on top of all that the operations use (`ops`),
/// so that an inode names none of them.
pub(in crate::fs) trait Operations: Types {
    /// What a new inode is: its type and the tables for it; of a device node, also its number.
    fn inode_kind(attr: Attr<'_>) -> InodeKind<Self>;
}

/// Sets a new inode up, by its type (`fuse_init_inode()`).
fn init_inode(conn: &Conn, mut new: NewInode<Fuse>, entry: SeenEntry<'_>) -> ReadyInode<Fuse> {
    let attr = entry.attr;

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
