// SPDX-License-Identifier: GPL-2.0

//! The end of a channel.
//!
//! C counterpart: `fuse_chan_abort()`, `fuse_chan_wait_aborted()`, `end_requests()`. Takes the
//! engine's lock; sleeps.

use super::{
    channel::Chan,
    left::{
        LEFT_TIMER,
        LEFT_WORK, //
    },
};
use crate::{
    engine::{
        Drain,
        ForgetQueue, //
    },
    kapi::{
        fuse::trace,
        sync::workqueue::{
            cancel_delayed_work_sync,
            flush_work, //
        },
        task::sched, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Relaxed,
            Release, //
        },
        Arc, //
    },
};

impl Chan {
    /// From now on [`abort_by_administrator`](Self::abort_by_administrator) tells readers.
    pub(crate) fn set_abort_err(&self) {
        self.abort_err.store(true, Relaxed);
    }

    /// [`abort`](Self::abort), of which readers are told if the daemon has said that it wants it.
    pub(crate) fn abort_by_administrator(&self) {
        self.abort_telling(self.abort_err.load(Relaxed));
    }

    /// Ends all requests with `ECONNABORTED`, and all to come with `ENOTCONN`. Readers get
    /// `ENODEV`. Does not wait for requests that are being copied.
    ///
    /// C: `fuse_chan_abort()`. Context: process, without locks.
    pub(crate) fn abort(&self) {
        self.abort_telling(false);
    }

    /// As [`abort`](Self::abort); with `with_err` readers get `ECONNABORTED`.
    fn abort_telling(&self, with_err: bool) {
        let aborted = self.step(|engine| {
            let aborted = engine.abort(with_err);
            if aborted.is_some() {
                // Before anybody is woken up to look at it.
                self.connected.store(false, Relaxed);
                self.initialized.store(true, Release);
                self.queues.waiting.close();
                trace::fuse_chan_aborted(|| self.trace_step(0, 0, 0));
            }
            aborted
        });
        let Some(aborted) = aborted else {
            return;
        };
        if let Some(notified) = self.notified() {
            notified.aborted();
        }
        // There may be any number.
        let mut forgets = aborted.forgets;
        while forgets.pop_front().is_some() {
            sched::cond_resched();
        }
        self.end_drained(Drain::All);
    }

    /// Ends the requests that the engine lets go of, a few at a time.
    pub(in crate::transport) fn end_drained(&self, which: Drain) {
        loop {
            let batch = self.step(|engine| {
                let batch = engine.drain(which);
                for req in batch.requests.iter().flatten() {
                    trace::fuse_request_dropped(|| req.trace_step(0));
                }
                batch
            });
            for req in batch.requests.into_iter().flatten() {
                req.end_if_here(ECONNABORTED);
            }
            if !batch.more {
                return;
            }
            sched::cond_resched();
        }
    }

    /// After [`abort`](Self::abort): waits until no request is left, nor any work that could
    /// outlive the mount. Sleeps, uninterruptibly.
    pub(crate) fn wait_aborted(self: &Arc<Self>) {
        self.queues.gate.wait_for_end(|| {
            // In this order: what is done for callers that have left may still make requests, which
            // end at once.
            self.queues.waiting.is_over() && self.left.is_over()
        });
        // INIT has ended too, so nobody sets a timeout any more.
        cancel_delayed_work_sync::<Self, 0>(self);
        cancel_delayed_work_sync::<Self, LEFT_TIMER>(self);
        flush_work::<Self, LEFT_WORK>(self);
    }
}
