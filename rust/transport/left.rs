// SPDX-License-Identifier: GPL-2.0

//! Requests whose callers were killed and have left: what is done in their place when the answer comes.
//!
//! C counterpart: none; there a caller whose request the daemon has waits for the answer, killed or not, and
//! then does by itself what is left to be done. Here a work item does it, on a queue of the channel's own, so
//! that it may sleep, for the daemon too, and nothing of it happens in the daemon's write(2). The memory for
//! that is there before a caller leaves; where there is none, the caller stays. Takes the engine's lock.

use super::{
    background::Done,
    chan::Chan,
    request::Req, //
};
use crate::kapi::{
    jiffies::Jiffies64,
    lend::Back, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed,
    workqueue::{
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
};
use pin_init::InPlaceWrite;

/// What is done in place of a caller that has left.
pub(crate) trait Left: Send {
    /// Called once, when the request has ended: in the daemon's write(2), in an aborter's or in the leaving caller's
    /// context. Takes no lock that sleeps.
    fn ending(&mut self);

    /// Called once after that, in a work item of the channel's; process context, no lock held.
    /// May sleep, for the daemon too.
    fn ended(self: KBox<Self>, done: Done<'_>);
}

/// What a task that dies leaves to be done later.
pub(crate) trait Later: Send {
    /// Called once, in a work item of the channel's; process context, no lock held. May sleep, for the daemon too.
    fn run(self: KBox<Self>);
}

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

/// A request that was left, and what is done when it has ended.
#[pin_data]
pub(super) struct LeftWork {
    #[pin]
    work: Work<Self>,
    left: Option<KBox<dyn Left>>,
    /// Goes last, and with it the count of the channel's requests.
    req: Req,
}

impl_has_work! {
    impl HasWork<Self> for LeftWork { self.work }
}

impl WorkItem for LeftWork {
    type Pointer = Pin<KBox<Self>>;

    fn run(mut this: Pin<KBox<Self>>) {
        let this = this.as_mut().project();
        let (left, req) = (this.left.take(), &*this.req);
        if let (Some(left), Some(mut args)) = (left, req.args.collect()) {
            if args.error == ENOSYS.to_errno() {
                req.chan.set_lacks(req.opcode.load(Relaxed));
            }
            left.ended(Done::new(&mut args));
        }
    }
}

/// What is done later.
#[pin_data]
struct LaterWork {
    #[pin]
    work: Work<Self>,
    later: Option<KBox<dyn Later>>,
}

impl_has_work! {
    impl HasWork<Self> for LaterWork { self.work }
}

impl WorkItem for LaterWork {
    type Pointer = Pin<KBox<Self>>;

    fn run(mut this: Pin<KBox<Self>>) {
        if let Some(later) = this.as_mut().project().later.take() {
            later.run();
        }
    }
}

/// What a caller that leaves gives to its request.
pub(super) type Legacy = Pin<KBox<LeftWork>>;

impl Chan {
    /// A request whose caller has left has ended.
    #[cold]
    pub(super) fn end_left(&self, mut legacy: Legacy) {
        if let Some(left) = legacy.as_mut().project().left {
            left.ending();
        }
        self.left_queue.enqueue(legacy);
    }
}

impl Chan {
    /// The current task leaves a request to whoever ends it.
    ///
    /// # Errors
    ///
    /// See [`Leave::leave`]: it has to stay.
    #[cold]
    pub(super) fn leave_request(&self, req: &Req, leave: &mut dyn Leave) -> Result {
        self.left_queue.make()?;
        if !Req::charge(req) {
            return Err(ENOMEM);
        }
        // All that may fail comes before the first thing that cannot be taken back.
        let memory = KBox::<LeftWork>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let left = leave.leave()?;
        let legacy = memory.write_pin_init(pin_init!(LeftWork {
            work <- new_work!("fuse_chan::left"),
            left: Some(left),
            req: req.clone(),
        }))?;
        match req.args.leave(legacy) {
            Ok(()) => self.return_own(req),
            // It has just ended.
            Err(legacy) => self.end_left(legacy),
        }
        Ok(())
    }

    /// Leaves something to be done later. Who calls this keeps the mount until then.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn later(&self, later: KBox<dyn Later>) -> Result {
        self.left_queue.make()?;
        let work = KBox::pin_init(
            pin_init!(LaterWork {
                work <- new_work!("fuse_chan::later"),
                later: Some(later),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        self.left_queue.enqueue(work);
        Ok(())
    }

    /// Lets go of the memory that a caller which has left has lent, unless a reader or writer is copying, who
    /// sees to it then.
    #[cold]
    pub(super) fn return_own(&self, req: &Req) {
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
