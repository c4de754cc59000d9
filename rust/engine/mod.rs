// SPDX-License-Identifier: GPL-2.0

//! The request engine: which request is where, and what follows when one moves.
//!
//! C: `struct fuse_iqueue`, `struct fuse_pqueue` and the background queue of `struct fuse_chan`,
//! which have a lock each. Here one plain state machine has them all; the channel keeps it in one
//! spinlock (the leaf of all locks). It needs only `core`, allocates nothing, calls nothing that
//! sleeps, and knows no kernel type, so that the host tests run this very source.
//!
//! - [`store`], [`segment`], [`slot`], [`list`], [`table`]: what it is made of,
//! - [`submit`], [`take`], [`reply`]: the steps of callers, readers and writers,
//! - [`background`], [`resend`], [`teardown`], [`scan`]: those of a few or of all requests,
//! - [`step`]: what follows from a step,
//! - [`lend_state`], [`waiting`], [`wait_loop`], [`occupied`]: what stands beside the lock: a
//!   request's word, the count of requests, the order of a wait, what left callers still hold,
//! - `audit`: the invariants, for the host tests.
//!
//! Uses nothing; `kapi` uses the request's word and the order of a wait, `transport` the rest.
//!
//! # A round trip
//!
//! | who | step | engine's lock |
//! |---|---|---|
//! | caller | [`Engine::submit`]: numbered, on pending; wakes up a reader | 1 |
//! | reader | [`Engine::take`]: off pending, with the reader's device | 2 |
//! | reader | lends the arguments, copies them out, returns them as sent | |
//! | writer | [`Engine::claim`]: found by its unique, out of the engine | 3 |
//! | writer | copies the reply in (the arguments are lent to it), finishes, wakes up the caller | |
//!
//! The steps without the lock are those of the request's own word ([`lend_state`]), which the
//! engine asks through [`Payload`] where the answer must not change under it.
//!
//! # Races
//!
//! - Abort while a reader copies out: The request is with the device since it was taken, so
//!   [`Engine::drain`] finds it. The word is lent: the abort leaves its mark, the reader ends the
//!   request when it returns the lease. While parked the abort ends it and `resume` says gone.
//! - Abort between `take` and `lend`: Drained; the word is here, the abort ends the request, `lend`
//!   says gone.
//! - Abort while a writer copies in: The claimed request is out of the engine. A copy that does not
//!   sleep just comes before the abort; one that is to sleep puts the request back first
//!   ([`Engine::relist`]), which the abort, if it was first, refuses.
//! - A reply before the request was copied out: [`Engine::claim`] asks the word, under the lock:
//!   not sent, so `ENOENT`, as in C, where the request is not on `processing` yet.
//! - Interrupt against sent: Two changes of the same word: the caller sees sent, or the reader sees
//!   interrupted, never neither or both.
//! - Interrupt against resend, reply or end: [`Engine::interrupt`] looks the ticket up and asks the
//!   word again under the lock; whatever takes a request from the daemon takes it off the
//!   interrupts in the same step.
//! - A killed caller against a reader: Both need the lock: [`Engine::cancel`] finds the request
//!   pending, or the reader has it and the caller leaves through the word (`leave`), which against
//!   `finish` has one winner.
//! - A wake-up for a request that was cancelled: One for each request, none taken back; a
//!   reader that is woken up for nothing looks and sleeps again.
//! - A wake-up for FORGETs: One for all that are there. The reader that takes some and leaves some
//!   wakes up another one, whatever becomes of itself.
//! - Release of a device while a reader copies: As with abort. All readers are woken up, lest one
//!   that leaves keeps the wake-up of another.
//! - Resend against abort or release: Requests on their way back are on a list of the engine's,
//!   which [`Engine::drain`] includes.
//!
//! # Rules for the caller
//!
//! - All steps are O(1) (finding a unique: on average), or bounded by a constant. Those that come
//!   in pieces say so ([`Engine::drain`], [`Engine::resend`], [`Engine::flush_background`],
//!   [`Engine::take_forgets`]): drop the lock between the pieces.
//! - What a step returns is carried out after the lock has been dropped: waking ([`Effects`]),
//!   ending and dropping requests. The engine never drops a payload.
//! - A step that finds no slot for a request more returns [`Refusal::NoSlot`]: drop the lock, have
//!   one task at a time allocate segments and [`Engine::grow`] while [`Engine::lacks_room`], try
//!   again. [`Effects::trim`] and [`Waiting::leave`] say when to give some back ([`Engine::trim`]).
//! - Ending a request is not the engine's: the request's word decides who has the right to.
//!   The engine just lets go of it, once.

#[cfg(test)]
mod audit;
mod background;
pub(crate) mod lend_state;
mod list;
mod occupied;
mod reply;
mod resend;
mod scan;
mod segment;
mod slot;
mod step;
mod store;
mod submit;
mod table;
mod take;
mod teardown;
pub(crate) mod wait_loop;
mod waiting;

pub(crate) use occupied::{
    may_leave,
    Hold,
    Occupied, //
};
pub(crate) use reply::{
    Claimed,
    InterruptReply, //
};
pub(crate) use resend::{
    Resend,
    Resent, //
};
pub(crate) use scan::{
    Place,
    Seen, //
};
pub(crate) use segment::{
    Branch,
    Segment, //
};
pub(crate) use slot::{
    Slot,
    Ticket, //
};
pub(crate) use step::{
    Hint,
    StepResult, //
};
pub(crate) use store::Trimmed;
pub(crate) use submit::{
    Admit,
    Refusal,
    Refused,
    Submitted, //
};
pub(crate) use take::{
    MoreForgets,
    Taken, //
    TakenRequest,
};
pub(crate) use teardown::{
    Aborted,
    Batch,
    Drain,
    Released, //
};
pub(crate) use waiting::Waiting;

#[cfg(test)]
pub(crate) use waiting::Count;

use core::{
    marker::PhantomData,
    ops::DerefMut, //
};
use list::List;
use store::Store;
use table::Table;

/// The number that a reply is matched by. Even and increasing by two; resent ones have bit 63 set,
/// and the id of an INTERRUPT is that of its request with bit 0 set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ReqId(pub(crate) u64);

impl ReqId {
    /// C: `FUSE_REQ_ID_STEP`.
    pub(crate) const STEP: u64 = 1 << 1;
    /// C: `FUSE_UNIQUE_RESEND`.
    pub(crate) const RESEND: u64 = 1 << 63;
}

/// What the engine holds of a request, and asks of it with its lock held: none of these may sleep,
/// take a lock, or drop anything. In the module a reference-counted request, whose word
/// ([`lend_state::LendState`]) answers.
pub(crate) trait Payload: Clone {
    /// The daemon has all of it and no reply was claimed: `LendState::is_sent`.
    fn sent(&self) -> bool;

    /// Its caller was interrupted: `LendState::is_interrupted`.
    fn interrupted(&self) -> bool;

    /// Lends the arguments for the reply, if [`Self::sent`]: `LendState::claim`.
    fn claim(&self) -> bool;

    /// It cannot be sent again, since its caller has left and has taken a part of it.
    fn spent(&self) -> bool {
        false
    }

    /// Makes it not sent again, if it was: `LendState::recall`.
    fn recall(&self) -> bool;

    /// It enters the pending list under this id. For the trace event; the id also comes with
    /// [`Taken::Request`]. C: `trace_fuse_request_send`.
    fn queued(&self, unique: ReqId) {
        let _ = unique;
    }

    /// It is held back in the background. For the trace event.
    fn held(&self) {}

    /// Its INTERRUPT was queued. For the trace event.
    fn interrupt_queued(&self) {}
}

/// The queue of FORGETs, whose memory the caller brings along. First in, first out.
pub(crate) trait ForgetQueue: Default {
    /// One of them, in its own memory.
    type Link;

    /// Appends it.
    fn push_back(&mut self, link: Self::Link);

    /// Takes the first.
    fn pop_front(&mut self) -> Option<Self::Link>;

    /// Whether there is none.
    fn is_empty(&self) -> bool;
}

/// An open device of this channel, towards the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DeviceId(Ticket);

impl DeviceId {
    /// A number that no other device of the channel has or will have. For trace events.
    pub(crate) fn number(self) -> u64 {
        self.0.stamp
    }
}

/// Slots have been added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grown;

/// Whom to wake up, once the lock has been dropped.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Effects {
    /// So many readers, of those that wait exclusively for something to read; if not 0, SIGIO too.
    pub(crate) readers: u32,
    /// So many of the callers that wait exclusively at the gate; [`Effects::ALL`] for all.
    pub(crate) gate: u32,
    /// Background requests may pass that have not: call [`Engine::flush_background`] again.
    pub(crate) more: bool,
    /// There may be slots to be given back, now or when there are fewer requests: call
    /// [`Engine::trim`].
    pub(crate) trim: bool,
}

impl Effects {
    /// In a count: all of them.
    pub(crate) const ALL: u32 = u32::MAX;

    /// Some readers, and nothing else.
    pub(crate) fn readers(readers: u32) -> Self {
        Effects {
            readers,
            ..Effects::default()
        }
    }

    /// Both.
    pub(crate) fn and(self, other: Effects) -> Effects {
        Effects {
            readers: self.readers.saturating_add(other.readers),
            gate: self.gate.saturating_add(other.gate),
            more: self.more || other.more,
            trim: self.trim || other.trim,
        }
    }
}

/// The engine of one channel. `P` is a request, `F` a queue of forgets, `B` a box of a [`Segment`]
/// of slots.
///
/// # Invariants
///
/// - A request is in one slot, and that slot on the one list that its state names; on the list of
///   interrupts besides, only if processing.
/// - In the table of uniques are the slots that are processing, all and only.
/// - `active_background` and `num_background` count the slots whose `background` is set: those not
///   in state `Background`, and all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Engine<P, F, B> {
    store: Store<B>,
    table: Table,
    pending: List,
    /// Taken back from the daemon, before they go to the front of pending all at once.
    recalled: List,
    background: List,
    interrupts: List,
    devices: List,
    /// Devices that an abort has seen to be without requests.
    drained: List,
    num_devices: u32,
    forgets: F,
    /// Positive: so many forgets go before requests; C has the same field.
    forget_batch: i32,
    /// The last unique given.
    reqctr: u64,
    max_background: u32,
    num_background: u32,
    active_background: u32,
    initialized: bool,
    blocked: bool,
    connected: bool,
    abort_with_err: bool,
    _payload: PhantomData<P>,
}

impl<P, F: ForgetQueue, B> Engine<P, F, B> {
    /// C: `FUSE_DEFAULT_MAX_BACKGROUND`.
    pub(crate) const MAX_BACKGROUND: u32 = 12;

    /// Connected, not initialised, no device, with a first segment of slots. C: `fuse_chan_new`,
    /// `fuse_iqueue_init`.
    pub(crate) fn new(first: B) -> Self {
        Engine {
            store: Store::new(first),
            table: Table::new(),
            pending: List::EMPTY,
            recalled: List::EMPTY,
            background: List::EMPTY,
            interrupts: List::EMPTY,
            devices: List::EMPTY,
            drained: List::EMPTY,
            num_devices: 0,
            forgets: F::default(),
            forget_batch: 0,
            reqctr: 0,
            max_background: Self::MAX_BACKGROUND,
            num_background: 0,
            active_background: 0,
            initialized: false,
            blocked: false,
            connected: true,
            abort_with_err: false,
            _payload: PhantomData,
        }
    }

    /// Whether there is something to read. C: `request_pending`.
    pub(crate) fn is_readable(&self) -> bool {
        !self.pending.is_empty() || !self.interrupts.is_empty() || !self.forgets.is_empty()
    }

    /// Not aborted yet.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether the abort was one that the daemon is told as `ECONNABORTED` rather than `ENODEV`.
    pub(crate) fn is_aborted_with_err(&self) -> bool {
        self.abort_with_err
    }

    /// INIT was answered: callers may come in. C: `fuse_chan_set_initialized`.
    pub(crate) fn set_initialized(&mut self) -> Effects {
        self.initialized = true;
        Effects {
            gate: Effects::ALL,
            ..Effects::default()
        }
    }

    /// The next unique, for a message that is no request. C: `fuse_get_unique_locked`.
    pub(crate) fn next_unique(&mut self) -> ReqId {
        Self::number(&mut self.reqctr)
    }

    /// The next unique after the last one given.
    #[inline]
    fn number(reqctr: &mut u64) -> ReqId {
        *reqctr = reqctr.wrapping_add(ReqId::STEP);
        ReqId(*reqctr)
    }

    /// Whether slots must be added before `live` requests have one each.
    pub(crate) fn lacks_room(&self, live: u32) -> bool {
        live > self.store.room()
    }

    /// Whether slots can be added at all.
    pub(crate) fn may_grow(&self) -> bool {
        self.store.may_grow()
    }
}

impl<P: Payload, F: ForgetQueue, B: DerefMut<Target = Segment<P, B>>> Engine<P, F, B> {
    /// Slots in use, by requests and devices.
    #[allow(dead_code, reason = "the host tests look for slots that leak")]
    pub(crate) fn slots_used(&self) -> u32 {
        self.store.used()
    }

    /// Adds a segment of slots.
    ///
    /// # Errors
    ///
    /// Gives the segment back, to be dropped outside the lock: either there can be no more
    /// ([`Engine::may_grow`]), or too many numbers had to be looked at for one step: try again.
    pub(crate) fn grow(&mut self, segment: B) -> Result<Grown, B> {
        self.store.grow(segment).map(|()| Grown)
    }

    /// With fewer requests than this there may be slots to be given back; see [`Waiting::watch`].
    pub(crate) fn spare_below(&self) -> u32 {
        self.store.spare_below()
    }

    /// Takes out a segment that is not needed for so many requests (`live`, as for
    /// [`submit`](Self::submit), read with the lock held), or does a piece of what must be done
    /// before.
    pub(crate) fn trim(&mut self, live: u32) -> Trimmed<B> {
        if live >= self.store.spare_below() {
            return Trimmed {
                segment: None,
                more: false,
            };
        }
        let wanted = self.store.want_fewer_buckets();
        if !self.table.merge_down(&mut self.store, wanted) {
            return Trimmed {
                segment: None,
                more: true,
            };
        }
        Trimmed {
            segment: self.store.shrink(self.table.buckets()),
            // If there was none, [`Engine::spare_below`] has changed.
            more: true,
        }
    }

    /// A device is installed; `live` as for [`submit`](Self::submit). C:
    /// `fuse_dev_install_with_pq`.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSlot`]; never [`Refusal::Blocked`]. A channel that has been aborted takes
    /// devices as well, and tells them so when they read.
    pub(crate) fn add_device(&mut self, live: u32) -> Result<DeviceId, Refusal> {
        if self.lacks_room(live.saturating_add(1)) {
            return Err(Refusal::NoSlot);
        }
        let (ticket, slot) = self.store.alloc_device().ok_or(Refusal::NoSlot)?;
        slot.state = slot::State::Device;
        slot.owner = 0;
        self.devices = self
            .store
            .push_back::<{ list::SIDE }, P>(self.devices, ticket.index);
        self.num_devices = self.num_devices.wrapping_add(1);
        Ok(DeviceId(ticket))
    }

    /// Whether a caller of this kind must wait at the gate: before INIT was answered, and if
    /// `background` also while there are as many background requests as may be. C:
    /// `fuse_block_alloc`. The condition to wait for, exclusively; [`Effects::gate`] wakes up.
    ///
    /// Whoever has waited and then does not submit passes the wake-up on; so does one that is not
    /// `background`, since it may have got the one for a background slot.
    pub(crate) fn is_gated(&self, background: bool) -> bool {
        !self.initialized || (background && self.blocked)
    }

    /// The list of the device that owns a slot.
    #[inline]
    fn device_list(&self, device: u32) -> List {
        match self.store.get(device) {
            Some(slot) => List {
                first: slot.links.next,
                last: slot.links.prev,
            },
            None => List::EMPTY,
        }
    }

    #[inline]
    fn set_device_list(&mut self, device: u32, list: List, count: impl Fn(u32) -> u32) {
        if let Some(slot) = self.store.get_mut(device) {
            slot.links = slot::Links {
                next: list.first,
                prev: list.last,
            };
            slot.owner = count(slot.owner);
        }
    }
}
