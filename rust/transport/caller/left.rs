// SPDX-License-Identifier: GPL-2.0

//! Requests whose callers were killed and have left: what is done in their place when the answer comes.
//!
//! C counterpart: none; there a caller whose request the daemon has waits for the answer, killed or not, and
//! then does by itself what is left to be done. Here one work item of the channel does it for all of them, so that
//! nothing of it happens in the daemon's write(2). It never sleeps for the daemon: what would have to is looked at
//! again later, and a request that is sent in a caller's place has nobody who waits for it. So killed callers cost the
//! machine no threads. The memory for that is there before a caller leaves; where there is none, the caller stays.
//! Takes the engine's lock and "fuse_chan::left".

use super::background::{
    Outcome,
    Prepared, //
};
use crate::{
    abi::{
        Creds,
        NodeId,
        Op, //
    },
    kapi::{
        fuse::lend::Back,
        lib::fifo::{
            Fifo,
            Link,
            LinkMemory, //
        },
        sync::workqueue::{
            cancel_delayed_work_sync,
            flush_work,
            system_dfl, //
        },
        task::sched,
        time::jiffies::Jiffies64, //
    },
    transport::chan::{
        channel::Chan,
        request::{
            Req,
            Request, //
        },
    },
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
    time::msecs_to_jiffies,
    workqueue::{
        impl_has_delayed_work,
        impl_has_work,
        WorkItem, //
    },
};

/// What is done in place of a caller that has left. None of it waits for the daemon, or for a lock that somebody may
/// hold who does.
pub(crate) trait Left: Send {
    /// Called when the request has ended, and again for each of [`Next::Call`]: in the daemon's write(2), in an
    /// aborter's or in the leaving caller's context. Takes no lock that sleeps.
    fn ending(&mut self) {}

    /// Called after that with the answer; in a work item, no lock held.
    fn answered(&mut self, _outcome: Outcome<'_>) {}

    /// Called after that, or at first if there is no request, until it says that all is done; there too.
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
pub(crate) struct Filled(Req);

/// How a caller leaves.
pub(crate) trait Leave {
    /// Until when a caller that was killed waits for the answer all the same; `None`: not at all.
    fn patience(&mut self) -> Option<Jiffies64> {
        None
    }

    /// The caller leaves, and this is done in its place. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EAGAIN`: there is no memory, or there are too many; the caller stays.
    fn leave(&mut self) -> Result<KBox<dyn Left>>;
}

/// Of a caller that waits for its answer whatever happens.
pub(crate) struct NeverLeaves;

impl Leave for NeverLeaves {
    fn leave(&mut self) -> Result<KBox<dyn Left>> {
        Err(EAGAIN)
    }
}

/// What is done for one caller.
pub(in crate::transport) struct Job {
    left: KBox<dyn Left>,
    /// The request that has been sent last, with its place in the count of the channel's; and whether its answer is
    /// still to be looked at.
    req: Option<(Req, bool)>,
}

impl Job {
    /// Does as much as can be done now.
    fn run(&mut self) -> Next {
        if let Some((req, fresh @ true)) = &mut self.req {
            *fresh = false;
            if let Some(mut args) = req.args.collect() {
                if args.error == ENOSYS.to_errno() {
                    req.chan.set_lacks(req.opcode.load(Relaxed));
                }
                self.left.answered(Outcome::new(&mut args));
            }
        }
        self.left.go_on()
    }
}

/// What a caller that leaves gives to its request.
pub(in crate::transport) type Legacy = Link<Job>;

/// Milliseconds until what waits for others is looked at again if nobody says that it should be: those who lock a folio
/// for a moment do not.
const PERIOD: u32 = 20;

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
    pub(in crate::transport) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- new_spinlock!(Fifo::new(), "fuse_chan::left"),
            queued: Atomic::new(0),
            all: Atomic::new(0),
        })
    }

    /// There is nothing to do, nor will be when requests end.
    pub(in crate::transport) fn is_over(&self) -> bool {
        self.all.load(Acquire) == 0
    }

    fn push(&self, job: Legacy) {
        self.queued.fetch_add(1, Full);
        self.queue.lock().push_back(job);
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

impl WorkItem<LEFT_WORK> for Chan {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.do_left();
    }
}

impl WorkItem<LEFT_TIMER> for Chan {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.look_at_left();
    }
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

    #[cold]
    fn look_at_left(self: &Arc<Self>) {
        // An error says that it is queued already.
        let _ = system_dfl().enqueue::<Arc<Self>, LEFT_WORK>(self.clone());
    }

    /// Does what can be done. One work item does, so there is one such task at a time.
    fn do_left(self: &Arc<Self>) {
        let mut jobs = core::mem::replace(&mut *self.left.queue.lock(), Fifo::new());
        let (mut waiting, mut progress) = (false, false);
        while let Some(mut job) = jobs.pop_front() {
            match job.value_mut().run() {
                Next::Again => {
                    waiting = true;
                    self.left.queue.lock().push_back(job);
                }
                Next::Done => {
                    drop(job);
                    progress = true;
                    self.left.queued.fetch_sub(1, Full);
                    self.job_done();
                }
                Next::Call(request) => {
                    progress = true;
                    self.left.queued.fetch_sub(1, Full);
                    self.call_behind(job, request);
                }
            }
            sched::cond_resched();
        }
        if waiting && progress {
            // Some wait for each other.
            self.look_at_left();
        } else if waiting {
            // An error says that it is queued already.
            let _ = system_dfl()
                .enqueue_delayed::<Arc<Self>, LEFT_TIMER>(self.clone(), msecs_to_jiffies(PERIOD));
        }
    }

    /// One less to do.
    fn job_done(&self) {
        if self.left.all.fetch_sub(1, Full) == 1 && !self.connected() {
            self.wake_gate_of_end();
        }
    }

    /// Sends a request in place of a caller that has left.
    fn call_behind(self: &Arc<Self>, mut job: Legacy, Filled(req): Filled) {
        job.value_mut().req = Some((req.clone(), true));
        if let Err(error) = self.submit_behind(req.clone()) {
            req.end_if_here(error);
        }
        if let Err(job) = req.args.leave(job) {
            // It has just ended.
            self.end_left(job);
        }
    }

    /// A request whose caller has left has ended.
    #[cold]
    pub(in crate::transport) fn end_left(self: &Arc<Self>, mut job: Legacy) {
        job.value_mut().left.ending();
        self.left.push(job);
        self.look_at_left();
    }

    /// The current task leaves a request to whoever ends it.
    ///
    /// # Errors
    ///
    /// See [`Leave::leave`]: it has to stay.
    #[cold]
    pub(in crate::transport) fn leave_request(
        self: &Arc<Self>,
        req: &Req,
        leave: &mut dyn Leave,
    ) -> Result {
        if !Req::charge(req) {
            return Err(ENOMEM);
        }
        // All that may fail comes before the first thing that cannot be taken back.
        let memory = LinkMemory::new(GFP_KERNEL_ACCOUNT)?;
        let left = leave.leave()?;
        let job = memory.fill(Job {
            left,
            req: Some((req.clone(), true)),
        });
        self.left.all.fetch_add(1, Full);
        match req.args.leave(job) {
            Ok(()) => self.return_own(req),
            // It has just ended.
            Err(job) => self.end_left(job),
        }
        Ok(())
    }

    /// Leaves something to be done later. Who calls this keeps the mount until then.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn later(self: &Arc<Self>, left: KBox<dyn Left>) -> Result {
        let job = Link::new(Job { left, req: None }, GFP_KERNEL_ACCOUNT)?;
        self.left.all.fetch_add(1, Full);
        self.left.push(job);
        self.look_at_left();
        Ok(())
    }

    /// A request for [`Next::Call`].
    ///
    /// # Errors
    ///
    /// `EIO` if `op` comes with a payload.
    pub(crate) fn fill_behind<O: Op>(
        &self,
        prepared: Prepared,
        node: NodeId,
        creds: Creds,
        op: &O,
    ) -> Result<Filled> {
        let mut req = prepared.into_counted();
        Request::fill(&mut req, Some(node), creds, op, None)?;
        Ok(Filled(req))
    }

    /// After [`LeftJobs::is_over`]: the work has run. Sleeps.
    pub(in crate::transport) fn flush_left(self: &Arc<Self>) {
        cancel_delayed_work_sync::<Self, LEFT_TIMER>(self);
        flush_work::<Self, LEFT_WORK>(self);
    }

    /// Lets go of the memory that a caller which has left has lent, unless a reader or writer is copying, who
    /// sees to it then.
    #[cold]
    pub(in crate::transport) fn return_own(&self, req: &Req) {
        let (own, back) = {
            // Keeps replies from being claimed meanwhile.
            let _engine = self.engine.lock();
            // Taken out before, and lent again it would be in the way of who ends it instead of sending it again.
            if req.spent.load(Relaxed) {
                return;
            }
            let Some(mut lease) = req.args.lend_again() else {
                return;
            };
            let (own, spent) = lease.take_own();
            if spent {
                req.spent.store(true, Relaxed);
            }
            (own, lease.return_sent())
        };
        if let Back::MustEnd(ender) = back {
            req.end(ender, ECONNABORTED.to_errno());
        }
        own.let_go();
    }
}
