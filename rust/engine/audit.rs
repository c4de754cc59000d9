// SPDX-License-Identifier: GPL-2.0

//! Checks the engine's invariants by walking all of it. For the host tests alone.

use super::{
    list::List,
    segment::{
        segment,
        Segment,
        ALL,
        SLOTS, //
    },
    slot::{
        Links,
        Slot,
        State,
        NIL, //
    },
    store::Store,
    table::Table,
    DeviceId,
    Engine,
    ForgetQueue,
    Payload,
    Ticket, //
};
use core::ops::{
    Deref,
    DerefMut, //
};
use std::{
    format,
    string::String,
    vec::Vec, //
};

macro_rules! ensure {
    ($cond:expr, $($text:tt)*) => {
        if !$cond {
            return Err(format!($($text)*));
        }
    };
}

impl<P, F, B> Engine<P, F, B>
where
    P: Payload,
    F: ForgetQueue,
    B: DerefMut<Target = Segment<P, B>>,
{
    /// The slots of a list, front to back.
    fn walk(
        &self,
        name: &str,
        list: List,
        links: fn(&Slot<P>) -> Links,
    ) -> Result<Vec<u32>, String> {
        let mut slots = Vec::new();
        let (mut index, mut before) = (list.first, NIL);
        while index != NIL {
            let slot = self
                .store
                .get(index)
                .ok_or_else(|| format!("{name}: no slot {index}"))?;
            ensure!(
                links(slot).prev == before,
                "{name}: {index} does not point back"
            );
            slots.push(index);
            ensure!(slots.len() <= self.store.end() as usize, "{name}: a ring");
            (before, index) = (index, links(slot).next);
        }
        ensure!(list.last == before, "{name}: the last is wrong");
        Ok(slots)
    }

    /// All invariants; what is wrong otherwise.
    pub(crate) fn audit(&self) -> Result<(), String> {
        self.store.audit(self.table.buckets())?;
        let mut on = std::vec![None; self.store.end() as usize];
        self.audit_queues(&mut on)?;
        self.audit_slots(&mut on)?;
        self.audit_requests(&on)
    }

    /// Notes for each of these slots that it is on the list `name`, and on no other.
    fn place(
        &self,
        on: &mut [Option<&'static str>],
        name: &'static str,
        slots: &[u32],
        states: &[State],
    ) -> Result<(), String> {
        for &index in slots {
            let slot = self.store.get(index).ok_or("slot")?;
            ensure!(
                states.contains(&slot.state),
                "{index} on {name}: {:?}",
                slot.state
            );
            ensure!(slot.payload.is_some(), "{index} on {name}: empty");
            let on = on.get_mut(index as usize).ok_or("slot")?;
            if let Some(other) = on.replace(name) {
                return Err(format!("{index} on {name} and {other}"));
            }
        }
        Ok(())
    }

    /// The lists of the engine's own.
    fn audit_queues(&self, on: &mut [Option<&'static str>]) -> Result<(), String> {
        for (name, list, state) in [
            ("pending", self.pending, State::Pending),
            ("recalled", self.recalled, State::Pending),
            ("background", self.background, State::Background),
        ] {
            let slots = self.walk(name, list, |slot| slot.links)?;
            self.place(on, name, &slots, &[state])?;
        }
        Ok(())
    }

    /// Each slot for itself, the lists of devices, and what is counted.
    fn audit_slots(&self, on: &mut [Option<&'static str>]) -> Result<(), String> {
        let side = |slot: &Slot<P>| slot.side;
        let mut devices = self.walk("devices", self.devices, side)?;
        devices.extend(self.walk("drained", self.drained, side)?);
        ensure!(
            devices.len() == self.num_devices as usize,
            "number of devices"
        );
        let (mut processing, mut interrupts) = (0, 0);
        let (mut num, mut active) = (0, 0);
        for index in 0..self.store.end() {
            let Some(slot) = self.store.get(index) else {
                continue;
            };
            match slot.state {
                State::Device | State::Leaving => {
                    self.audit_device(on, index, slot)?;
                    let listed = devices.contains(&index);
                    ensure!(
                        listed == (slot.state == State::Device),
                        "device {index} on a list"
                    );
                }
                State::Processing => {
                    processing += 1;
                    ensure!(
                        Table::find(&self.store, self.table.bucket(slot.unique), slot.unique)
                            == Some(index),
                        "{index} not found by unique"
                    );
                }
                State::Free => ensure!(slot.payload.is_none(), "free slot {index} is full"),
                _ => (),
            }
            interrupts += u32::from(slot.interrupt);
            ensure!(
                !slot.interrupt || slot.state == State::Processing,
                "interrupt of {index}"
            );
            num += u32::from(slot.background);
            active += u32::from(slot.background && slot.state != State::Background);
        }
        let queued = self.walk("interrupts", self.interrupts, side)?;
        ensure!(queued.len() == interrupts as usize, "number of interrupts");
        for index in queued {
            let flagged = self.store.get(index).is_some_and(|slot| slot.interrupt);
            ensure!(flagged, "{index} on interrupts");
        }
        ensure!(
            self.table.len(&self.store) == processing,
            "number in the table"
        );
        ensure!(num == self.num_background, "num_background");
        ensure!(active == self.active_background, "active_background");
        Ok(())
    }

    /// The list of a device.
    fn audit_device(
        &self,
        on: &mut [Option<&'static str>],
        index: u32,
        device: &Slot<P>,
    ) -> Result<(), String> {
        let list = self.device_list(index);
        let slots = self.walk("device", list, |slot| slot.links)?;
        ensure!(
            slots.len() == device.owner as usize,
            "count of device {index}"
        );
        for &request in &slots {
            let owner = self.store.get(request).map(|slot| slot.owner);
            ensure!(owner == Some(index), "owner of {request}");
        }
        self.place(on, "device", &slots, &[State::Processing, State::Copying])
    }

    /// Each request is on a list, and seen by a scan.
    fn audit_requests(&self, on: &[Option<&'static str>]) -> Result<(), String> {
        let requests = (0..self.store.end())
            .filter_map(|index| self.store.get(index))
            .filter(|slot| slot.payload.is_some())
            .count();
        let listed = on.iter().flatten().count();
        ensure!(requests == listed, "{requests} requests, {listed} on lists");
        let (mut seen, mut from) = (0, Some(0));
        while let Some(index) = from {
            from = self.scan(index, |_| {
                seen += 1;
                true
            });
        }
        ensure!(requests == seen, "{requests} requests, {seen} seen");
        Ok(())
    }

    /// Where the request of a ticket is; `None` if the engine has let go of it.
    pub(crate) fn is_pending(&mut self, ticket: Ticket) -> bool {
        self.store
            .lookup(ticket)
            .is_some_and(|slot| slot.state == State::Pending)
    }

    /// How many segments of slots there are.
    pub(crate) fn segments(&self) -> u32 {
        self.store.segments()
    }

    /// Whether there is a segment that so many requests do not need, and that could go back.
    pub(crate) fn keeps_spare(&self, live: u32) -> bool {
        self.store.keeps_spare(live)
    }

    /// The requests with a device, in order, and their uniques.
    pub(crate) fn requests_of(&self, device: DeviceId) -> Vec<(P, u64)> {
        let list = self.device_list(device.0.index);
        let slots = self
            .walk("device", list, |slot| slot.links)
            .unwrap_or_default();
        slots
            .into_iter()
            .filter_map(|index| self.store.get(index))
            .filter_map(|slot| Some((slot.payload.clone()?, slot.unique)))
            .collect()
    }
}

/// What the store says of itself, walked through.
impl<B> Store<B> {
    /// One more than the highest number that a slot has.
    pub(super) fn end(&self) -> u32 {
        self.top * SLOTS
    }

    /// How many segments there are.
    pub(super) fn segments(&self) -> u32 {
        self.segments
    }

    /// Whether there is a segment that could go back, with so many requests.
    pub(super) fn keeps_spare<P>(&self, live: u32) -> bool
    where
        B: Deref<Target = Segment<P, B>>,
    {
        let buckets = self.enough_buckets();
        let idle = |number: u32| {
            segment(&self.first, number)
                .is_some_and(|segment| segment.is_idle() && number * SLOTS >= buckets)
        };
        self.room >= live + live / 2 + SLOTS + SLOTS / 8 && (1..self.top).any(idle)
    }

    /// What is wrong, with so many buckets in the table of uniques.
    pub(super) fn audit<P>(&self, buckets: u32) -> Result<(), String>
    where
        B: Deref<Target = Segment<P, B>>,
    {
        let mut wrong = None;
        let mut check = |holds: bool, what: &str| {
            if !holds {
                wrong.get_or_insert(format!("slots: {what}"));
            }
        };
        let (mut segments, mut children, mut far, mut devices, mut open) = (0, 0, 0, 0, 0);
        for number in 0..self.top {
            let Some(segment) = segment(&self.first, number) else {
                check(number >= self.packed, "a gap where there is none");
                continue;
            };
            segments += 1;
            children += segment.branch.count;
            let hang = segment.branch.children.iter().flatten().count() as u32;
            check(hang == segment.branch.count, "count of what hangs on one");
            open += u32::from(number != 0 && segment.branch.free != 0);
            for (offset, slot) in segment.slots.iter().enumerate() {
                let index = number * SLOTS + offset as u32;
                let free = segment.branch.free & (1 << offset) != 0;
                check(free == (slot.state == State::Free), "which are free");
                check(free == (slot.stamp == 0), "a free one can be named");
                check(slot.stamp <= self.stamp, "a stamp to come");
                far += u32::from(number != 0 && !free);
                devices += u32::from(matches!(slot.state, State::Device | State::Leaving));
                check(index < buckets || slot.bucket == NIL, "a bucket too many");
            }
        }
        for bucket in 0..buckets {
            check(self.get(bucket).is_some(), "a bucket without a slot");
        }
        check(segments == self.segments, "number of segments");
        check(children + 1 == segments, "segments that hang nowhere");
        check(far == self.far, "number in use");
        check(devices == self.devices, "number of devices");
        let room = self.room.wrapping_add(devices);
        check(room == segments * SLOTS, "room");
        let (mut next, mut before, mut idle) = (self.open.first, NIL, false);
        while let Some(segment) = segment(&self.first, next).filter(|_| open != u32::MAX) {
            open = open.wrapping_sub(1);
            check(segment.branch.open.prev == before, "open: back");
            check(segment.branch.free != 0, "open: full");
            let all = segment.branch.free == ALL;
            check(all || !idle, "open: one in use behind one that is idle");
            idle |= segment.is_idle();
            (before, next) = (next, segment.branch.open.next);
        }
        check(
            open == 0 && self.open.last == before,
            "open: all, and no more",
        );
        wrong.map_or(Ok(()), Err)
    }
}
