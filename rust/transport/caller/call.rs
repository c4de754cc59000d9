// SPDX-License-Identifier: GPL-2.0

//! A request and the wait for its answer.
//!
//! C counterpart: `fuse_chan_send()`, `request_wait_answer()`. Takes the engine's lock; sleeps.

use super::left::Leave;
use crate::{
    abi::{
        BadReply,
        Body,
        Minor,
        Op, //
    },
    engine::{
        Admit,
        Ticket, //
    },
    kapi::{
        fuse::moduleparam,
        mm::gfp::Gfp,
        sync::wait::Signals,
        task::sched, //
    },
    transport::{
        chan::{
            channel::Chan,
            freeze,
            request::{
                Req,
                Request,
                UniqueReq, //
            },
        },
        message::{
            args::Message,
            payload::Payload, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

/// Whether a request may be held back, and taken back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Waits for INIT, fails for lack of memory, is taken back by a caller that is killed before
    /// the daemon has read it.
    Normal,
    /// Must be sent: none of that (C: `fuse_args::force`).
    Forced,
    /// As [`How::Forced`], but a caller that is killed aborts the connection (C:
    /// `fuse_args::abort_on_kill`).
    AbortOnKill,
    /// As [`How::Forced`], but it is the last one: a caller that is killed waits for as long as it
    /// may ([`Leave::patience`]), and aborts the connection then. So does a task of the kernel's,
    /// which nobody can kill.
    Last,
}

impl How {
    /// Whether signals end the wait only if that is switched on.
    fn is_forced(self) -> bool {
        matches!(self, How::Forced | How::Last)
    }
}

/// How a wait has ended.
enum Waited {
    /// There is a result.
    Done,
    /// The caller was killed, and the request has nobody.
    Left,
}

/// A request that has ended, and is counted until its result has been taken.
pub(crate) struct Answer(Req);

impl Answer {
    /// What `parse` makes of the reply's body where it lies; that should be quick.
    ///
    /// # Errors
    ///
    /// The daemon's; `EIO` for a malformed reply; `ECONNABORTED` if the connection has ended
    /// meanwhile, `EINTR` if the caller was killed.
    #[inline]
    pub(crate) fn parse<R>(
        self,
        parse: impl FnOnce(Body<'_>, Minor) -> Result<R, BadReply>,
    ) -> Result<R> {
        self.0.args.collect().ok_or(EIO)?.parse(parse)
    }

    /// As [`parse`](Self::parse), as the operation that was sent has it.
    #[inline]
    pub(crate) fn decode<O: Op>(self, op: &O) -> Result<O::Out> {
        self.parse(|body, minor| op.decode(body, minor))
    }

    /// As [`decode`](Self::decode), also with the number of bytes of payload that the daemon has
    /// sent. Puts the payload back where it came from, even with an error.
    pub(crate) fn decode_with<O: Op>(
        self,
        op: &O,
        payload: &mut Payload,
    ) -> Result<(O::Out, usize)> {
        let mut result = self.0.args.collect().ok_or(EIO)?;
        result.swap_payload(payload);
        Ok((result.decode(op)?, result.result()?))
    }
}

impl Chan {
    /// Sends a request, with a payload if there is one, and waits for the answer.
    ///
    /// A caller that is killed leaves a request that the daemon has, if that is switched on
    /// ([`moduleparam::killable`]): what `leave` gives is done in its place, and the payload is
    /// gone.
    ///
    /// # Errors
    ///
    /// `ECONNREFUSED` after a failed INIT; `EINTR` if killed before it was sent, or left;
    /// `ENOTCONN`; `ENOMEM`. All others are the answer's.
    #[inline(always)]
    pub(crate) fn call<O: Op>(
        self: &Arc<Self>,
        how: How,
        message: &Message<'_, O>,
        payload: Option<&mut Payload>,
        leave: &mut dyn Leave,
    ) -> Result<Answer> {
        let mut req = self.begin(how)?;
        req.as_pin_mut().fill(message, payload)?;
        let (req, queued) = req.share();
        match self.send_and_wait(&req, queued, how, leave) {
            Ok(Waited::Done) => {}
            Ok(Waited::Left) => return Err(EINTR),
            // Not sent: ends here.
            Err(error) => req.end_if_here(error),
        }
        Ok(Answer(req))
    }

    /// A counted request, once its caller may go on.
    fn begin(self: &Arc<Self>, how: How) -> Result<UniqueReq> {
        let (entered, gfp) = match how {
            How::Normal if self.conn_error() => return Err(ECONNREFUSED),
            How::Normal => (self.enter(false)?, Gfp::KERNEL),
            How::Forced | How::AbortOnKill | How::Last => {
                (self.enter_forced(), Gfp::KERNEL | Gfp::NOFAIL)
            }
        };
        if how == How::Normal && !self.connected() {
            return Err(ENOTCONN);
        }
        let req = Request::new(self, true, gfp)?;
        entered.hand_over();
        Ok(req)
    }

    /// Returns when the request has ended or was left, except with an error: then it was not sent.
    /// `queued` is the engine's reference to it.
    fn send_and_wait(
        &self,
        req: &Req,
        queued: Req,
        how: How,
        leave: &mut dyn Leave,
    ) -> Result<Waited> {
        let admit = match how {
            How::Normal => Admit::Gated,
            How::Forced | How::AbortOnKill | How::Last => Admit::Forced,
        };
        let ticket = self.submit(queued, admit)?;

        // Another signal would not reach a task that one has ended already.
        let killed = how.is_forced()
            && moduleparam::killable()
            && (sched::dies_of_signal() || how == How::Last && sched::is_kthread());
        let interruptible = !killed && !self.no_interrupt.load(Relaxed);
        if interruptible && wait(req, Signals::All).is_ok() {
            return Ok(Waited::Done);
        }
        if interruptible && req.args.interrupt() {
            self.queue_interrupt(ticket);
        }
        Ok(self.wait_killed(req, ticket, how, killed, leave))
    }

    /// The wait, when a signal has made an INTERRUPT: a fatal one takes back a request that the
    /// daemon has not read, or leaves it. Apart, as it is rare.
    #[inline(never)]
    fn wait_killed(
        &self,
        req: &Req,
        ticket: Ticket,
        how: How,
        mut killed: bool,
        leave: &mut dyn Leave,
    ) -> Waited {
        // Only a caller that was killed looks at it.
        let killable = || how != How::AbortOnKill && moduleparam::killable();
        if !killed && (!how.is_forced() || killable()) {
            if wait(req, Signals::Fatal).is_ok() {
                return Waited::Done;
            }
            match how {
                // Which ends the request, too.
                How::AbortOnKill => self.abort(),
                How::Normal if self.cancel(req, ticket) => return Waited::Done,
                _ => killed = killable(),
            }
        }
        if killed {
            if let Some(until) = leave.patience() {
                let done = || req.args.is_done();
                if (req.wait).wait_event_until(until, freeze::may_freeze_caller, done) {
                    return Waited::Done;
                }
            }
            if how == How::Last {
                // Which ends the request, too.
                self.abort();
            } else if req.chan.leave_request(req, leave).is_ok() {
                return Waited::Left;
            }
        }
        // Without signals there is no error.
        let _ = wait(req, Signals::None);
        Waited::Done
    }
}

/// Waits until a request has ended.
///
/// # Errors
///
/// `EINTR` after a signal of the kind named.
#[inline]
fn wait(req: &Req, signals: Signals) -> Result {
    let freezable = freeze::may_freeze_caller;
    (req.wait).wait_event(signals, freezable, || req.args.is_done())
}
