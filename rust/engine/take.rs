// SPDX-License-Identifier: GPL-2.0

//! What a reader of the device gets next.
//!
//! C: the first half of `fuse_dev_do_read`, `fuse_read_interrupt`, `fuse_dequeue_forget`. Differs
//! in that a request goes to the device's requests in the same step, rather than to its `io` list
//! and, once copied, to `processing`: until it has been copied it is lent, and [`Engine::claim`]
//! does not find it. The engine's lock is held.

use super::{
    list::{
        List,
        MAIN, //
    },
    segment::Segment,
    slot::{
        Links,
        State,
        Was,
        NIL, //
    },
    table::Table,
    DeviceId, Effects, Engine, ForgetQueue, Payload, ReqId, Ticket,
};
use core::ops::DerefMut;

/// Forgets taken in one step; few in the host tests, to have several steps.
const FORGETS: u32 = if cfg!(test) { 2 } else { 64 };

/// A request for the reader to copy out.
#[derive(Debug)]
pub(crate) struct TakenRequest<P> {
    /// The request; the engine has another reference to it. Its arguments are not lent yet.
    pub(crate) payload: P,
    /// The id it goes out under.
    pub(crate) unique: ReqId,
    /// To name it, for [`Engine::interrupt`] and [`Engine::remove`].
    pub(crate) ticket: Ticket,
    /// Whether a reply is to come. If not: [`Engine::remove`] after copying, then end it.
    pub(crate) reply: bool,
}

/// What there is to read.
#[derive(Debug)]
pub(crate) enum Taken<P> {
    /// Nothing: wait until [`Engine::is_readable`] or not [`Engine::is_connected`], exclusively;
    /// `EAGAIN` if nonblocking.
    Empty,
    /// Disconnected: `ECONNABORTED` if `with_err`, else `ENODEV`.
    Closed {
        /// See [`Engine::is_aborted_with_err`].
        with_err: bool,
    },
    /// The INTERRUPT of the request with this id.
    Interrupt(ReqId),
    /// FORGETs, now in the queue that was passed.
    Forgets {
        /// The id of the message.
        unique: ReqId,
        /// How many.
        count: u32,
        /// One that goes out as FORGET rather than as BATCH_FORGET.
        single: bool,
        /// There may be more for this message: [`Engine::take_forgets`].
        more: bool,
        /// Another reader, for what is left, if there is no more for this message.
        effects: Effects,
    },
    /// A request.
    Request(TakenRequest<P>),
}

/// Further FORGETs for one message.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MoreForgets {
    /// How many were taken.
    pub(crate) count: u32,
    /// There may be more for this message: call again, with that many less.
    pub(crate) more: bool,
    /// Another reader, for what is left, if there is no more for this message.
    pub(crate) effects: Effects,
}

impl<P: Payload, F: ForgetQueue, B: DerefMut<Target = Segment<P, B>>> Engine<P, F, B> {
    /// Takes what is next for a reader of `device`. `max_forgets` is how many fit in its buffer, or
    /// 1 if the daemon is too old for BATCH_FORGET; they are appended to `forgets`.
    ///
    /// What to do with a request, in this order:
    ///
    /// 1. `LendState::lend`. If gone, it was aborted just now: drop it and take again.
    /// 2. If it does not fit in the buffer: `end`, [`Engine::remove`], set the error, `finish`, and
    ///    take again.
    /// 3. Copy, parking for faults. If gone on `resume`, or `park` says so: stop as in 4.
    /// 4. `return_sent`: the daemon has it; [`Engine::interrupt`] if so told. `MustEnd`: aborted
    ///    meanwhile, end it with `ECONNABORTED`, `finish`. If copying failed: `end`,
    ///    [`Engine::remove`], end it with `EIO`, `finish`.
    pub(crate) fn take(&mut self, device: DeviceId, max_forgets: u32, forgets: &mut F) -> Taken<P> {
        if let Some(request) = self.take_usual(device) {
            return Taken::Request(request);
        }
        if !self.connected || !self.is_device(device) {
            return Taken::Closed {
                with_err: self.abort_with_err,
            };
        }
        if !self.interrupts.is_empty() {
            let index = self.interrupts.first;
            self.leave_interrupts(index);
            let unique = self.store.get(index).map_or(0, |slot| slot.unique);
            return Taken::Interrupt(ReqId(unique));
        }
        if !self.forgets.is_empty() {
            if self.pending.is_empty() || self.forgets_first() {
                return self.take_first_forgets(max_forgets, forgets);
            }
            if self.forget_batch <= -8 {
                self.forget_batch = 16;
            }
        }
        self.take_request(device)
            .map_or(Taken::Empty, Taken::Request)
    }

    /// The usual case of [`take`](Self::take): a request, and nothing that goes before it. `None`
    /// in all others. `device` has not been released: whoever reads has its file open.
    #[inline(always)]
    pub(crate) fn take_usual(&mut self, device: DeviceId) -> Option<TakenRequest<P>> {
        if cfg!(test) {
            assert!(self.is_device(device), "released");
        }
        if !self.connected || !self.interrupts.is_empty() || !self.forgets.is_empty() {
            return None;
        }
        self.take_request(device)
    }

    #[inline]
    pub(super) fn is_device(&mut self, device: DeviceId) -> bool {
        self.store
            .lookup(device.0)
            .is_some_and(|slot| slot.state == State::Device)
    }

    /// Up to 16 forgets go before requests, then 8 requests go before forgets.
    fn forgets_first(&mut self) -> bool {
        let batch = self.forget_batch;
        self.forget_batch = batch.saturating_sub(1);
        batch > 0
    }

    fn take_first_forgets(&mut self, max: u32, out: &mut F) -> Taken<P> {
        let unique = self.next_unique();
        let Some(first) = self.forgets.pop_front() else {
            return Taken::Empty;
        };
        out.push_back(first);
        let single = max <= 1 || self.forgets.is_empty();
        let further = self.take_forgets(max.saturating_sub(1), out);
        Taken::Forgets {
            unique,
            count: further.count.saturating_add(1),
            single,
            more: further.more,
            effects: further.effects,
        }
    }

    /// Takes up to `max` further forgets for the same message.
    pub(crate) fn take_forgets(&mut self, max: u32, out: &mut F) -> MoreForgets {
        let mut count = 0;
        while count < max.min(FORGETS) {
            let Some(link) = self.forgets.pop_front() else {
                break;
            };
            out.push_back(link);
            count = count.wrapping_add(1);
        }
        let left = !self.forgets.is_empty();
        let more = left && count < max;
        MoreForgets {
            count,
            more,
            // All forgets have but one wake-up: who uses it up, and leaves some, hands it on.
            effects: Effects::readers(u32::from(left && !more)),
        }
    }

    #[inline(always)]
    fn take_request(&mut self, device: DeviceId) -> Option<TakenRequest<P>> {
        let index = self.pending.first;
        if index == NIL {
            return None;
        }
        let owner = device.0.index;
        let slot = self.store.get_mut(index)?;
        let payload = slot.payload.clone()?;
        let (reply, unique, next) = (slot.reply, slot.unique, slot.links.next);
        let ticket = Ticket {
            index,
            stamp: slot.stamp,
        };
        self.pending = self.store.pop_front::<MAIN, P>(self.pending, next);
        let (state, chain) = if reply {
            let chain = self.table.insert(&mut self.store, index, unique);
            (State::Processing, chain)
        } else {
            (State::Copying, NIL)
        };
        self.enter_device(owner, index, state, chain);
        Some(TakenRequest {
            payload,
            unique: ReqId(unique),
            ticket,
            reply,
        })
    }

    /// Puts a slot that is on no list at the end of a device's. In the table of uniques it is
    /// before `chain`, if it is there.
    #[inline]
    pub(super) fn enter_device(&mut self, device: u32, index: u32, state: State, chain: u32) {
        let Some(head) = self.store.get_mut(device) else {
            return;
        };
        // Of a device the links are the ends of its list.
        let list = List {
            first: head.links.next,
            last: head.links.prev,
        };
        head.links.prev = index;
        if list.is_empty() {
            head.links.next = index;
        }
        head.owner = head.owner.wrapping_add(1);
        if let Some(slot) = self.store.get_mut(index) {
            slot.state = state;
            slot.chain = chain;
            slot.owner = device;
            slot.links = Links {
                next: NIL,
                prev: list.last,
            };
        }
        self.store.appended::<MAIN, P>(list, index);
    }

    /// Takes a slot in state `Processing` or `Copying` off everything that it is on.
    pub(super) fn leave_device(&mut self, index: u32) {
        let Some(slot) = self.store.get_mut(index) else {
            return;
        };
        let was = Was::of(slot);
        slot.links = Links::NONE;
        slot.chain = NIL;
        self.leave_interrupts(index);
        self.left_device(self.table.bucket(was.unique), index, &was);
    }

    /// The rest of leaving a device: what is around a slot that was there forgets it.
    #[inline(always)]
    fn left_device(&mut self, bucket: u32, index: u32, was: &Was) {
        if was.state == State::Processing {
            Table::remove(&mut self.store, bucket, index, was.chain);
        }
        let Links { next, prev } = was.links;
        if let Some(head) = self.store.get_mut(was.owner) {
            // Of a device the links are the ends of its list.
            if head.links.next == index {
                head.links.next = next;
            }
            if head.links.prev == index {
                head.links.prev = prev;
            }
            head.owner = head.owner.wrapping_sub(1);
        }
        self.store.close_gap::<MAIN, P>(was.links);
    }

    /// The engine lets go of a slot in state `Processing` or `Copying`.
    #[inline(never)]
    pub(super) fn let_go(&mut self, index: u32) -> Option<(P, Effects)> {
        let bucket = self.table.bucket(self.store.get(index)?.unique);
        self.leave_interrupts(index);
        let (payload, was) = self.store.free(index)?;
        self.left_device(bucket, index, &was);
        Some((payload?, self.released(&was)))
    }

    /// The same of a slot of the first segment, where the bucket is known, without an interrupt; of
    /// the background it is still to leave that. Inlined where replies are found, so that what the
    /// slot was stays in registers.
    #[inline(always)]
    pub(super) fn let_go_alone(&mut self, bucket: u32, index: u32) -> Option<P> {
        let (payload, was) = self.store.free(index)?;
        self.left_device(bucket, index, &was);
        payload
    }

    /// The engine lets go of a request that a reader or writer has at hand, which is about to end
    /// it. `None` if it has let go of it already (abort, release of the device).
    #[inline(never)]
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<(P, Effects)> {
        let slot = self.store.lookup(ticket)?;
        if !matches!(slot.state, State::Processing | State::Copying) {
            return None;
        }
        self.let_go(ticket.index)
    }

    /// Frees a slot that is on no list.
    #[inline]
    pub(super) fn release_slot(&mut self, index: u32) -> Option<(P, Effects)> {
        let (payload, was) = self.store.free(index)?;
        Some((payload?, self.released(&was)))
    }

    /// What follows when the engine has let go of a request.
    #[inline]
    fn released(&mut self, was: &Was) -> Effects {
        let trim = self.store.take_emptied();
        let effects = if was.background {
            self.leave_background(was.state != State::Background)
        } else {
            Effects::default()
        };
        Effects { trim, ..effects }
    }
}
