// SPDX-License-Identifier: GPL-2.0

//! Requests as the trace knows them. What the engine asks of a request's word is answered from the
//! trace.

use super::engine::{Engine, ForgetQueue, Payload, ReqId, Segment};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// What the engine has told, and what it is to be told.
#[derive(Default)]
struct Words {
    /// Requests that entered pending, in order.
    queued: Vec<(usize, u64)>,
    /// Requests that may be taken back, and those that were.
    recall: Vec<usize>,
    recalled: Vec<usize>,
    /// Requests that cannot be sent again.
    spent: Vec<usize>,
}

thread_local! {
    static WORDS: RefCell<Words> = RefCell::default();
}

/// What has entered pending since it was asked last.
pub(crate) fn queued() -> Vec<(usize, u64)> {
    WORDS.with(|words| std::mem::take(&mut words.borrow_mut().queued))
}

/// Says which requests a resend takes back, and which it lets go of.
pub(crate) fn set_recall(requests: Vec<usize>, spent: Vec<usize>) {
    WORDS.with(|words| {
        let mut words = words.borrow_mut();
        words.recall = requests;
        words.spent = spent;
        words.recalled.clear();
    });
}

/// Which it took back, in order.
pub(crate) fn recalled() -> Vec<usize> {
    WORDS.with(|words| std::mem::take(&mut words.borrow_mut().recalled))
}

/// A request, by its number in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Req(pub(crate) usize);

impl Payload for Req {
    fn sent(&self) -> bool {
        true
    }

    fn interrupted(&self) -> bool {
        true
    }

    fn claim(&self) -> bool {
        true
    }

    fn spent(&self) -> bool {
        WORDS.with(|words| words.borrow().spent.contains(&self.0))
    }

    fn recall(&self) -> bool {
        WORDS.with(|words| {
            let mut words = words.borrow_mut();
            let take = words.recall.contains(&self.0);
            if take {
                words.recalled.push(self.0);
            }
            take
        })
    }

    fn queued(&self, unique: ReqId) {
        WORDS.with(|words| words.borrow_mut().queued.push((self.0, unique.0)));
    }
}

/// FORGETs leave no events: there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct NoForgets;

impl ForgetQueue for NoForgets {
    type Link = ();

    fn push_back(&mut self, (): ()) {}

    fn pop_front(&mut self) -> Option<()> {
        None
    }

    fn is_empty(&self) -> bool {
        true
    }
}

/// A box of slots.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Box<Segment<Req, Memory>>);

impl Memory {
    pub(crate) fn new() -> Self {
        Memory(Box::new(Segment::new()))
    }
}

impl Deref for Memory {
    type Target = Segment<Req, Memory>;

    fn deref(&self) -> &Segment<Req, Memory> {
        &self.0
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut Segment<Req, Memory> {
        &mut self.0
    }
}

pub(crate) type TestEngine = Engine<Req, NoForgets, Memory>;
