// SPDX-License-Identifier: GPL-2.0

//! The time that a daemon has for an answer. If a request takes longer, the connection is aborted.
//!
//! C counterpart: req_timeout.c. C looks at the head of each list, and may overlook a request that
//! is behind a younger one for some rounds; here all are looked at, in steps. Takes the engine's
//! lock; sleeps.

use crate::{
    engine::Seen,
    kapi::{
        sync::workqueue::system_percpu,
        task::sched, //
    },
    transport::chan::channel::Chan, //
};
use kernel::{
    sync::{
        atomic::Relaxed,
        Arc, //
    },
    time::msecs_to_jiffies,
    workqueue::{
        impl_has_delayed_work,
        WorkItem, //
    },
};

/// Seconds between two looks, and the shortest timeout. C: `FUSE_TIMEOUT_TIMER_FREQ`.
const PERIOD: u32 = 15;

impl Chan {
    /// Aborts the channel when a request takes longer than `seconds`, or than 15 if that is more.
    /// To be called once, where the reply to INIT is processed;
    /// [`wait_aborted`](Self::wait_aborted) stops the checks.
    ///
    /// C: `fuse_init_server_timeout()`.
    pub(crate) fn set_request_timeout(self: &Arc<Self>, seconds: u32) {
        self.request_timeout.store(seconds.max(PERIOD), Relaxed);
        self.look_later();
    }

    fn look_later(self: &Arc<Self>) {
        // An error would say that this is to happen already.
        let _ = system_percpu().enqueue_delayed::<Arc<Self>, 0>(self.clone(), ticks(PERIOD));
    }

    /// Whether any request is older than it may be.
    fn any_expired(&self) -> bool {
        let timeout = ticks(self.request_timeout.load(Relaxed)) as u64;
        let mut from = 0;
        loop {
            let mut expired = false;
            let next = self.peek(|engine| {
                engine.scan(from, |Seen { payload, .. }| {
                    expired = payload.created().plus(timeout).has_passed();
                    !expired
                })
            });
            match next {
                _ if expired => return true,
                Some(next) => from = next,
                None => return false,
            }
            sched::cond_resched();
        }
    }
}

/// From seconds, up to 65535.
fn ticks(seconds: u32) -> usize {
    msecs_to_jiffies(seconds.saturating_mul(1000))
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Chan { self.timeout_work }
}

/// The look. C: `fuse_check_timeout()`.
impl WorkItem for Chan {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        if !this.connected() {
            return;
        }
        if this.num_waiting() != 0 && this.any_expired() {
            this.abort();
        } else {
            this.look_later();
        }
    }
}
