// SPDX-License-Identifier: GPL-2.0

//! Slots: the engine's memory, in segments that the caller allocates.
//!
//! No counterpart in C, whose lists run through the requests themselves. A slot is named by its
//! number and, where the name outlives the engine's lock, by the stamp of its present use (see
//! [`Ticket`]). Segment `n` doubles the number of slots, so that a number leads to its slot in a
//! few instructions and growing moves nothing. Takes no lock.

use core::ops::DerefMut;

/// No slot.
pub(super) const NIL: u32 = u32::MAX;

/// Slots in the first segment, a power of two.
const FIRST: u32 = 64;
const FIRST_BITS: u32 = FIRST.ilog2();

/// Segments at most: 2^25 slots.
const SEGMENTS: usize = 20;

/// Free slots that only [`super::Admit::Forced`] requests and the engine's own needs may use, so
/// that what must be sent finds a slot even if growing has failed.
const RESERVE: u32 = 8;

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

/// Memory for one request or device. The caller fills segments with [`Slot::new`].
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

/// All slots of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Store<B> {
    /// Empty beyond the `count` first.
    segments: [B; SEGMENTS],
    /// How many segments there are.
    count: usize,
    /// Slots in all.
    capacity: u32,
    /// The first that was never used; those before it are in use or on the free list.
    fresh: u32,
    /// First of the free list, through `links.next`: the last freed is the first reused.
    free: u32,
    used: u32,
    stamp: u64,
}

/// The segment of slot `index`, which is not in the first one, and the place in it.
#[inline]
fn locate(index: u32) -> Option<(usize, usize)> {
    let top = index.checked_ilog2()?;
    let segment = top.checked_sub(FIRST_BITS)?.wrapping_add(1);
    Some((segment as usize, (index ^ (1 << top)) as usize))
}

/// The slot among all segments. Nearly all are in the first one.
#[inline(always)]
fn at<P, B>(segments: &[B; SEGMENTS], index: u32) -> Option<&Slot<P>>
where
    B: core::ops::Deref<Target = [Slot<P>]>,
{
    let [first, ..] = segments;
    match first.get(index as usize) {
        Some(slot) => Some(slot),
        None => far(segments, index),
    }
}

#[cold]
#[inline(never)]
fn far<P, B>(segments: &[B; SEGMENTS], index: u32) -> Option<&Slot<P>>
where
    B: core::ops::Deref<Target = [Slot<P>]>,
{
    let (segment, offset) = locate(index)?;
    segments.get(segment)?.get(offset)
}

/// As [`at`], to be changed.
#[inline(always)]
fn at_mut<P, B>(segments: &mut [B; SEGMENTS], index: u32) -> Option<&mut Slot<P>>
where
    B: DerefMut<Target = [Slot<P>]>,
{
    let [first, ..] = &*segments;
    if (index as usize) < first.len() {
        let [first, ..] = segments;
        return first.get_mut(index as usize);
    }
    far_mut(segments, index)
}

#[cold]
#[inline(never)]
fn far_mut<P, B>(segments: &mut [B; SEGMENTS], index: u32) -> Option<&mut Slot<P>>
where
    B: DerefMut<Target = [Slot<P>]>,
{
    let (segment, offset) = locate(index)?;
    segments.get_mut(segment)?.get_mut(offset)
}

impl<B: Default> Store<B> {
    pub(super) fn new() -> Self {
        Store {
            segments: core::array::from_fn(|_| B::default()),
            count: 0,
            capacity: 0,
            fresh: 0,
            free: NIL,
            used: 0,
            stamp: 0,
        }
    }
}

impl<B> Store<B> {
    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(super) fn used(&self) -> u32 {
        self.used
    }

    /// All slots from this one on have never been used.
    pub(super) fn in_use(&self) -> u32 {
        self.fresh
    }

    /// Slots that the next segment must have; 0 if there can be none.
    pub(super) fn next_len(&self) -> usize {
        if self.count >= SEGMENTS {
            0
        } else if self.capacity == 0 {
            FIRST as usize
        } else {
            self.capacity as usize
        }
    }
}

impl<B> Store<B> {
    #[inline]
    pub(super) fn get<P>(&self, index: u32) -> Option<&Slot<P>>
    where
        B: core::ops::Deref<Target = [Slot<P>]>,
    {
        at(&self.segments, index)
    }

    #[inline]
    pub(super) fn get_mut<P>(&mut self, index: u32) -> Option<&mut Slot<P>>
    where
        B: DerefMut<Target = [Slot<P>]>,
    {
        at_mut(&mut self.segments, index)
    }

    /// The slot of a ticket, if it is still the use that the ticket was given for.
    #[inline]
    pub(super) fn lookup<P>(&mut self, ticket: Ticket) -> Option<&mut Slot<P>>
    where
        B: DerefMut<Target = [Slot<P>]>,
    {
        self.get_mut(ticket.index)
            .filter(|slot| slot.stamp == ticket.stamp)
    }

    /// Adds a segment; gives it back if another was added meanwhile and the length is not the
    /// expected one any more.
    pub(super) fn grow<P>(&mut self, segment: B) -> Result<(), B>
    where
        B: DerefMut<Target = [Slot<P>]>,
    {
        let len = self.next_len();
        if len == 0 || segment.len() != len {
            return Err(segment);
        }
        let Some(place) = self.segments.get_mut(self.count) else {
            return Err(segment);
        };
        *place = segment;
        self.count += 1;
        // At most 2^25, by SEGMENTS.
        self.capacity = self.capacity.wrapping_add(len as u32);
        Ok(())
    }

    /// A slot to use, with a new stamp; `None` if all are in use, or just the reserve is left and
    /// `reserve` is false.
    #[inline]
    pub(super) fn alloc<P>(&mut self, reserve: bool) -> Option<(Ticket, &mut Slot<P>)>
    where
        B: DerefMut<Target = [Slot<P>]>,
    {
        let keep = if reserve { 0 } else { RESERVE };
        if self.capacity.saturating_sub(self.used) <= keep {
            return None;
        }
        let recycled = self.free != NIL;
        let index = if recycled { self.free } else { self.fresh };
        let stamp = self.stamp.wrapping_add(1);
        let slot = at_mut(&mut self.segments, index)?;
        if recycled {
            self.free = slot.links.next;
        } else {
            self.fresh = index.wrapping_add(1);
        }
        self.used = self.used.wrapping_add(1);
        self.stamp = stamp;
        slot.stamp = stamp;
        slot.links = Links::NONE;
        Some((Ticket { index, stamp }, slot))
    }

    /// Frees a slot that is on no list, or is being taken off all; gives back what was in it, and
    /// where it was.
    #[inline]
    pub(super) fn free<P>(&mut self, index: u32) -> Option<(Option<P>, Was)>
    where
        B: DerefMut<Target = [Slot<P>]>,
    {
        let next = self.free;
        let slot = self.get_mut(index)?;
        let was = Was::of(slot);
        let payload = slot.payload.take();
        slot.stamp = 0;
        slot.state = State::Free;
        slot.links = Links { next, prev: NIL };
        slot.side = Links::NONE;
        slot.chain = NIL;
        slot.owner = NIL;
        slot.unique = 0;
        slot.reply = false;
        slot.background = false;
        slot.interrupt = false;
        self.free = index;
        self.used = self.used.wrapping_sub(1);
        Some((payload, was))
    }
}
