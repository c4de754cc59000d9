// SPDX-License-Identifier: GPL-2.0

//! The background queue: how many requests that nobody waits for may be with the daemon at once.
//!
//! C: `bg_queue` and its counters in `struct fuse_chan`, `flush_bg_queue`,
//! `fuse_request_bg_finish`, `fuse_chan_max_background_set`. A request stops to count when the
//! engine lets go of it: when its reply is claimed rather than, as in C, when that has been copied.
//! The engine's lock is held.

use super::{
    list::MAIN,
    segment::Segment,
    slot::State,
    Effects,
    Engine,
    ForgetQueue,
    Payload, //
};
use core::ops::DerefMut;

/// Requests let through in one step; one in the host tests, to have several steps.
const STEP: u32 = if cfg!(test) { 1 } else { 16 };

impl<P: Payload, F: ForgetQueue, B: DerefMut<Target = Segment<P, B>>> Engine<P, F, B> {
    /// Background requests at all: queued, or with the daemon.
    pub(crate) fn num_background(&self) -> u32 {
        self.num_background
    }

    /// Background requests that passed the gate.
    #[cfg(test)]
    pub(crate) fn active_background(&self) -> u32 {
        self.active_background
    }

    /// How many may be active at once.
    pub(crate) fn max_background(&self) -> u32 {
        self.max_background
    }

    /// Changes how many may be active at once. After an abort nobody is held back by that any more.
    pub(crate) fn set_max_background(&mut self, max: u32) -> Effects {
        self.max_background = max;
        if !self.connected {
            return Effects::default();
        }
        self.blocked = self.num_background >= max;
        let gate = if self.blocked {
            0
        } else {
            max.saturating_sub(self.num_background)
        };
        Effects {
            gate,
            ..self.flush_background()
        }
    }

    /// Puts a slot that is on no list at the end of the background queue.
    pub(super) fn enter_background(&mut self, index: u32) -> Effects {
        if let Some(slot) = self.store.get_mut(index) {
            slot.state = State::Background;
            slot.background = true;
            if let Some(payload) = &slot.payload {
                payload.held();
            }
        }
        self.num_background = self.num_background.wrapping_add(1);
        if self.num_background == self.max_background {
            self.blocked = true;
        }
        if self.background.is_empty() && self.active_background < self.max_background {
            // The usual case of what follows.
            self.active_background = self.active_background.wrapping_add(1);
            self.enter_pending(index);
            return Effects::readers(1);
        }
        self.background = self.store.push_back::<MAIN, P>(self.background, index);
        self.flush_background()
    }

    /// Lets background requests through to pending, as many as may be; if [`Effects::more`], there
    /// are more than are done in one step. C: `flush_bg_queue`.
    pub(crate) fn flush_background(&mut self) -> Effects {
        let mut effects = Effects::default();
        while self.active_background < self.max_background && !self.background.is_empty() {
            if effects.readers == STEP {
                effects.more = true;
                break;
            }
            let index = self.background.first;
            self.background = self.store.unlink::<MAIN, P>(self.background, index);
            self.active_background = self.active_background.wrapping_add(1);
            self.enter_pending(index);
            effects.readers = effects.readers.wrapping_add(1);
        }
        effects
    }

    /// A background request leaves the engine: it counts no more, and lets the next one through.
    /// C: `fuse_request_bg_finish`.
    #[inline(never)]
    pub(super) fn leave_background(&mut self, active: bool) -> Effects {
        let mut gate = 0;
        if self.num_background == self.max_background {
            self.blocked = false;
            gate = 1;
        } else if !self.blocked {
            gate = 1;
        }
        self.num_background = self.num_background.saturating_sub(1);
        if active {
            self.active_background = self.active_background.saturating_sub(1);
        }
        if !self.connected {
            return Effects {
                gate,
                ..Effects::default()
            };
        }
        Effects {
            gate,
            ..self.flush_background()
        }
    }
}
