// SPDX-License-Identifier: GPL-2.0

//! Requests that nobody waits for: INIT, RELEASE, readahead.
//!
//! C counterpart: `fuse_chan_send_bg()`, `fuse_get_req(.., true)`. Takes the engine's lock; sleeps at
//! the gate only.

use crate::{
    abi::{
        BadReply,
        Body,
        Creds,
        Minor,
        NodeId,
        Op, //
    },
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
            args::Args,
            payload::Payload, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What is to happen when a background request ends.
pub(crate) trait OnEnd: Send {
    /// Called once: in the daemon's write(2), in an aborter's, or in the sender's context; process
    /// context, no lock held. Must not drop the last reference to a file or an inode.
    fn ended(self: KBox<Self>, outcome: Outcome<'_>);
}

/// A background request that ends.
pub(crate) struct Outcome<'a>(&'a mut Args);

impl<'a> Outcome<'a> {
    pub(in crate::transport) fn new(args: &'a mut Args) -> Self {
        Self(args)
    }

    /// The request's error, or bytes of payload that the daemon has sent.
    pub(crate) fn result(&self) -> Result<usize> {
        self.0.result()
    }

    /// The request's error, or the reply; `EIO` if that is malformed. To be called with the
    /// operation that was sent.
    pub(crate) fn decode<O: Op>(&self, op: &O) -> Result<O::Out> {
        self.0.decode(op)
    }

    /// The request's error, or what `parse` makes of the reply; `EIO` if that is malformed.
    pub(crate) fn parse<R>(
        &self,
        parse: impl FnOnce(Body<'_>, Minor) -> Result<R, BadReply>,
    ) -> Result<R> {
        self.0.parse(parse)
    }

    /// Takes the payload. Without that it is dropped with the request, which a daemon that copies it may keep for long.
    pub(crate) fn payload(&mut self) -> Payload {
        self.0.take_payload()
    }
}

/// A request's memory in advance.
pub(crate) struct Prepared {
    req: Req,
    /// Has been let through the gate, and passes the wake-up on if it is not sent.
    gated: bool,
}

impl Prepared {
    /// The request, counted.
    pub(in crate::transport) fn into_counted(self) -> Req {
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
            self.req.chan.wake_gate(1);
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
            req: Request::new(self, false, gfp)?,
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
        let counted = self.enter(true)?;
        let req = Request::new(self, true, gfp).inspect_err(|_| self.wake_gate(1))?;
        counted.hand_over();
        Ok(Prepared { req, gated: true })
    }

    /// Sends a background request. Does not sleep, unless the message is longer than a request has
    /// room for.
    ///
    /// Any failure is reported to `end` alone, perhaps before this returns.
    pub(crate) fn send_background<O: Op>(
        self: &Arc<Self>,
        mut prepared: Prepared,
        node: impl Into<Option<NodeId>>,
        creds: Creds,
        op: &O,
        payload: Payload,
        end: Option<KBox<dyn OnEnd>>,
    ) {
        if !prepared.gated {
            prepared.req.count();
        }
        let filled =
            Request::fill_background(&mut prepared.req, node.into(), creds, op, payload, end);
        let req = prepared.req.clone();
        // From here on the request itself passes the wake-up on, when it leaves the engine.
        let gated = core::mem::replace(&mut prepared.gated, false);
        let sent = filled.and_then(|()| self.submit_background(req.clone(), Admit::Forced));
        if let Err(error) = sent {
            if gated {
                self.wake_gate(1);
            }
            req.end_if_here(error);
        }
    }
}
