// SPDX-License-Identifier: GPL-2.0

//! FORGET: messages without reply, whose memory is there before they are needed.
//!
//! C counterpart: `struct fuse_forget_link`, `fuse_chan_queue_forget()`, `fuse_read_forget()`.
//! Takes the engine's lock.

use crate::{
    abi::{
        op,
        Nlookup,
        NodeId, //
    },
    kapi::{
        lib::fifo::Link,
        task::sched, //
    },
    transport::chan::channel::Chan, //
};
use kernel::{
    alloc::Flags,
    prelude::*, //
};

/// A FORGET's memory in advance.
pub(crate) struct Forget(Link<op::FuseForgetOne>);

impl Forget {
    /// Memory for a FORGET. C: `fuse_alloc_forget()`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(flags: Flags) -> Result<Self> {
        Ok(Self(Link::new(op::FuseForgetOne::default(), flags)?))
    }
}

impl Chan {
    /// Queues a FORGET of so many references to a node. Does not sleep and cannot fail; on a dead
    /// connection nothing is sent.
    pub(crate) fn forget(&self, forget: Forget, node: NodeId, nlookup: u64) {
        let mut link = forget.0;
        *link.value_mut() = op::FuseForgetOne::new(node, Nlookup::new(nlookup));
        // If it is given back it is dropped here, after the lock.
        let _refused = self.step(|engine| engine.forget(link));
    }

    /// Gives one reference to a node back that a reply has brought, where it cannot be kept. May
    /// sleep, until there is memory: that the daemon gets no FORGET for what it counts must not be,
    /// and to have one at hand for each reply would cost an allocation each time.
    #[cold]
    pub(crate) fn forget_one(&self, node: NodeId) {
        let forget = loop {
            // A task that dies in a cgroup without room gets nothing that is charged to it.
            match Forget::new(GFP_KERNEL_ACCOUNT).or_else(|_| Forget::new(GFP_KERNEL)) {
                Ok(forget) => break forget,
                Err(_) => sched::sleep_a_moment(),
            }
        };
        self.forget(forget, node, 1);
    }
}
