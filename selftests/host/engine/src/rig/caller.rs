// SPDX-License-Identifier: GPL-2.0

//! A caller: sends a request and waits for the answer, is interrupted, is killed and leaves.
//!
//! Mirrors `transport/caller/call.rs` and `transport/caller/background.rs`.

use super::chan::{Chan, End, Req, Request};
use super::engine::{Admit, Refusal, Ticket};
use super::sched::{Signals, Task};
use super::sync::Arc;

/// What the caller got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Result(End),
    /// Killed, and gone without the result.
    Left,
    /// Killed at the gate.
    KilledAtGate,
    NotConnected,
}

impl Chan {
    /// Sends a request and waits.
    pub(crate) fn call(self: &Arc<Self>, task: &Arc<Task>) -> Got {
        if !self.enter(task, false) {
            return Got::KilledAtGate;
        }
        let req = Request::new(self, Some(task));
        self.fill(&req);
        match self.submit(
            task,
            req.clone(),
            Admit::Gated,
            super::chan::TestEngine::submit,
        ) {
            Ok(submitted) => self.wait_answer(&req, submitted.ticket),
            Err(why) => {
                req.end_if_here(End::NotSent);
                assert_eq!(req.collect(), End::NotSent);
                if why == Refusal::Blocked {
                    Got::KilledAtGate
                } else {
                    Got::NotConnected
                }
            }
        }
    }

    fn fill(&self, req: &Req) {
        // Nobody else knows of it yet.
        req.args.write(0);
    }

    /// First any signal makes an INTERRUPT, then a fatal one takes back what the daemon has not
    /// read, or leaves what it has.
    pub(crate) fn wait_answer(&self, req: &Req, ticket: Ticket) -> Got {
        let wait = req.wait.as_ref().expect("a caller");
        let done = || req.word.is_done();
        if wait.wait(Signals::All, done).is_ok() {
            return Got::Result(req.collect());
        }
        if req.word.interrupt() {
            self.queue_interrupt(ticket);
        }
        if wait.wait(Signals::Fatal, done).is_ok() || self.cancel(req, ticket) {
            return Got::Result(req.collect());
        }
        if req.word.leave() {
            self.return_own(req);
            Got::Left
        } else {
            Got::Result(req.collect())
        }
    }

    /// Sends a request that nobody waits for; false if killed at the gate. `forced` past it.
    pub(crate) fn background(self: &Arc<Self>, task: &Arc<Task>, forced: bool) -> bool {
        if forced {
            self.waiting.enter();
        } else if !self.enter(task, true) {
            return false;
        }
        let req = Request::new(self, None);
        self.fill(&req);
        let submit = super::chan::TestEngine::submit_background;
        if self
            .submit(task, req.clone(), Admit::Forced, submit)
            .is_err()
        {
            if !forced {
                self.wake_gate(1);
            }
            req.end_if_here(End::NotSent);
        }
        true
    }
}
