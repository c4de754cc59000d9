// SPDX-License-Identifier: GPL-2.0

//! A segment: memory for some slots, and the place of other segments that hang on it.
//!
//! No counterpart in C, see [`super::store`]. Takes no lock.

use super::slot::{
    Links,
    Slot, //
};
use core::ops::{
    Deref,
    DerefMut, //
};

/// Slots in a segment; few in the host tests, to have several segments.
pub(super) const SLOTS: u32 = if cfg!(test) { 4 } else { 64 };
/// Segments that can hang on one.
pub(super) const CHILDREN: u32 = if cfg!(test) { 2 } else { 32 };
/// All slots of a segment are free.
pub(super) const ALL: u64 = u64::MAX >> (u64::BITS - SLOTS);
/// The part of a segment that is not slots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Branch<B> {
    /// A bit for each slot that is free.
    pub(super) free: u64,
    /// Among the segments with free slots; not of the first one.
    pub(super) open: Links,
    /// How many hang on it.
    pub(super) count: u32,
    pub(super) children: [Option<B>; CHILDREN as usize],
}

impl<B> Branch<B> {
    /// Of a segment whose slots are all free.
    pub(crate) fn new() -> Self {
        Branch {
            free: ALL,
            open: Links::NONE,
            count: 0,
            children: [const { None }; CHILDREN as usize],
        }
    }
}

/// Memory for requests and devices, about a page. `B` is a box of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Segment<P, B> {
    /// To be made with [`Slot::new`], where it is to stay.
    pub(crate) slots: [Slot<P>; SLOTS as usize],
    /// To be made with [`Branch::new`].
    pub(crate) branch: Branch<B>,
}

impl<P, B> Segment<P, B> {
    /// One whose slots are all free, for those who have the stack for it.
    #[allow(dead_code, reason = "the module makes its own where they are to stay")]
    pub(crate) fn new() -> Self {
        Segment {
            slots: [const { Slot::new() }; SLOTS as usize],
            branch: Branch::new(),
        }
    }

    /// Nothing is in it, and nothing hangs on it.
    pub(super) fn is_idle(&self) -> bool {
        self.branch.free == ALL && self.branch.count == 0
    }
}

/// The segment of this number. Goes down as many times as the tree is deep: four in the module.
pub(super) fn segment<P, B>(first: &B, number: u32) -> Option<&Segment<P, B>>
where
    B: Deref<Target = Segment<P, B>>,
{
    let Some(below) = number.checked_sub(1) else {
        return Some(first);
    };
    let parent = segment(first, below / CHILDREN)?;
    let child = parent.branch.children.get((below % CHILDREN) as usize)?;
    child.as_deref()
}

/// As [`segment`], to be changed.
pub(super) fn segment_mut<P, B>(first: &mut B, number: u32) -> Option<&mut Segment<P, B>>
where
    B: DerefMut<Target = Segment<P, B>>,
{
    let Some(below) = number.checked_sub(1) else {
        return Some(first);
    };
    let parent = segment_mut(first, below / CHILDREN)?;
    let child = parent
        .branch
        .children
        .get_mut((below % CHILDREN) as usize)?;
    child.as_deref_mut()
}
