// SPDX-License-Identifier: GPL-2.0

//! The gate: callers held back until INIT has been answered, or the daemon has less to do in the
//! background; and the count of all whose requests have not ended.
//!
//! C counterpart: `blocked_waitq`, `num_waiting`, the first half of `fuse_get_req()`. Takes the
//! engine's lock; sleeps.

use super::{
    channel::Chan,
    freeze, //
};
use crate::{
    engine::Effects,
    kapi::sync::wait::{
        new_wait_queue,
        Signals,
        WaitQueue, //
    },
};
use kernel::prelude::*;

/// Callers held back, and whoever waits for the end of all requests.
#[pin_data]
pub(super) struct Gate {
    #[pin]
    queue: WaitQueue,
}

impl Gate {
    /// Nobody waits.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- new_wait_queue!("fuse_chan::gate"),
        })
    }

    /// Wakes up so many callers held back.
    pub(super) fn wake(&self, callers: u32) {
        match callers {
            Effects::ALL => self.queue.wake_up_all(),
            // Whoever waits at the gate looks at its condition with the engine's lock held, which
            // we have had: it is on the queue already, or sees that it need not be.
            n if self.queue.is_active() => self.queue.wake_up_nr(n.try_into().unwrap_or(i32::MAX)),
            _ => {}
        }
    }

    /// Waits until `over`. Sleeps, uninterruptibly.
    pub(super) fn wait_for_end(&self, over: impl FnMut() -> bool) {
        // Without signals there is no error.
        let _ = self.queue.wait_event(Signals::None, over);
    }
}

impl Chan {
    /// Counts a caller and waits until it may go on; C: the first half of `fuse_get_req()`.
    ///
    /// # Errors
    ///
    /// `EINTR` if killed while waiting.
    #[inline]
    pub(in crate::transport) fn enter(&self, background: bool) -> Result<Entered<'_>> {
        let entered = self.enter_forced();
        if background || !self.initialized() {
            self.wait_gate(background)?;
        }
        Ok(entered)
    }

    /// Counts a caller that is not held back.
    #[inline]
    pub(in crate::transport) fn enter_forced(&self) -> Entered<'_> {
        self.queues.waiting.enter();
        Entered(self)
    }

    /// Waits until a caller may go on.
    #[inline(never)]
    pub(super) fn wait_gate(&self, background: bool) -> Result {
        self.queues
            .gate
            .queue
            .wait_event_killable_exclusive(freeze::may_freeze_at_gate, || {
                !self.peek(|engine| engine.is_gated(background))
            })
            .map_err(|_| EINTR)?;
        // A caller that takes up no background slot may have got the wake-up of one that came free.
        if !background {
            self.pass_gate_on();
        }
        Ok(())
    }

    /// Passes a wake-up at the gate on to the next one.
    pub(in crate::transport) fn pass_gate_on(&self) {
        self.queues.gate.wake(1);
    }

    /// Has all who wait at the gate look again.
    pub(in crate::transport) fn wake_gate_all(&self) {
        self.queues.gate.wake(Effects::ALL);
    }

    /// A request has ended and is not in use any more. Takes the engine's lock if its slot is not
    /// needed any more; does not sleep.
    pub(super) fn leave(&self) {
        let gone = self.queues.waiting.leave();
        if gone.over {
            self.wake_gate_all();
        }
        if gone.trim {
            self.queues.trim();
        }
    }
}

/// One entry in the count of waiting requests, until a request takes it over.
pub(in crate::transport) struct Entered<'a>(&'a Chan);

impl Entered<'_> {
    /// The request made by the caller that has entered leaves from now on.
    pub(in crate::transport) fn hand_over(self) {
        core::mem::forget(self);
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
