// SPDX-License-Identifier: GPL-2.0

//! FORGET: messages without reply, whose memory is there before they are needed.
//!
//! C counterpart: `struct fuse_forget_link`, `fuse_chan_queue_forget()`, `fuse_read_forget()`. Takes
//! the engine's lock.

use crate::{
    abi::{
        op,
        Nlookup,
        NodeId,
        Unique, //
    },
    engine::ForgetQueue,
    kapi::{
        lib::fifo::{
            Fifo,
            Link, //
        },
        task::sched, //
    },
    transport::{
        chan::channel::Chan,
        message::copy::CopyOut, //
    },
};
use kernel::{
    alloc::Flags,
    prelude::*, //
};
use zerocopy::IntoBytes;

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

/// Queued forgets, first in, first out.
pub(in crate::transport) struct Forgets(Fifo<op::FuseForgetOne>);

impl Default for Forgets {
    fn default() -> Self {
        Self(Fifo::new())
    }
}

impl ForgetQueue for Forgets {
    type Link = Link<op::FuseForgetOne>;

    fn push_back(&mut self, link: Self::Link) {
        self.0.push_back(link);
    }

    fn pop_front(&mut self) -> Option<Self::Link> {
        self.0.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Chan {
    /// Queues a FORGET of so many references to a node. Does not sleep and cannot fail; on a dead
    /// connection nothing is sent.
    pub(crate) fn forget(&self, forget: Forget, node: NodeId, nlookup: u64) {
        let mut link = forget.0;
        *link.value_mut() = op::FuseForgetOne::new(node, Nlookup::new(nlookup));
        let queued = {
            let mut engine = self.engine.lock();
            let queued = engine.forget(link);
            self.update_readable(&engine);
            queued
        };
        if let Ok(effects) = queued {
            self.carry_out(effects, false);
        }
    }

    /// Gives one reference to a node back that a reply has brought, where it cannot be kept. May
    /// sleep, until there is memory: that the daemon gets no FORGET for what it counts must not be,
    /// and to have one at hand for each reply would cost an allocation each time.
    #[cold]
    pub(crate) fn forget_one(&self, node: NodeId) {
        let forget = loop {
            match Forget::new(GFP_KERNEL) {
                Ok(forget) => break forget,
                Err(_) => sched::sleep_a_moment(),
            }
        };
        self.forget(forget, node, 1);
    }
}

/// Copies `forgets` out as one message: FORGET if `single`, else BATCH_FORGET with `count` of
/// them. Returns its length.
pub(in crate::transport) fn send(
    to: &mut impl CopyOut,
    unique: Unique,
    mut forgets: Forgets,
    count: u32,
    single: bool,
) -> Result<usize> {
    if single {
        let link = forgets.pop_front().ok_or(EIO)?;
        let message = op::Forget::new(unique, *link.value());
        to.put_all(message.as_bytes())?;
        return Ok(size_of_val(&message));
    }

    let start = op::BatchForget::new(unique, count).map_err(|_| EIO)?;
    to.put_all(start.as_bytes())?;
    let mut part = [op::FuseForgetOne::default(); 16];
    loop {
        let mut filled = 0usize;
        for place in &mut part {
            let Some(link) = forgets.pop_front() else {
                break;
            };
            *place = *link.value();
            filled = filled.saturating_add(1);
        }
        match part.get(..filled) {
            None | Some([]) => return Ok(start.message_len()),
            Some(ones) => to.put_all(ones.as_bytes())?,
        }
    }
}
