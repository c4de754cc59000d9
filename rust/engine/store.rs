// SPDX-License-Identifier: GPL-2.0

//! The engine's memory: slots, in segments of one size that the caller allocates and frees.
//!
//! No counterpart in C, whose lists run through the requests themselves. The first segment is
//! always there, and nearly all requests are in it. The further ones hang on each other as a tree,
//! so that a number leads to its slot in a few steps and neither growing nor shrinking moves
//! anything: segment `n` has those from `n * CHILDREN + 1` on below it.
//!
//! # Room
//!
//! There is a slot for each request that counts (`live`, see [`super::Waiting`]), whether the
//! engine has it or not: [`Store::room`] is never less than the number of requests that were
//! accepted and have not been freed. So a reply that is put back ([`super::Engine::relist`]) finds
//! its request's own slot, whoever has submitted what meanwhile. That holds as a request counts
//! before it is submitted, and until it has been freed: of those accepted, the one that came to
//! count last has been accepted when at least all the others counted; and room is taken away only
//! while at least as much is left as there are requests that count.
//!
//! # What goes back
//!
//! A segment goes back when all its slots are free, nothing hangs on it, and no bucket of the table
//! of uniques is in it: then nothing can lead there but the number in a stale [`Ticket`], whose
//! stamp no later use will ever have. Half as many slots as there are requests stay spare, and a
//! few, so that a steady load never grows and shrinks in turns.
//!
//! That can be when a segment has become free ([`super::Effects::trim`]), or later, when a request
//! ends that counted still, or a caller goes that has sent none. Whoever counts no more knows from
//! [`super::Waiting::leave`], without the lock, whether there are few enough for
//! [`Store::spare_below`].
//!
//! Takes no lock.

use super::{
    list::List,
    segment::{
        segment,
        segment_mut,
        Branch,
        Segment,
        ALL,
        CHILDREN,
        SLOTS, //
    },
    slot::{
        Links,
        Slot,
        State,
        Ticket,
        Was,
        NIL, //
    },
};
use core::ops::{
    Deref,
    DerefMut, //
};

/// Segments at most: 2^25 slots in the module.
const SEGMENTS: u32 = if cfg!(test) { 1 << 16 } else { 1 << 19 };
/// Segments looked at in one step.
const STEP: u32 = if cfg!(test) { 2 } else { 64 };

/// What has become of slots that may not be needed any more.
#[must_use]
#[derive(Debug)]
pub(crate) struct Trimmed<B> {
    /// A segment, to be dropped outside the lock.
    pub(crate) segment: Option<B>,
    /// There may be more: call again, having dropped the lock.
    pub(crate) more: bool,
}

/// All slots of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Store<B> {
    pub(super) first: B,
    /// The further segments with free slots. They are used from the front; those that could go back
    /// come last.
    pub(super) open: List,
    /// How many segments there are.
    pub(super) segments: u32,
    /// All segments of lower numbers are there.
    pub(super) packed: u32,
    /// None from here on is there.
    pub(super) top: u32,
    /// Slots in use in the further segments.
    pub(super) far: u32,
    pub(super) devices: u32,
    /// Slots but for those of devices.
    pub(super) room: u32,
    /// Buckets that the table of uniques should have.
    buckets: u32,
    /// All slots of a further segment have become free, or there is more room besides one that is.
    emptied: bool,
    /// Some segment may go back, once there are few enough requests.
    spare: bool,
    pub(super) stamp: u64,
}

impl<B> Store<B> {
    /// With the first segment.
    pub(super) fn new(first: B) -> Self {
        Store {
            first,
            open: List::EMPTY,
            segments: 1,
            packed: 1,
            top: 1,
            far: 0,
            devices: 0,
            room: SLOTS,
            buckets: SLOTS,
            emptied: false,
            spare: false,
            stamp: 0,
        }
    }

    /// For how many requests there are slots, whether they are in use or not.
    #[inline]
    pub(super) fn room(&self) -> u32 {
        self.room
    }

    /// Buckets that the table of uniques should have; all slots up to there may be missing.
    #[inline]
    pub(super) fn buckets(&self) -> u32 {
        self.buckets
    }

    /// There is no slot for so many buckets.
    pub(super) fn limit_buckets(&mut self, buckets: u32) {
        self.buckets = buckets;
    }

    /// Whether a segment may go back that could not when this was asked last.
    #[inline]
    pub(super) fn take_emptied(&mut self) -> bool {
        core::mem::take(&mut self.emptied)
    }

    /// Whether there can be another segment.
    pub(super) fn may_grow(&self) -> bool {
        self.packed < SEGMENTS
    }

    /// Enough buckets for what is in use in the further segments, and the first one.
    pub(super) fn enough_buckets(&self) -> u32 {
        self.far.saturating_add(SLOTS).next_multiple_of(SLOTS)
    }
}

impl<B> Store<B> {
    #[inline]
    pub(super) fn get<P>(&self, index: u32) -> Option<&Slot<P>>
    where
        B: Deref<Target = Segment<P, B>>,
    {
        match self.first.slots.get(index as usize) {
            Some(slot) => Some(slot),
            None => self.get_far(index),
        }
    }

    #[cold]
    #[inline(never)]
    fn get_far<P>(&self, index: u32) -> Option<&Slot<P>>
    where
        B: Deref<Target = Segment<P, B>>,
    {
        let segment = segment(&self.first, index / SLOTS)?;
        segment.slots.get((index % SLOTS) as usize)
    }

    #[inline]
    pub(super) fn get_mut<P>(&mut self, index: u32) -> Option<&mut Slot<P>>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        if index < SLOTS {
            return self.first.slots.get_mut(index as usize);
        }
        self.get_far_mut(index)
    }

    #[cold]
    #[inline(never)]
    fn get_far_mut<P>(&mut self, index: u32) -> Option<&mut Slot<P>>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let segment = segment_mut(&mut self.first, index / SLOTS)?;
        segment.slots.get_mut((index % SLOTS) as usize)
    }

    /// The slot of a ticket, if it is still the use that the ticket was given for.
    #[inline]
    pub(super) fn lookup<P>(&mut self, ticket: Ticket) -> Option<&mut Slot<P>>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        self.get_mut(ticket.index)
            .filter(|slot| slot.stamp == ticket.stamp)
    }

    /// The first slot in use from this one on, of the same segment.
    pub(super) fn next_used<P>(&self, from: u32) -> Option<u32>
    where
        B: Deref<Target = Segment<P, B>>,
    {
        let (number, offset) = (from / SLOTS, from % SLOTS);
        let segment = segment(&self.first, number)?;
        let used = !segment.branch.free & ALL & (u64::MAX << offset);
        let index = number.wrapping_mul(SLOTS) | used.trailing_zeros();
        (used != 0).then_some(index)
    }

    /// Where the segment of this slot ends.
    pub(super) fn segment_end(index: u32) -> u32 {
        (index / SLOTS).saturating_add(1).saturating_mul(SLOTS)
    }

    /// Where the next segment is after that of this slot, if there is any.
    pub(super) fn next_segment(&self, from: u32) -> Option<u32> {
        let next = Self::segment_end(from);
        (next / SLOTS < self.top).then_some(next)
    }

    /// Slots in use, by requests and devices.
    #[allow(dead_code, reason = "the host tests look for slots that leak")]
    pub(super) fn used<P>(&self) -> u32
    where
        B: Deref<Target = Segment<P, B>>,
    {
        (0..self.top)
            .filter_map(|number| segment(&self.first, number))
            .map(|segment| (!segment.branch.free & ALL).count_ones())
            .sum()
    }

    /// A slot to use, with a new stamp; `None` if all are in use.
    #[inline]
    pub(super) fn alloc<P>(&mut self) -> Option<(Ticket, &mut Slot<P>)>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let free = self.first.branch.free;
        if free == 0 {
            return self.alloc_far();
        }
        let first = &mut *self.first;
        let index = free.trailing_zeros();
        let slot = first.slots.get_mut(index as usize)?;
        first.branch.free = free & free.wrapping_sub(1);
        let stamp = self.stamp.wrapping_add(1);
        self.stamp = stamp;
        slot.stamp = stamp;
        Some((Ticket { index, stamp }, slot))
    }

    /// The same from a further segment.
    #[cold]
    #[inline(never)]
    fn alloc_far<P>(&mut self) -> Option<(Ticket, &mut Slot<P>)>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let number = self.open.first;
        let Branch { free, .. } = &mut segment_mut(&mut self.first, number)?.branch;
        let offset = free.trailing_zeros();
        *free &= free.wrapping_sub(1);
        if *free == 0 {
            self.open_without(number);
        }
        self.far = self.far.wrapping_add(1);
        self.buckets = self.buckets.max(self.enough_buckets());
        let index = number.wrapping_mul(SLOTS).wrapping_add(offset);
        let stamp = self.stamp.wrapping_add(1);
        self.stamp = stamp;
        let slot = self.get_far_mut(index)?;
        slot.stamp = stamp;
        Some((Ticket { index, stamp }, slot))
    }

    /// A slot for a device, which is never one of those that requests count on.
    pub(super) fn alloc_device<P>(&mut self) -> Option<(Ticket, &mut Slot<P>)>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        self.room = self.room.checked_sub(1)?;
        self.devices = self.devices.wrapping_add(1);
        self.alloc()
    }

    /// Frees the slot of a device.
    pub(super) fn free_device<P>(&mut self, index: u32)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        if self.free::<P>(index).is_some() {
            self.room = self.room.wrapping_add(1);
            self.devices = self.devices.wrapping_sub(1);
            self.emptied |= self.spare;
        }
    }

    /// Frees a slot that is on no list, or is being taken off all; gives back what was in it, and
    /// where it was.
    #[inline]
    pub(super) fn free<P>(&mut self, index: u32) -> Option<(Option<P>, Was)>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let slot = self.get_mut(index)?;
        let was = Was::of(slot);
        let payload = slot.payload.take();
        slot.unique = 0;
        slot.stamp = 0;
        slot.links = Links::NONE;
        slot.side = Links::NONE;
        slot.chain = NIL;
        slot.owner = NIL;
        slot.state = State::Free;
        slot.reply = false;
        slot.background = false;
        slot.interrupt = false;
        if index < SLOTS {
            self.first.branch.free |= 1 << index;
        } else {
            self.freed_far(index);
        }
        Some((payload, was))
    }

    /// A slot of a further segment has come free.
    #[cold]
    #[inline(never)]
    fn freed_far<P>(&mut self, index: u32)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let number = index / SLOTS;
        let Some(segment) = segment_mut(&mut self.first, number) else {
            return;
        };
        let before = segment.branch.free;
        segment.branch.free = before | (1 << (index % SLOTS));
        let idle = segment.is_idle();
        self.far = self.far.wrapping_sub(1);
        if before == 0 {
            self.open_first(number);
        } else if idle {
            self.open_without(number);
            self.open_last(number);
            self.emptied = true;
            self.spare = true;
        }
    }
}

/// The list of segments with free slots.
impl<B> Store<B> {
    fn open_mut<'a, P: 'a>(&'a mut self, number: u32) -> Option<&'a mut Links>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        if number == NIL {
            return None;
        }
        Some(&mut segment_mut(&mut self.first, number)?.branch.open)
    }

    fn open_first<P>(&mut self, number: u32)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let next = core::mem::replace(&mut self.open.first, number);
        if let Some(open) = self.open_mut(number) {
            *open = Links { next, prev: NIL };
        }
        match self.open_mut(next) {
            Some(open) => open.prev = number,
            None => self.open.last = number,
        }
    }

    fn open_last<P>(&mut self, number: u32)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let prev = core::mem::replace(&mut self.open.last, number);
        if let Some(open) = self.open_mut(number) {
            *open = Links { next: NIL, prev };
        }
        match self.open_mut(prev) {
            Some(open) => open.next = number,
            None => self.open.first = number,
        }
    }

    fn open_without<P>(&mut self, number: u32)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let Some(open) = self.open_mut(number) else {
            return;
        };
        let Links { next, prev } = core::mem::replace(open, Links::NONE);
        match self.open_mut(next) {
            Some(open) => open.prev = prev,
            None => self.open.last = prev,
        }
        match self.open_mut(prev) {
            Some(open) => open.next = next,
            None => self.open.first = next,
        }
    }
}

/// Growing and shrinking.
impl<B> Store<B> {
    /// Adds a segment, at the lowest number that has none.
    ///
    /// # Errors
    ///
    /// Gives it back if too many numbers had to be looked at for one step, or if there can be no
    /// more ([`may_grow`](Self::may_grow)).
    pub(super) fn grow<P>(&mut self, segment: B) -> Result<(), B>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let stop = self.packed.saturating_add(STEP).min(SEGMENTS);
        while self.packed < stop {
            let number = self.packed;
            self.packed = number.wrapping_add(1);
            let below = number.wrapping_sub(1);
            // All of lower numbers are there.
            let Some(parent) = segment_mut(&mut self.first, below / CHILDREN) else {
                return Err(segment);
            };
            let Branch {
                children, count, ..
            } = &mut parent.branch;
            let place = children.get_mut((below % CHILDREN) as usize);
            if let Some(place @ None) = place {
                *place = Some(segment);
                *count = count.wrapping_add(1);
                self.segments = self.segments.wrapping_add(1);
                self.room = self.room.wrapping_add(SLOTS);
                self.top = self.top.max(self.packed);
                self.open_last(number);
                self.spare = true;
                return Ok(());
            }
        }
        Err(segment)
    }

    /// With fewer requests than this a segment can be spared: half as many slots again remain. 0 if
    /// there is none.
    pub(super) fn spare_below(&self) -> u32 {
        match self.room.checked_sub(SLOTS + SLOTS / 8) {
            Some(left) if self.spare && self.segments > 1 => {
                left.saturating_mul(2).saturating_add(1) / 3 + 1
            }
            _ => 0,
        }
    }

    /// How many buckets the table of uniques is to have before a segment goes back.
    pub(super) fn want_fewer_buckets(&mut self) -> u32 {
        self.buckets = self.enough_buckets();
        self.buckets
    }

    /// Takes a segment out of which all slots are free, and that has none of so many buckets. If
    /// there is none, there is nothing to spare until another becomes free.
    pub(super) fn shrink<P>(&mut self, buckets: u32) -> Option<B>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let number = self.idle(buckets);
        self.spare = number.is_some();
        self.take_out(number?)
    }

    /// A segment that can go, if it is among the last ones.
    fn idle<P>(&self, buckets: u32) -> Option<u32>
    where
        B: Deref<Target = Segment<P, B>>,
    {
        let mut number = self.open.last;
        for _ in 0..STEP {
            let last = segment(&self.first, number)?;
            if last.is_idle() && number.wrapping_mul(SLOTS) >= buckets {
                return Some(number);
            }
            if last.branch.free != ALL {
                return None;
            }
            number = last.branch.open.prev;
        }
        None
    }

    fn take_out<P>(&mut self, number: u32) -> Option<B>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let below = number.checked_sub(1)?;
        self.open_without(number);
        let up = below / CHILDREN;
        let parent = segment_mut(&mut self.first, up)?;
        let branch = &mut parent.branch;
        let place = branch.children.get_mut((below % CHILDREN) as usize)?;
        let segment = place.take()?;
        branch.count = branch.count.wrapping_sub(1);
        if parent.is_idle() && up != 0 {
            self.open_without(up);
            self.open_last(up);
        }
        self.segments = self.segments.wrapping_sub(1);
        self.room = self.room.wrapping_sub(SLOTS);
        self.packed = self.packed.min(number);
        for _ in 0..STEP {
            let last = self.top.wrapping_sub(1);
            if segment_mut(&mut self.first, last).is_some() {
                break;
            }
            self.top = last;
        }
        Some(segment)
    }
}
