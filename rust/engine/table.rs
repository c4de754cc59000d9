// SPDX-License-Identifier: GPL-2.0

//! The table that leads from a unique to its slot. Takes no lock.
//!
//! C: `fuse_request_find` and the hash lists of `struct fuse_pqueue`, one table per device. Here
//! one table serves all devices, and grows and shrinks with the slots: bucket `n` has its head in
//! slot `n`, each insertion splits one bucket until there are as many as slots are in use, and
//! buckets are merged again before their slots go back (linear hashing), so that no step ever does
//! more than a few of these. Uniques count up by two, so their low bits spread them evenly. A
//! daemon that leaves chosen requests unanswered can make a chain as long as there are such
//! requests, as it can with C's fixed 256 lists; they are those of its own mount.

use super::{segment::Segment, slot::NIL, store::Store};
use core::ops::DerefMut;

/// Buckets merged in one step; few in the host tests, to have several steps.
const MERGES: u32 = if cfg!(test) { 2 } else { 64 };

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Table {
    buckets: u32,
    /// The smallest power of two that is at least `buckets`, less one.
    mask: u32,
}

#[inline]
fn hash(unique: u64) -> u32 {
    // The bits that are cut off are those of a resent one and of an interrupt, and more than there
    // can be buckets.
    (unique >> 1) as u32
}

impl Table {
    pub(super) const fn new() -> Self {
        Table {
            buckets: 0,
            mask: 0,
        }
    }

    /// The bucket of `unique`; there is at least one bucket.
    #[inline]
    pub(super) fn bucket(self, unique: u64) -> u32 {
        let hash = hash(unique);
        let bucket = hash & self.mask;
        if bucket < self.buckets {
            bucket
        } else {
            hash & (self.mask >> 1)
        }
    }

    /// Adds the slot, whose unique is given; returns what is to be its `chain`.
    #[inline]
    #[must_use]
    pub(super) fn insert<P, B>(&mut self, store: &mut Store<B>, index: u32, unique: u64) -> u32
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        if self.buckets < store.buckets() {
            self.split(store);
        }
        match store.get_mut(self.bucket(unique)) {
            Some(head) => core::mem::replace(&mut head.bucket, index),
            None => NIL,
        }
    }

    /// The slot with exactly this unique, whose bucket is given.
    #[inline]
    pub(super) fn find<P, B>(store: &Store<B>, bucket: u32, unique: u64) -> Option<u32>
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let mut index = store.get(bucket)?.bucket;
        loop {
            let slot = store.get(index)?;
            if slot.unique == unique {
                return Some(index);
            }
            index = slot.chain;
        }
    }

    /// Takes a slot out of its bucket. Its `chain` was `rest`; it is not looked at.
    #[inline(always)]
    pub(super) fn remove<P, B>(store: &mut Store<B>, bucket: u32, index: u32, rest: u32)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let Some(head) = store.get_mut(bucket) else {
            return;
        };
        if head.bucket == index {
            head.bucket = rest;
            return;
        }
        let first = head.bucket;
        Self::remove_behind(store, first, index, rest);
    }

    /// The rest of [`remove`](Self::remove): the slot is not the first of its bucket.
    #[inline(never)]
    fn remove_behind<P, B>(store: &mut Store<B>, first: u32, index: u32, rest: u32)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let mut before = first;
        while let Some(slot) = store.get_mut(before) {
            if slot.chain == index {
                slot.chain = rest;
                return;
            }
            before = slot.chain;
        }
    }

    /// How many there are: those with a number below that.
    pub(super) fn buckets(self) -> u32 {
        self.buckets
    }

    /// Merges buckets until there are just so many, or some of them; true when done.
    pub(super) fn merge_down<P, B>(&mut self, store: &mut Store<B>, wanted: u32) -> bool
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        for _ in 0..MERGES {
            if self.buckets <= wanted {
                return true;
            }
            self.merge(store);
        }
        self.buckets <= wanted
    }

    /// Puts what is in the last bucket where it was before that was split off.
    fn merge<P, B>(&mut self, store: &mut Store<B>)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let last = self.buckets.wrapping_sub(1);
        let Some(top) = last.checked_ilog2() else {
            return;
        };
        self.buckets = last;
        self.mask = last.next_power_of_two().wrapping_sub(1);
        let Some(head) = store.get_mut(last) else {
            return;
        };
        let moved = core::mem::replace(&mut head.bucket, NIL);
        let mut end = NIL;
        let mut next = moved;
        while let Some(slot) = store.get_mut(next) {
            (end, next) = (next, slot.chain);
        }
        if end == NIL {
            return;
        }
        let Some(head) = store.get_mut(last ^ (1 << top)) else {
            return;
        };
        let rest = core::mem::replace(&mut head.bucket, moved);
        if let Some(slot) = store.get_mut(end) {
            slot.chain = rest;
        }
    }

    /// How many slots are in it, for the audit.
    #[cfg(test)]
    pub(super) fn len<P, B>(self, store: &Store<B>) -> u32
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let mut count = 0;
        for bucket in 0..self.buckets {
            let mut index = store.get(bucket).map_or(NIL, |slot| slot.bucket);
            while let Some(slot) = store.get(index) {
                count += 1;
                index = slot.chain;
                if count > 1 << 20 {
                    return count;
                }
            }
        }
        count
    }

    /// Makes one more bucket, of what belongs there from the one that had it.
    #[inline(never)]
    fn split<P, B>(&mut self, store: &mut Store<B>)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let added = self.buckets;
        if store.get_mut(added).is_none() {
            // No slot of this number is there.
            store.limit_buckets(added);
            return;
        }
        self.buckets = added.wrapping_add(1);
        self.mask |= added;
        if added == 0 {
            return;
        }
        let from = added ^ (1 << added.ilog2());
        let Some(head) = store.get_mut(from) else {
            return;
        };
        let mut rest = core::mem::replace(&mut head.bucket, NIL);
        while let Some(slot) = store.get_mut(rest) {
            let index = rest;
            let bucket = self.bucket(slot.unique);
            rest = slot.chain;
            let Some(head) = store.get_mut(bucket) else {
                return;
            };
            let chain = core::mem::replace(&mut head.bucket, index);
            if let Some(slot) = store.get_mut(index) {
                slot.chain = chain;
            }
        }
    }
}
