// SPDX-License-Identifier: GPL-2.0

//! What is to be done in place of callers that were killed and have left their requests.
//!
//! C counterpart: none, see `caller/left.rs`. Here is what requests and their channel have of it:
//! what a caller that leaves gives to its request, and the channel's queue of it. Takes
//! "fuse_chan::left", a leaf; does not sleep.

use super::{
    channel::Chan,
    request::Req, //
};
use crate::{
    kapi::{
        lib::fifo::{
            Fifo,
            Link, //
        },
        sync::workqueue::system_dfl, //
    },
    transport::message::outcome::Outcome, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        SpinLock, //
    },
    workqueue::{
        impl_has_delayed_work,
        impl_has_work, //
    },
};

/// What is done in place of a caller that has left. None of it waits for the daemon, or for a lock
/// that somebody may hold who does.
pub(crate) trait Left: Send {
    /// Called when the request has ended, and again for each of [`Next::Call`]: in the daemon's
    /// write(2), in an aborter's or in the leaving caller's context. Takes no lock that sleeps.
    fn ending(&mut self) {}

    /// Called after that with the answer; in a work item, no lock held.
    fn answered(&mut self, _outcome: Outcome<'_>) {}

    /// Called after that, or at first if there is no request, until it says that all is done; there
    /// too.
    fn go_on(&mut self) -> Next;
}

/// What comes next.
pub(crate) enum Next {
    /// Nothing: all is done.
    Done,
    /// It has to wait for others, and is to be called again.
    Again,
    /// This is to be sent.
    Call(Filled),
}

/// A request without payload that is ready to be sent.
pub(crate) struct Filled(pub(in crate::transport) Req);

/// What is done for one caller.
pub(in crate::transport) struct Job {
    pub(in crate::transport) left: KBox<dyn Left>,
    /// The request that has been sent last, with its place in the count of the channel's; and
    /// whether its answer is still to be looked at.
    pub(in crate::transport) req: Option<(Req, bool)>,
}

/// What a caller that leaves gives to its request.
pub(in crate::transport) type Legacy = Link<Job>;

/// What a channel has to do in place of callers that have left.
#[pin_data]
pub(in crate::transport) struct LeftJobs {
    /// What can be done, or waits for others.
    #[pin]
    queue: SpinLock<Fifo<Job>>,
    /// How many of them there are, those that are just being done included.
    queued: Atomic<u32>,
    /// The same with those whose requests the daemon has.
    all: Atomic<u32>,
}

impl LeftJobs {
    /// Nothing.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- new_spinlock!(Fifo::new(), "fuse_chan::left"),
            queued: Atomic::new(0),
            all: Atomic::new(0),
        })
    }

    /// There is nothing to do, nor will be when requests end.
    pub(super) fn is_over(&self) -> bool {
        self.all.load(Acquire) == 0
    }

    /// One more to do.
    pub(in crate::transport) fn begin(&self) {
        self.all.fetch_add(1, Full);
    }

    /// Whatever can be done, or waits for others.
    pub(in crate::transport) fn take(&self) -> Fifo<Job> {
        core::mem::replace(&mut *self.queue.lock(), Fifo::new())
    }

    /// To be done.
    pub(in crate::transport) fn push(&self, job: Legacy) {
        self.queued.fetch_add(1, Full);
        self.queue.lock().push_back(job);
    }

    /// To be done again: it was taken and has to wait for others.
    pub(in crate::transport) fn push_again(&self, job: Legacy) {
        self.queue.lock().push_back(job);
    }

    /// What was taken is done, or goes on when a request has ended.
    pub(in crate::transport) fn taken_done(&self) {
        self.queued.fetch_sub(1, Full);
    }
}

/// Tells the work from the look at the time of requests, and the timer from both.
pub(in crate::transport) const LEFT_WORK: u64 = 1;
pub(in crate::transport) const LEFT_TIMER: u64 = 2;

impl_has_work! {
    impl HasWork<Self, 1> for Chan { self.left_work }
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self, 2> for Chan { self.left_timer }
}

impl Chan {
    /// Somebody has let go of what the work may have found in its way, such as the lock of a folio.
    #[inline]
    pub(crate) fn let_go(self: &Arc<Self>) {
        // Should this not be seen in time, the timer comes.
        if self.left.queued.load(Relaxed) != 0 {
            self.look_at_left();
        }
    }

    /// Has the work look at what is to be done.
    #[cold]
    pub(in crate::transport) fn look_at_left(self: &Arc<Self>) {
        // An error says that it is queued already.
        let _ = system_dfl().enqueue::<Arc<Self>, LEFT_WORK>(self.clone());
    }

    /// A request whose caller has left has ended.
    #[cold]
    pub(in crate::transport) fn end_left(self: &Arc<Self>, mut job: Legacy) {
        job.value_mut().left.ending();
        self.left.push(job);
        self.look_at_left();
    }

    /// One less to do.
    pub(in crate::transport) fn left_done(&self) {
        if self.left.all.fetch_sub(1, Full) == 1 && !self.connected() {
            // Somebody may wait for this one.
            self.wake_gate_all();
        }
    }
}
