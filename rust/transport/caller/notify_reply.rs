// SPDX-License-Identifier: GPL-2.0

//! NOTIFY_REPLY, which has no answer: what the daemon has asked for by RETRIEVE.
//!
//! C counterpart: `fuse_simple_notify_reply()`, `fuse_chan_send_notify_reply()`. Takes the engine's
//! lock, and "fuse_chan::growing" where slots must be added; sleeps for memory.

use crate::{
    abi::Op,
    kapi::mm::gfp::Gfp,
    transport::{
        chan::{
            channel::Chan,
            request::{
                Req,
                Request, //
            },
        },
        message::{
            args::Message,
            outcome::OnEnd,
            payload::Payload, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

impl Chan {
    /// Sends a message without answer under a number that the daemon gave: it ends when the daemon
    /// has read it. Its memory is charged to the current task, which is the daemon. `end` is told
    /// its end, or dropped.
    ///
    /// # Errors
    ///
    /// `ECONNREFUSED` after a failed INIT; `ENOTCONN`, `ENOMEM`; `EINTR` if killed.
    pub(crate) fn send_notify_reply<O: Op>(
        self: &Arc<Self>,
        unique: u64,
        message: &Message<'_, O>,
        payload: Payload,
        end: KBox<dyn OnEnd>,
    ) -> Result {
        if self.conn_error() {
            return Err(ECONNREFUSED);
        }
        let entered = self.enter(false)?;
        if !self.connected() {
            return Err(ENOTCONN);
        }
        let req = Request::new(self, true, Gfp::KERNEL | Gfp::ACCOUNT)?;
        entered.hand_over();
        let mut req: Req = req.into();
        Request::fill_background(&mut req, message, payload, Some(end))
            .and_then(|()| self.submit_notify_reply(req.clone(), unique))
            .inspect_err(|&error| req.end_if_here(error))
    }
}
