// SPDX-License-Identifier: GPL-2.0

//! Requests whose callers were killed and have left: what is done in their place when the answer
//! comes.
//!
//! C counterpart: none; there a caller whose request the daemon has waits for the answer, killed or
//! not, and then does by itself what is left to be done. Here one work item of the channel does it
//! for all of them, so that nothing of it happens in the daemon's write(2). It never sleeps for the
//! daemon: what would have to is looked at again later, and a request that is sent in a caller's
//! place has nobody who waits for it. So killed callers cost the machine no threads. The memory for
//! that is there before a caller leaves; where there is none, the caller stays. Takes the engine's
//! lock and "fuse_chan::left".

use super::background::Prepared;
use crate::{
    abi::Op,
    kapi::{
        fuse::lend::Back,
        lib::fifo::{
            Link,
            LinkMemory, //
        },
        mm::slab::SlabArc,
        sync::workqueue::system_dfl,
        task::sched,
        time::jiffies::Jiffies64, //
    },
    transport::{
        chan::{
            channel::Chan,
            left::{
                Filled,
                Job,
                Left,
                Legacy,
                Next,
                LEFT_TIMER,
                LEFT_WORK, //
            },
            request::Req,
        },
        message::{
            args::Message,
            outcome::Outcome, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
    time::msecs_to_jiffies,
    workqueue::WorkItem, //
};

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

/// Milliseconds until what waits for others is looked at again if nobody says that it should be:
/// those who lock a folio for a moment do not.
const PERIOD: u32 = 20;

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
    /// Does what can be done. One work item does, so there is one such task at a time.
    fn do_left(self: &Arc<Self>) {
        let mut jobs = self.left.take();
        let (mut waiting, mut progress) = (false, false);
        while let Some(mut job) = jobs.pop_front() {
            match job.value_mut().run() {
                Next::Again => {
                    waiting = true;
                    self.left.push_again(job);
                }
                Next::Done => {
                    drop(job);
                    progress = true;
                    self.left.taken_done();
                    self.left_done();
                }
                Next::Call(request) => {
                    progress = true;
                    self.left.taken_done();
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

    /// The current task leaves a request to whoever ends it.
    ///
    /// # Errors
    ///
    /// See [`Leave::leave`]: it has to stay.
    #[cold]
    pub(super) fn leave_request(self: &Arc<Self>, req: &Req, leave: &mut dyn Leave) -> Result {
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
        self.left.begin();
        match req.args.leave(job) {
            Ok(()) => self.return_own(req),
            // It has just ended.
            Err(job) => self.end_left(job),
        }
        Ok(())
    }

    /// Leaves something to be done later. Whoever calls this keeps the mount until then.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn later(self: &Arc<Self>, left: KBox<dyn Left>) -> Result {
        let job = Link::new(Job { left, req: None }, GFP_KERNEL_ACCOUNT)?;
        self.left.begin();
        self.left.push(job);
        self.look_at_left();
        Ok(())
    }

    /// A request for [`Next::Call`].
    ///
    /// # Errors
    ///
    /// `EIO` if the operation comes with a payload.
    pub(crate) fn fill_behind<O: Op>(
        &self,
        prepared: Prepared,
        message: &Message<'_, O>,
    ) -> Result<Filled> {
        let mut req = prepared.into_counted();
        SlabArc::get_mut(&mut req).ok_or(EIO)?.fill(message, None)?;
        Ok(Filled(req))
    }

    /// Lets go of the memory that a caller which has left has lent, unless a reader or writer is
    /// copying, who sees to it then.
    #[cold]
    pub(in crate::transport) fn return_own(&self, req: &Req) {
        // The engine's lock keeps replies from being claimed meanwhile.
        let taken = self.peek(|_| {
            // Taken out before, and lent again it would be in the way of whoever ends it instead of
            // sending it again.
            if req.spent.load(Relaxed) {
                return None;
            }
            let mut lease = req.args.lend_again()?;
            let (own, spent) = lease.take_own();
            if spent {
                req.spent.store(true, Relaxed);
            }
            Some((own, lease.return_sent()))
        });
        let Some((own, back)) = taken else {
            return;
        };
        if let Back::MustEnd(ender) = back {
            req.end(ender, ECONNABORTED.to_errno());
        }
        own.let_go();
    }
}
