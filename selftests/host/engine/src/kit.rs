// SPDX-License-Identifier: GPL-2.0

//! What stands for the module's types: requests whose words are in a table, so that a state can be
//! copied and compared, forgets, and memory.

use super::engine::lend_state::{LendState, Word};
use super::engine::{Engine, ForgetQueue, Payload, Segment};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

thread_local! {
    static WORDS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Runs with the words of the state at hand in place.
pub(crate) fn with_words<R>(words: &mut Vec<u32>, run: impl FnOnce() -> R) -> R {
    WORDS.with(|table| table.swap(&RefCell::new(std::mem::take(words))));
    let result = run();
    *words = WORDS.with(RefCell::take);
    result
}

/// A request, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Req(pub(crate) u16);

/// The place of its word.
pub(crate) struct Place(usize);

impl Word for Place {
    fn new(_: u32) -> Self {
        unreachable!("made by Req::word")
    }

    fn load(&self) -> u32 {
        WORDS.with(|words| words.borrow()[self.0])
    }

    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        WORDS.with(|words| {
            let word = &mut words.borrow_mut()[self.0];
            if *word == old {
                *word = new;
                Ok(old)
            } else {
                Err(*word)
            }
        })
    }
}

/// That a request is spent, kept in its word, which has no bit so high.
const SPENT: u32 = 1 << 31;

impl Req {
    /// It cannot be sent again.
    pub(crate) fn spend(self) {
        WORDS.with(|words| words.borrow_mut()[usize::from(self.0)] |= SPENT);
    }

    pub(crate) fn word(self) -> LendState<Place> {
        LendState::from_word(Place(self.0.into()))
    }
}

impl Payload for Req {
    fn sent(&self) -> bool {
        self.word().is_sent()
    }

    fn interrupted(&self) -> bool {
        self.word().is_interrupted()
    }

    fn claim(&self) -> bool {
        self.word().claim()
    }

    fn spent(&self) -> bool {
        Place(self.0.into()).load() & SPENT != 0
    }

    fn recall(&self) -> bool {
        self.word().recall()
    }
}

/// A queue of forgets, which are numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Forgets(pub(crate) VecDeque<u16>);

impl ForgetQueue for Forgets {
    type Link = u16;

    fn push_back(&mut self, link: u16) {
        self.0.push_back(link);
    }

    fn pop_front(&mut self) -> Option<u16> {
        self.0.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A box of slots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

pub(crate) type TestEngine = Engine<Req, Forgets, Memory>;

/// An engine with its first segment.
pub(crate) fn engine() -> TestEngine {
    TestEngine::new(Memory::new())
}
