// SPDX-License-Identifier: GPL-2.0

//! Requests that nobody waits for: INIT, RELEASE, readahead.
//!
//! C counterpart: `fuse_chan_send_bg()`, `fuse_get_req(.., true)`. Takes the engine's lock, and
//! "fuse_chan::growing" where slots must be added; sleeps at the gate, and for memory.

use crate::{
    abi::Op,
    engine::Admit,
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

/// A request's memory in advance.
pub(crate) struct Prepared {
    req: Req,
    /// Has been let through the gate, and passes the wake-up on if it is not sent.
    gated: bool,
}

impl Prepared {
    /// The request, counted.
    pub(super) fn into_counted(self) -> Req {
        let req = self.req.clone();
        if !self.gated {
            req.count();
        }
        req
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if self.gated {
            self.req.chan.pass_gate_on();
        }
    }
}

impl Chan {
    /// Memory for one request that is to be sent later: not counted, not held back.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, unless [`Gfp::NOFAIL`].
    pub(crate) fn prepare(self: &Arc<Self>, gfp: Gfp) -> Result<Prepared> {
        Ok(Prepared {
            req: Request::new(self, false, gfp)?.into(),
            gated: false,
        })
    }

    /// A background request, once there is room for one. Sleeps before INIT was answered and while
    /// there are as many background requests as may be.
    ///
    /// # Errors
    ///
    /// `ECONNREFUSED` after a failed INIT, `EINTR` if killed, `ENOTCONN`, `ENOMEM`.
    pub(crate) fn background(self: &Arc<Self>, gfp: Gfp) -> Result<Prepared> {
        if self.conn_error() {
            return Err(ECONNREFUSED);
        }
        let entered = self.enter(true)?;
        let req = Request::new(self, true, gfp).inspect_err(|_| self.pass_gate_on())?;
        entered.hand_over();
        Ok(Prepared {
            req: req.into(),
            gated: true,
        })
    }

    /// Sends a background request. Does not wait for the daemon. May sleep until there is memory:
    /// for slots, or for a message that is longer than a request has room for.
    ///
    /// Any failure is reported to `end` alone, perhaps before this returns.
    pub(crate) fn send_background<O: Op>(
        self: &Arc<Self>,
        mut prepared: Prepared,
        message: &Message<'_, O>,
        payload: Payload,
        end: Option<KBox<dyn OnEnd>>,
    ) {
        if !prepared.gated {
            prepared.req.count();
        }
        let filled = Request::fill_background(&mut prepared.req, message, payload, end);
        let req = prepared.req.clone();
        // From here on the request itself passes the wake-up on, when it leaves the engine.
        let gated = core::mem::replace(&mut prepared.gated, false);
        let sent = filled.and_then(|()| self.submit_background(req.clone(), Admit::Forced));
        if let Err(error) = sent {
            if gated {
                self.pass_gate_on();
            }
            req.end_if_here(error);
        }
    }
}
