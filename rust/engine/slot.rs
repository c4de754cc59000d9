// SPDX-License-Identifier: GPL-2.0

//! A slot: where the engine has one request or device.
//!
//! No counterpart in C, whose lists run through the requests themselves. A slot is named by its
//! number and, where the name outlives the engine's lock, by the stamp of its present use (see
//! [`Ticket`]). Takes no lock.

/// No slot.
pub(super) const NIL: u32 = u32::MAX;

/// What a slot is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Free,
    /// Queued in the background, behind the gate; not numbered yet.
    Background,
    /// On the pending list, or on its way back there.
    Pending,
    /// With a device: being copied out, or with the daemon.
    Processing,
    /// With a device, and out of the table of uniques: copied out without a reply to come, or being
    /// copied in.
    Copying,
    /// Not a request: an open device, whose list is in `links`.
    Device,
    /// A device that is being released.
    Leaving,
}

/// Previous and next on a list; or, of a device, the first and the last of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Links {
    pub(super) next: u32,
    pub(super) prev: u32,
}

impl Links {
    pub(super) const NONE: Links = Links {
        next: NIL,
        prev: NIL,
    };
}

/// One use of a slot: the name of a request or a device towards the engine. Never reused, so a
/// stale ticket finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    pub(super) index: u32,
    pub(super) stamp: u64,
}

/// Memory for one request or device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot<P> {
    pub(super) payload: Option<P>,
    /// The wire's id, with the bit of a resent one.
    pub(super) unique: u64,
    /// Which use of the slot this is; 0 if free.
    pub(super) stamp: u64,
    pub(super) links: Links,
    /// On the list of interrupts; of a device, on the list of devices.
    pub(super) side: Links,
    /// Next in the same bucket of the table of uniques.
    pub(super) chain: u32,
    /// Not of this slot: head of the bucket that has the slot's number.
    pub(super) bucket: u32,
    /// The device's slot; of a device, the number of its requests.
    pub(super) owner: u32,
    pub(super) state: State,
    /// A reply is expected.
    pub(super) reply: bool,
    /// Counted in `num_background`.
    pub(super) background: bool,
    /// On the list of interrupts.
    pub(super) interrupt: bool,
}

impl<P> Slot<P> {
    /// A free slot.
    pub(crate) const fn new() -> Self {
        Slot {
            payload: None,
            unique: 0,
            stamp: 0,
            links: Links::NONE,
            side: Links::NONE,
            chain: NIL,
            bucket: NIL,
            owner: NIL,
            state: State::Free,
            reply: false,
            background: false,
            interrupt: false,
        }
    }
}

impl<P> Default for Slot<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a slot was that has left.
pub(super) struct Was {
    pub(super) links: Links,
    pub(super) unique: u64,
    pub(super) chain: u32,
    pub(super) owner: u32,
    pub(super) state: State,
    pub(super) background: bool,
}

impl Was {
    #[inline]
    pub(super) fn of<P>(slot: &Slot<P>) -> Self {
        Was {
            links: slot.links,
            unique: slot.unique,
            chain: slot.chain,
            owner: slot.owner,
            state: slot.state,
            background: slot.background,
        }
    }
}
