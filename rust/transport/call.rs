// SPDX-License-Identifier: GPL-2.0

//! A request and the wait for its answer.
//!
//! C counterpart: `fuse_chan_send()`, `request_wait_answer()`. Takes the engine's lock; sleeps.

use super::{
    chan::Chan,
    engine::{
        Admit,
        Ticket, //
    },
    payload::Payload,
    request::{
        Req,
        Request, //
    },
};
use crate::{
    abi::{
        Creds,
        NodeId,
        Op, //
    },
    kapi::{
        gfp::Gfp,
        wait::Signals, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

/// Whether a request may be held back, and given up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Waits for INIT, fails for lack of memory, is given up by a caller that is killed before
    /// the daemon has read it.
    Normal,
    /// Must be sent: none of that (C: `fuse_args::force`).
    Forced,
}

impl Chan {
    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    ///
    /// The daemon's; `EIO` for a malformed reply; `ECONNREFUSED` after a failed INIT; `EINTR` if
    /// killed before the daemon has read the request; `ECONNABORTED` if the connection ended
    /// meanwhile, `ENOTCONN` if before; `ENOMEM`.
    pub(crate) fn call<O: Op>(
        self: &Arc<Self>,
        node: impl Into<Option<NodeId>>,
        creds: Creds,
        op: &O,
    ) -> Result<O::Out> {
        let mut payload = Payload::None;
        self.exchange(How::Normal, node.into(), creds, op, &mut payload)
            .map(|(out, _)| out)
    }

    /// As [`call`](Self::call), [`How::Forced`].
    pub(crate) fn call_forced<O: Op>(
        self: &Arc<Self>,
        node: impl Into<Option<NodeId>>,
        creds: Creds,
        op: &O,
    ) -> Result<O::Out> {
        let mut payload = Payload::None;
        self.exchange(How::Forced, node.into(), creds, op, &mut payload)
            .map(|(out, _)| out)
    }

    /// As [`call`](Self::call), with a payload, which comes back, and the bytes of payload that the
    /// daemon has sent.
    pub(crate) fn call_with<O: Op>(
        self: &Arc<Self>,
        how: How,
        node: impl Into<Option<NodeId>>,
        creds: Creds,
        op: &O,
        mut payload: Payload,
    ) -> (Result<(O::Out, usize)>, Payload) {
        let result = self.exchange(how, node.into(), creds, op, &mut payload);
        (result, payload)
    }

    fn exchange<O: Op>(
        self: &Arc<Self>,
        how: How,
        node: Option<NodeId>,
        creds: Creds,
        op: &O,
        payload: &mut Payload,
    ) -> Result<(O::Out, usize)> {
        let req = self.begin(how)?;
        req.fill(node, creds, op, payload)?;
        if let Err(error) = self.send_and_wait(&req, how) {
            // Not sent: ends here.
            req.end_if_here(error);
        }
        let mut result = req.args.collect().ok_or(EIO)?;
        result.swap_payload(payload);
        let len = result.result()?;
        Ok((result.decode(op)?, len))
    }

    /// A counted request, once its caller may go on.
    fn begin(self: &Arc<Self>, how: How) -> Result<Req> {
        let (counted, gfp) = match how {
            How::Normal if self.conn_error() => return Err(ECONNREFUSED),
            How::Normal => (self.enter(false)?, Gfp::KERNEL),
            How::Forced => (self.enter_forced(), Gfp::KERNEL | Gfp::NOFAIL),
        };
        if how == How::Normal && !self.connected() {
            return Err(ENOTCONN);
        }
        let req = Request::new(self, true, gfp)?;
        counted.hand_over();
        Ok(req)
    }

    /// Returns when the request has ended, except with an error: then it was not sent.
    fn send_and_wait(&self, req: &Req, how: How) -> Result {
        let admit = match how {
            How::Normal => Admit::Gated,
            How::Forced => Admit::Forced,
        };
        let submitted = self.submit(req.clone(), admit)?;
        self.wait_answer(req, submitted.ticket, how);
        Ok(())
    }

    /// The wait: first any signal makes an INTERRUPT, then a fatal one takes back a request that
    /// the daemon has not read, then nothing does.
    fn wait_answer(&self, req: &Req, ticket: Ticket, how: How) {
        let done = || req.args.is_done();

        if !self.no_interrupt.load(Relaxed) {
            if req.wait.wait_event(Signals::All, done).is_ok() {
                return;
            }
            if req.args.interrupt() {
                self.queue_interrupt(ticket);
            }
        }
        if how == How::Normal {
            if req.wait.wait_event(Signals::Fatal, done).is_ok() {
                return;
            }
            if self.cancel(req, ticket) {
                return;
            }
        }
        // Without signals there is no error.
        let _ = req.wait.wait_event(Signals::None, done);
    }

    /// Queues the INTERRUPT for a request, if the daemon has it.
    pub(super) fn queue_interrupt(&self, ticket: Ticket) {
        let effects = {
            let mut engine = self.engine.lock();
            let effects = engine.interrupt(ticket);
            self.update_readable(&engine);
            effects
        };
        self.carry_out(effects, false);
    }

    /// Takes back a request that the daemon has not read; ends it with `EINTR`.
    fn cancel(&self, req: &Req, ticket: Ticket) -> bool {
        let taken = {
            let mut engine = self.engine.lock();
            let taken = engine.cancel(ticket);
            self.update_readable(&engine);
            taken
        };
        // The engine's reference is dropped here, after the lock.
        if taken.is_none() {
            return false;
        }
        if let Some(mut ender) = req.args.abort_take() {
            ender.error = EINTR.to_errno();
            ender.finish();
        }
        true
    }
}
