// SPDX-License-Identifier: GPL-2.0

//! Nodes that the daemon has given, and that are to be given back.
//!
//! C counterpart: `fuse_chan_queue_forget()` where an entry cannot be kept (dir.c). Where an inode
//! takes one, `Inode::inner` is taken; where one is given back, the engine's lock, and that may
//! sleep.

use crate::{
    abi::NodeId,
    fs::{
        conn::connection::Conn,
        Inode, //
    },
};
use core::ops::Deref;
use kernel::sync::Arc;

/// A reference to a node, which came with an entry and which the daemon counts. An inode takes it,
/// to give it back when it is evicted; dropped, it is given back at once by FORGET, which may sleep
/// until there is memory for that.
pub(in crate::fs) struct Given<C: Deref<Target = Conn>> {
    conn: C,
    /// `None` once an inode has taken it.
    node: Option<NodeId>,
}

impl<C: Deref<Target = Conn>> Given<C> {
    /// The daemon has just given the node.
    #[inline]
    pub(in crate::fs) fn new(conn: C, node: NodeId) -> Self {
        Self {
            conn,
            node: Some(node),
        }
    }

    /// The inode of the node takes it.
    #[inline]
    pub(in crate::fs) fn taken_by(mut self, inode: &Inode) {
        self.node = None;
        inode.inc_nlookup();
    }

    /// An inode takes it that counts as many as this says.
    #[inline]
    pub(super) fn counted(mut self) -> u64 {
        self.node.take().map_or(0, |_| 1)
    }

    /// The same, to be kept for longer.
    pub(in crate::fs) fn keep(mut self, conn: Arc<Conn>) -> Given<Arc<Conn>> {
        Given {
            conn,
            node: self.node.take(),
        }
    }
}

impl Inode {
    /// Gives one reference back that the inode has taken, and cannot keep for a name. May sleep, as
    /// above.
    #[cold]
    pub(in crate::fs) fn give_back_one(&self) {
        {
            let mut inner = self.lock_inner();
            inner.nlookup = inner.nlookup.wrapping_sub(1);
        }
        self.conn().chan.forget_one(self.nodeid());
    }
}

impl<C: Deref<Target = Conn>> Drop for Given<C> {
    #[inline]
    fn drop(&mut self) {
        if let Some(node) = self.node {
            self.conn.chan.forget_one(node);
        }
    }
}
