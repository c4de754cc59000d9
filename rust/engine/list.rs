// SPDX-License-Identifier: GPL-2.0

//! Doubly linked lists through slots, by slot number. Takes no lock.
//!
//! C: `struct list_head`. A slot has two pairs of links: `links` for the one list that its state
//! names, and `side` for the interrupts (of a request) or the devices (of a device).

use super::{
    segment::Segment,
    slot::{
        Links,
        Slot,
        NIL, //
    },
    store::Store,
};
use core::ops::DerefMut;

/// The ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct List {
    pub(super) first: u32,
    pub(super) last: u32,
}

impl List {
    pub(super) const EMPTY: List = List {
        first: NIL,
        last: NIL,
    };

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.first == NIL
    }
}

/// Which pair of links a list runs through.
pub(super) const MAIN: bool = false;
pub(super) const SIDE: bool = true;

impl<P> Slot<P> {
    #[inline]
    fn pair<const WHICH: bool>(&mut self) -> &mut Links {
        if WHICH {
            &mut self.side
        } else {
            &mut self.links
        }
    }
}

impl<B> Store<B> {
    /// Appends a slot that is on no list through these links.
    #[inline]
    pub(super) fn push_back<const WHICH: bool, P>(&mut self, list: List, index: u32) -> List
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        if let Some(slot) = self.get_mut(index) {
            *slot.pair::<WHICH>() = Links {
                next: NIL,
                prev: list.last,
            };
        }
        self.appended::<WHICH, P>(list, index)
    }

    /// The rest of [`push_back`](Self::push_back): the slot has its own links already.
    #[inline]
    pub(super) fn appended<const WHICH: bool, P>(&mut self, list: List, index: u32) -> List
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        if list.is_empty() {
            return List {
                first: index,
                last: index,
            };
        }
        if let Some(last) = self.get_mut(list.last) {
            last.pair::<WHICH>().next = index;
        }
        List {
            first: list.first,
            last: index,
        }
    }

    /// Takes a slot off the list, from any place in it. If the slot is on another list that has
    /// been cut off from the ends given, those stay as they are.
    #[inline]
    pub(super) fn unlink<const WHICH: bool, P>(&mut self, mut list: List, index: u32) -> List
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let Some(slot) = self.get_mut(index) else {
            return list;
        };
        let pair = slot.pair::<WHICH>();
        let links = core::mem::replace(pair, Links::NONE);
        self.close_gap::<WHICH, P>(links);
        let Links { next, prev } = links;
        if list.first == index {
            list.first = next;
        }
        if list.last == index {
            list.last = prev;
        }
        list
    }

    /// Takes the first slot off a list; `next` is the one behind it.
    #[inline]
    pub(super) fn pop_front<const WHICH: bool, P>(&mut self, list: List, next: u32) -> List
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        if next == NIL {
            return List::EMPTY;
        }
        if let Some(slot) = self.get_mut(next) {
            slot.pair::<WHICH>().prev = NIL;
        }
        List {
            first: next,
            last: list.last,
        }
    }

    /// Joins the neighbours of a slot that had these links. Inlined, as nearly always there are
    /// none.
    #[inline(always)]
    pub(super) fn close_gap<const WHICH: bool, P>(&mut self, links: Links)
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        let Links { next, prev } = links;
        if next != NIL {
            if let Some(slot) = self.get_mut(next) {
                slot.pair::<WHICH>().prev = prev;
            }
        }
        if prev != NIL {
            if let Some(slot) = self.get_mut(prev) {
                slot.pair::<WHICH>().next = next;
            }
        }
    }

    /// One list with `front` before `back`.
    pub(super) fn join<P>(&mut self, front: List, back: List) -> List
    where
        B: DerefMut<Target = Segment<P, B>>,
    {
        if front.is_empty() {
            return back;
        }
        if back.is_empty() {
            return front;
        }
        if let Some(slot) = self.get_mut(front.last) {
            slot.links.next = back.first;
        }
        if let Some(slot) = self.get_mut(back.first) {
            slot.links.prev = front.last;
        }
        List {
            first: front.first,
            last: back.last,
        }
    }
}
