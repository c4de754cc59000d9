// SPDX-License-Identifier: GPL-2.0

//! The engine's queue of FORGETs, whose memory is there before they are needed.
//!
//! C counterpart: `struct fuse_forget_link`. Takes no lock; the engine's is held.

use crate::{
    abi::op,
    engine::ForgetQueue,
    kapi::lib::fifo::{
        Fifo,
        Link, //
    },
};

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
