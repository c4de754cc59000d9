// SPDX-License-Identifier: GPL-2.0

//! The steps of a caller: a request is queued, interrupted, taken back.
//!
//! C counterpart: `fuse_dev_queue_req()`, `fuse_request_queue_background()`,
//! `fuse_dev_queue_interrupt()`, `fuse_remove_pending_req()`. Takes the engine's lock; sleeps where
//! a request must wait to be queued, or slots must be added for it.

use super::{
    channel::Chan,
    queues::Engine,
    request::Req,
    slots::Need, //
};
use crate::{
    engine::{
        Admit,
        Refusal,
        Refused,
        ReqId,
        Submitted,
        Ticket, //
    },
    kapi::{
        fuse::trace,
        task::sched, //
    },
};
use kernel::prelude::*;

impl Chan {
    /// Queues a request that its caller will wait for, and wakes a reader.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`; if `Gated` also `ENOMEM`, and `EINTR` if killed.
    #[inline]
    pub(in crate::transport) fn submit(&self, req: Req, admit: Admit) -> Result<Ticket> {
        // A closure is inlined; `Engine::submit` itself, as an argument, would be called through a
        // shim.
        self.submit_with(req, admit, true, |engine, req, admit, live| {
            engine.submit(req, admit, live)
        })
    }

    /// Queues a background request, and wakes a reader if it may go at once. May sleep for memory.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`; if `Gated` also `ENOMEM`, and `EINTR` if killed.
    pub(in crate::transport) fn submit_background(&self, req: Req, admit: Admit) -> Result {
        self.submit_with(req, admit, false, |engine, req, admit, live| {
            let submitted = engine.submit_background(req, admit, live);
            self.queues.note_background(engine);
            submitted
        })
        .map(|_| ())
    }

    /// Queues a request that is answered without anybody waiting, and is none of the background's.
    /// May sleep for memory.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`.
    pub(in crate::transport) fn submit_behind(&self, req: Req) -> Result {
        self.submit_with(req, Admit::Forced, false, Engine::submit)
            .map(|_| ())
    }

    /// Queues a message without reply that goes out under the number that the daemon gave, and
    /// wakes a reader.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`, `ENOMEM`.
    pub(in crate::transport) fn submit_notify_reply(&self, req: Req, unique: u64) -> Result {
        self.submit_with(req, Admit::Gated, false, |engine, req, _, live| {
            engine.submit_notify_reply(req, ReqId(unique), live)
        })
        .map(|_| ())
    }

    #[inline(always)]
    fn submit_with(
        &self,
        mut req: Req,
        admit: Admit,
        sync: bool,
        submit: impl Fn(&mut Engine, Req, Admit, u32) -> Result<Submitted, Refused<Req>>,
    ) -> Result<Ticket> {
        loop {
            // Read before the lock is taken: this request counts already.
            let live = self.queues.waiting.count();
            let submitted = if sync {
                self.queues
                    .step_sync(|engine| submit(engine, req, admit, live))
            } else {
                self.queues.step(|engine| submit(engine, req, admit, live))
            };
            match submitted {
                Ok(submitted) => return Ok(submitted.ticket),
                Err(refused) => {
                    req = refused.payload;
                    self.refused(refused.why, admit)?;
                }
            }
        }
    }

    /// Removes the reason for a refusal, if possible.
    #[cold]
    fn refused(&self, why: Refusal, admit: Admit) -> Result {
        match why {
            Refusal::Disconnected => Err(ENOTCONN),
            Refusal::Blocked => self.wait_gate(false),
            Refusal::NoSlot if admit == Admit::Gated => self.queues.grow(0, Need::MayFail),
            Refusal::NoSlot => {
                if self.queues.grow(0, Need::Must).is_err() {
                    // There can be no more: slots come free as other requests end.
                    sched::sleep_a_moment();
                }
                Ok(())
            }
        }
    }

    /// Queues the INTERRUPT for a request, if the daemon has it.
    pub(in crate::transport) fn queue_interrupt(&self, ticket: Ticket) {
        let _ = self.step(|engine| engine.interrupt(ticket));
    }

    /// Takes back a request that the daemon has not read; ends it with `EINTR`.
    pub(in crate::transport) fn cancel(&self, req: &Req, ticket: Ticket) -> bool {
        let taken = self.step(|engine| {
            let taken = engine.cancel(ticket);
            if taken.is_some() {
                trace::fuse_request_cancelled(|| req.trace_step(0));
            }
            taken
        });
        // The engine's reference is dropped here, after the lock.
        if taken.is_none() {
            return false;
        }
        if let Some(mut ender) = req.args.abort_take() {
            ender.error = EINTR.to_errno();
            // The caller is here, and has not left.
            let _ = ender.finish();
        }
        true
    }

    /// The engine lets go of a request that a reader or writer is about to end.
    #[cold]
    pub(in crate::transport) fn remove(&self, ticket: Ticket) {
        self.step(|engine| {
            let removed = engine.remove(ticket);
            if let Some((req, _)) = &removed {
                trace::fuse_request_removed(|| req.trace_step(0));
            }
            removed
        });
    }
}
