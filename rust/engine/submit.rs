// SPDX-License-Identifier: GPL-2.0

//! What callers do: submit, interrupt, cancel, forget.
//!
//! C: `fuse_get_req`, `fuse_dev_queue_req`, `fuse_request_queue_background`,
//! `fuse_dev_queue_interrupt`, `fuse_remove_pending_req`, `fuse_dev_queue_forget`. The engine's
//! lock is held.

use super::{
    list::{
        List,
        MAIN,
        SIDE, //
    },
    segment::Segment,
    slot::{
        Links,
        Slot,
        State,
        NIL, //
    },
    Effects, Engine, ForgetQueue, Payload, ReqId, Ticket,
};
use core::ops::DerefMut;

/// Whether a request waits at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Admit {
    /// Refused while [`Engine::is_gated`].
    Gated,
    /// Goes through at any time: C's `args->force`, and whoever has waited at the gate before.
    Forced,
}

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// Wait until [`Engine::is_gated`] is false, then try again. `EINTR` if killed.
    Blocked,
    /// `ENOTCONN`.
    Disconnected,
    /// [`Engine::grow`], then try again. `ENOMEM` if there is no memory, or if not
    /// [`Engine::may_grow`].
    NoSlot,
}

/// A request that was not accepted, and why.
#[derive(Debug)]
pub(crate) struct Refused<P> {
    /// The request.
    pub(crate) payload: P,
    /// Why.
    pub(crate) why: Refusal,
}

/// A request that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Submitted {
    /// To name it when it is to be interrupted or cancelled.
    pub(crate) ticket: Ticket,
    /// Whom to wake up. Whoever waits for the reply may wake up the reader synchronously.
    pub(crate) effects: Effects,
}

impl<P: Payload, F: ForgetQueue, B: DerefMut<Target = Segment<P, B>>> Engine<P, F, B> {
    #[inline(always)]
    fn refusal(&self, background: bool, admit: Admit, live: u32) -> Option<Refusal> {
        // In C's order: first the gate, which an abort opens.
        if admit == Admit::Gated && self.is_gated(background) {
            Some(Refusal::Blocked)
        } else if !self.connected {
            Some(Refusal::Disconnected)
        } else if self.lacks_room(live) {
            Some(Refusal::NoSlot)
        } else {
            None
        }
    }

    /// Numbers a request and queues it on pending. `live` is how many requests count (see
    /// [`super::Waiting`]), read when this one did already.
    ///
    /// # Errors
    ///
    /// Any [`Refusal`].
    // As a function of its own 46 instructions more for each request: the result would go through
    // memory.
    #[inline(always)]
    pub(crate) fn submit(
        &mut self,
        payload: P,
        admit: Admit,
        live: u32,
    ) -> Result<Submitted, Refused<P>> {
        self.queue(payload, admit, live, None)
    }

    /// Queues a message without reply that goes out under the id that the daemon gave; `live` as
    /// for [`submit`](Self::submit). C: `fuse_chan_send_notify_reply`.
    ///
    /// # Errors
    ///
    /// Any [`Refusal`].
    pub(crate) fn submit_notify_reply(
        &mut self,
        payload: P,
        unique: ReqId,
        live: u32,
    ) -> Result<Submitted, Refused<P>> {
        self.queue(payload, Admit::Gated, live, Some(unique))
    }

    #[inline(always)]
    fn queue(
        &mut self,
        payload: P,
        admit: Admit,
        live: u32,
        notify: Option<ReqId>,
    ) -> Result<Submitted, Refused<P>> {
        if let Some(why) = self.refusal(false, admit, live) {
            return Err(Refused { payload, why });
        }
        let Some((ticket, slot)) = self.store.alloc() else {
            let why = Refusal::NoSlot;
            return Err(Refused { payload, why });
        };
        slot.reply = notify.is_none();
        slot.payload = Some(payload);
        let unique = notify.unwrap_or_else(|| Self::number(&mut self.reqctr));
        Self::pending_slot(slot, unique, self.pending);
        self.pending = self.store.appended::<MAIN, P>(self.pending, ticket.index);
        Ok(Submitted {
            ticket,
            effects: Effects::readers(1),
        })
    }

    /// Queues a request that nobody waits for, behind the limit of background requests. It is
    /// numbered when it passes. `live` as for [`submit`](Self::submit). C: `fuse_chan_send_bg`.
    ///
    /// # Errors
    ///
    /// Any [`Refusal`].
    pub(crate) fn submit_background(
        &mut self,
        payload: P,
        admit: Admit,
        live: u32,
    ) -> Result<Submitted, Refused<P>> {
        if let Some(why) = self.refusal(true, admit, live) {
            return Err(Refused { payload, why });
        }
        let Some((ticket, slot)) = self.store.alloc() else {
            let why = Refusal::NoSlot;
            return Err(Refused { payload, why });
        };
        slot.reply = true;
        slot.payload = Some(payload);
        Ok(Submitted {
            ticket,
            effects: self.enter_background(ticket.index),
        })
    }

    /// Numbers a slot that is on no list, and puts it at the end of pending.
    #[inline]
    pub(super) fn enter_pending(&mut self, index: u32) {
        let unique = Self::number(&mut self.reqctr);
        let Some(slot) = self.store.get_mut(index) else {
            return;
        };
        Self::pending_slot(slot, unique, self.pending);
        self.pending = self.store.appended::<MAIN, P>(self.pending, index);
    }

    /// What a slot at the end of pending, which is `list` so far, has in it.
    #[inline(always)]
    fn pending_slot(slot: &mut Slot<P>, unique: ReqId, list: List) {
        slot.unique = unique.0;
        slot.state = State::Pending;
        slot.links = Links {
            next: NIL,
            prev: list.last,
        };
        if let Some(payload) = &slot.payload {
            payload.queued(unique);
        }
    }

    /// Queues the INTERRUPT for a request, unless the daemon does not have the request, or has not
    /// read an earlier one yet. To be called by whoever was told to by `LendState::interrupt` or
    /// `LendState::return_sent`. C: `fuse_dev_queue_interrupt`.
    pub(crate) fn interrupt(&mut self, ticket: Ticket) -> Effects {
        let Some(slot) = self.store.lookup(ticket) else {
            return Effects::default();
        };
        // Looked at again now that it cannot change: it may have been taken back to be resent.
        let sent = slot.payload.as_ref().is_some_and(P::sent);
        if slot.state != State::Processing || slot.interrupt || !sent {
            return Effects::default();
        }
        self.enter_interrupts(ticket.index)
    }

    pub(super) fn enter_interrupts(&mut self, index: u32) -> Effects {
        if let Some(slot) = self.store.get_mut(index) {
            slot.interrupt = true;
            if let Some(payload) = &slot.payload {
                payload.interrupt_queued();
            }
        }
        self.interrupts = self.store.push_back::<SIDE, P>(self.interrupts, index);
        Effects::readers(1)
    }

    #[inline]
    pub(super) fn leave_interrupts(&mut self, index: u32) {
        if let Some(slot) = self.store.get_mut(index) {
            if slot.interrupt {
                slot.interrupt = false;
                self.interrupts = self.store.unlink::<SIDE, P>(self.interrupts, index);
            }
        }
    }

    /// Takes back a request that the daemon has not seen (or must be sent again), because its
    /// caller was killed: `EINTR`. `None` if it is not queued. C: `fuse_remove_pending_req`.
    ///
    /// Only for requests that somebody waits for, not for background ones.
    pub(crate) fn cancel(&mut self, ticket: Ticket) -> Option<(P, Effects)> {
        let slot = self.store.lookup(ticket)?;
        if slot.state != State::Pending || slot.background {
            return None;
        }
        self.leave_pending(ticket.index);
        self.release_slot(ticket.index)
    }

    /// Unlinks a slot in state `Pending`, from whichever of the two lists it is on.
    #[inline]
    pub(super) fn leave_pending(&mut self, index: u32) {
        // In the middle of either it does not matter which.
        if self.recalled.first == index || self.recalled.last == index {
            self.recalled = self.store.unlink::<MAIN, P>(self.recalled, index);
        } else {
            self.pending = self.store.unlink::<MAIN, P>(self.pending, index);
        }
    }

    /// Queues a FORGET.
    ///
    /// # Errors
    ///
    /// Gives it back if disconnected, to be dropped outside the lock.
    pub(crate) fn forget(&mut self, link: F::Link) -> Result<Effects, F::Link> {
        if !self.connected {
            return Err(link);
        }
        // One reader takes all that it has room for, and hands the wake-up on.
        let first = self.forgets.is_empty();
        self.forgets.push_back(link);
        Ok(Effects::readers(u32::from(first)))
    }
}
