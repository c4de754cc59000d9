// SPDX-License-Identifier: GPL-2.0

//! What callers that have left hold of inodes (`engine/occupied.rs`), against real locks: every
//! interleaving of few callers that take locks together with others or alone, are killed and leave,
//! or stay as they may not; and of answers that come for those that have left.
//!
//! Asserted is:
//!
//! - **H1**: who has a lock goes on if and only if C would have let it have that lock: no two
//!   that exclude each other are between the moment when they send and that when their answers
//!   are applied, and nobody waits for somebody whose lock C's caller would share.
//! - **H2**: no more callers have left than may, in all and of one user.
//! - **H3**: while an answer for a caller that has left is being applied, the inode is not
//!   settled, and else it is.
//! - **H4**: in the end nothing is held, every word is zero, and everybody who waited has gone
//!   on.
//!
//! One step is one change of a lock, of the word, or of the state of the request. Mirrors
//! `fs/conn/left.rs`.

mod configs;
mod state;

pub(crate) use configs::{configs, find};

use super::engine::{may_leave, Count, Hold, Occupied};
use state::State;
use std::cell::Cell;
use std::collections::HashSet;

thread_local! {
    static WORD: Cell<u32> = const { Cell::new(0) };
}

/// The word of the inode at hand.
struct Word;

impl Count for Word {
    fn new() -> Self {
        Word
    }

    fn fetch_add(&self, value: u32) -> u32 {
        WORD.with(|word| word.replace(word.get().wrapping_add(value)))
    }

    fn update(&self, f: impl Fn(u32) -> u32) {
        WORD.with(|word| word.set(f(word.get())));
    }

    fn load(&self) -> u32 {
        WORD.with(Cell::get)
    }
}

/// Runs with this word in place.
fn with<R>(word: &mut u32, run: impl FnOnce(&Occupied<Word>) -> R) -> R {
    WORD.with(|place| place.set(*word));
    let result = run(&Occupied::new());
    *word = WORD.with(Cell::get);
    result
}

/// A lock that a caller takes: of which inode, and how. `Hold::Turn` is the turn among LOOKUPs and
/// READDIRs.
pub(crate) type Lock = (usize, Hold);

/// A caller: what it locks, in this order, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(super) locks: Vec<Lock>,
    pub(super) user: usize,
    pub(super) privileged: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(super) callers: Vec<Caller>,
    pub(super) inodes: usize,
    pub(super) max_left: u32,
    /// Leaving fails at any place, once for each caller.
    pub(super) failures: bool,
    pub(crate) mistake: Option<Mistake>,
}

/// Mistakes in how the word is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// The hold is taken after the lock was released.
    OccupyLate,
    /// It is given up before the answer is applied.
    VacateEarly,
    /// The word is looked at before the lock is taken.
    LookEarly,
    /// Who waits is woken up before the hold is given up.
    WakeEarly,
    /// Whoever cannot leave after all keeps what it had taken of the word.
    FailureKeeps,
    /// The answer is said to be there before the inode is said to be unsettled.
    SettleLate,
}

/// What a caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Go(usize),
    Kill(usize),
    /// It cannot leave after all.
    Fail(usize),
    /// The daemon answers.
    Answer(usize),
}

/// What is wrong, and after which steps.
pub(crate) type Wrong = (String, Vec<Step>);

/// Every interleaving. Returns the number of states.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn explore(config: &Config) -> Result<usize, Wrong> {
    let mut seen = HashSet::new();
    let start = State::new(config);
    seen.insert(start.clone());
    let mut path: Vec<(State, Vec<Step>, Option<Step>)> = vec![];
    let steps = start.steps(config);
    path.push((start, steps, None));
    while let Some((state, steps, _)) = path.last_mut() {
        let Some(step) = steps.pop() else {
            path.pop();
            continue;
        };
        let mut next = state.clone();
        let mut wrong = next.step(config, step);
        let mut steps = vec![];
        if wrong.is_ok() {
            if !seen.insert(next.clone()) {
                continue;
            }
            steps = next.steps(config);
            // A kill need not come.
            if steps.iter().all(|step| matches!(step, Step::Kill(_))) {
                wrong = next.unfinished();
            }
        }
        path.push((next, steps, Some(step)));
        if let Err(what) = wrong {
            return Err((what, path.iter().filter_map(|(.., step)| *step).collect()));
        }
    }
    Ok(seen.len())
}

/// The limits, against what is meant by them.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn limits() -> Result<(), String> {
    for max in 0..20 {
        for all in 0..20 {
            for of_user in 0..=all {
                let share = (0..=max).find(|share| share * 4 >= max).unwrap_or(0);
                let expected = all < max && of_user < share;
                let got = [false, true].map(|privileged| may_leave(all, of_user, max, privileged));
                if got != [expected, all < max] {
                    return Err(format!("H2: {of_user} of {all} with {max}: {got:?}"));
                }
            }
        }
    }
    // As many as may leave can all hold one inode, in whichever way; and no more.
    let most = (0..u32::MAX).find(|all| !may_leave(*all, 0, u32::MAX, true));
    let most = most.ok_or("H2: no limit")?;
    let mut word = 0;
    for _ in 0..most {
        with(&mut word, |word| word.occupy(Hold::Shared));
        with(&mut word, |word| word.settle());
    }
    let right = with(&mut word, |word| {
        let shared = word.admits(Hold::Shared) && word.admits(Hold::Turn);
        shared && !word.admits(Hold::Exclusive) && !word.is_settled()
    });
    if !right {
        return Err(format!("H2: {most} hold it: {word:#x}"));
    }
    for _ in 0..most {
        with(&mut word, |word| word.vacate(Hold::Shared));
        with(&mut word, |word| word.settled());
    }
    if !with(&mut word, |word| word.is_free()) {
        return Err(format!("H4: {most} held it: {word:#x}"));
    }
    Ok(())
}

/// Who waits in vain for an answer to be applied says so to others, until all have been applied.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn late() -> Result<(), String> {
    let mut word = 0;
    let mut do_and_see = |what: &str, act: fn(&Occupied<Word>), settled: bool| {
        let is = with(&mut word, |word| {
            act(word);
            (word.is_settled(), word.admits(Hold::Turn))
        });
        let right = is == (settled, true);
        right.then_some(()).ok_or(format!("H3: {what}: {word:#x}"))
    };
    // Not if it has been applied just now.
    do_and_see("late for nothing", Occupied::late, true)?;
    do_and_see("first", Occupied::settle, false)?;
    do_and_see("first is late", Occupied::late, true)?;
    do_and_see("so is the second", Occupied::settle, true)?;
    do_and_see("one is applied", Occupied::settled, true)?;
    do_and_see("so is the other", Occupied::settled, true)?;
    do_and_see("another one", Occupied::settle, false)?;
    do_and_see("it is applied", Occupied::settled, true)?;
    match word {
        0 => Ok(()),
        _ => Err(format!("H4: {word:#x}")),
    }
}
