// SPDX-License-Identifier: GPL-2.0

//! What callers do with locks and words, step by step, and what must be so.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum At {
    /// So many locks are taken.
    Locking(usize),
    /// All are; so many words have been looked at.
    Looking(usize),
    /// Asleep until this one admits it.
    Asleep(usize),
    /// The daemon has the request.
    Sent,
    /// Killed, counted, and so many words are occupied.
    Leaving(usize),
    /// So many locks are released, before it is gone.
    Left(usize),
    /// For `Mistake::OccupyLate`: all are.
    Late,
    /// The answer is there, for one that has left: so many inodes are unsettled.
    Settling(usize),
    /// For one that has not.
    Answered,
    /// Applied; so many are settled again.
    Settled(usize),
    /// So many words are vacated.
    Vacating(usize),
    /// All are vacated: wake up who waits.
    Waking,
    /// Did not leave, so many locks are released.
    Unlocking(usize),
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct State {
    pub(super) words: Vec<u32>,
    pub(super) at: Vec<At>,
    /// Locks that each caller has: the real ones.
    pub(super) has: Vec<Vec<bool>>,
    pub(super) killed: Vec<bool>,
    pub(super) failed: Vec<bool>,
    /// Counts as one that has left.
    pub(super) counted: Vec<bool>,
    /// Locks that C's caller would have: since it sent, until its answer was applied.
    pub(super) sent: Vec<bool>,
    /// For `Mistake::LookEarly`.
    pub(super) looked: Vec<bool>,
    /// An answer for one that has left is there, and not applied.
    pub(super) pending: Vec<bool>,
}

fn excludes(one: Hold, other: Hold) -> bool {
    match (one, other) {
        (Hold::Turn, Hold::Turn) => true,
        (Hold::Turn, _) | (_, Hold::Turn) => false,
        (Hold::Exclusive, _) | (_, Hold::Exclusive) => true,
        (Hold::Shared, Hold::Shared) => false,
    }
}

impl State {
    pub(super) fn new(config: &Config) -> State {
        let n = config.callers.len();
        State {
            words: vec![0; config.inodes],
            at: vec![At::Locking(0); n],
            has: config
                .callers
                .iter()
                .map(|c| vec![false; c.locks.len()])
                .collect(),
            killed: vec![false; n],
            failed: vec![false; n],
            counted: vec![false; n],
            sent: vec![false; n],
            looked: vec![false; n],
            pending: vec![false; n],
        }
    }

    /// Whether the real lock can be taken.
    fn can_lock(&self, config: &Config, me: usize, (inode, hold): Lock) -> bool {
        config.callers.iter().enumerate().all(|(i, caller)| {
            i == me
                || caller
                    .locks
                    .iter()
                    .zip(&self.has[i])
                    .all(|(&(other, held), &has)| !has || other != inode || !excludes(hold, held))
        })
    }

    /// Whether C's callers, who keep their locks, would let this one have it.
    fn c_admits(&self, config: &Config, me: usize, (inode, hold): Lock) -> bool {
        config.callers.iter().enumerate().all(|(i, caller)| {
            i == me
                || !self.sent[i]
                || caller
                    .locks
                    .iter()
                    .all(|&(other, held)| other != inode || !excludes(hold, held))
        })
    }

    pub(super) fn steps(&self, config: &Config) -> Vec<Step> {
        let mut steps = vec![];
        for (i, at) in self.at.iter().enumerate() {
            let locks = &config.callers[i].locks;
            match *at {
                At::Locking(n) if n < locks.len() => {
                    if self.can_lock(config, i, locks[n]) || (early(config) && !self.looked[i]) {
                        steps.push(Step::Go(i));
                    }
                }
                At::Asleep(_) | At::Sent | At::Done => {}
                At::Left(n) if n == locks.len() => {}
                _ => steps.push(Step::Go(i)),
            }
            if matches!(at, At::Asleep(_) | At::Sent) && !self.killed[i] {
                steps.push(Step::Kill(i));
            }
            if config.failures && !self.failed[i] && matches!(at, At::Leaving(_)) {
                steps.push(Step::Fail(i));
            }
            let left = matches!(at, At::Left(n) if *n == locks.len());
            // It may come while the caller is still leaving; what is done then is done after that.
            if *at == At::Sent || left {
                steps.push(Step::Answer(i));
            }
        }
        steps
    }

    fn occupy(&mut self, config: &Config, i: usize, n: usize) {
        let (inode, hold) = config.callers[i].locks[n];
        with(&mut self.words[inode], |word| word.occupy(hold));
    }

    fn vacate(&mut self, config: &Config, i: usize, n: usize) {
        let (inode, hold) = config.callers[i].locks[n];
        with(&mut self.words[inode], |word| word.vacate(hold));
    }

    fn wake(&mut self) {
        for at in &mut self.at {
            if let At::Asleep(n) = *at {
                *at = At::Looking(n);
            }
        }
    }

    fn may_leave(&self, config: &Config, i: usize) -> bool {
        let Caller {
            user, privileged, ..
        } = config.callers[i];
        let all = self.counted.iter().filter(|c| **c).count();
        let of_user = self.counted.iter().zip(&config.callers);
        let of_user = of_user
            .filter(|(c, caller)| **c && caller.user == user)
            .count();
        may_leave(all as u32, of_user as u32, config.max_left, privileged)
    }

    fn go(&mut self, config: &Config, i: usize) -> Result<(), String> {
        let locks = &config.callers[i].locks;
        let mistake = |it| config.mistake == Some(it);
        self.at[i] = match self.at[i] {
            At::Locking(0) if early(config) && !self.looked[i] => {
                self.looked[i] = true;
                let free = locks
                    .iter()
                    .all(|&(inode, hold)| with(&mut self.words[inode], |word| word.admits(hold)));
                // Else it looks again, some time later.
                self.looked[i] = free;
                At::Locking(0)
            }
            At::Locking(n) if n < locks.len() => {
                self.has[i][n] = true;
                At::Locking(n + 1)
            }
            At::Locking(_) => At::Looking(if early(config) { locks.len() } else { 0 }),
            At::Looking(n) if n < locks.len() => self.look(config, i, n)?,
            At::Looking(_) => {
                for &lock in locks {
                    if !self.c_admits(config, i, lock) {
                        return Err(format!("H1: {i} sends, whom C lets wait"));
                    }
                }
                self.sent[i] = true;
                At::Sent
            }
            At::Leaving(n) if n < locks.len() => {
                if !mistake(Mistake::OccupyLate) {
                    self.occupy(config, i, n);
                }
                At::Leaving(n + 1)
            }
            At::Leaving(_) => At::Left(0),
            At::Left(n) => {
                self.has[i][n] = false;
                if mistake(Mistake::OccupyLate) && n + 1 == locks.len() {
                    At::Late
                } else {
                    At::Left(n + 1)
                }
            }
            At::Late => {
                for n in 0..locks.len() {
                    self.occupy(config, i, n);
                }
                At::Left(locks.len())
            }
            at @ (At::Settling(_)
            | At::Answered
            | At::Settled(_)
            | At::Vacating(_)
            | At::Waking) => self.answered(config, i, at),
            At::Unlocking(n) if n < locks.len() => {
                self.has[i][n] = false;
                At::Unlocking(n + 1)
            }
            At::Unlocking(_) => At::Done,
            at @ (At::Asleep(_) | At::Sent | At::Done) => at,
        };
        Ok(())
    }

    /// Looks whether the word admits the next lock of a caller, which must be so if and only if C
    /// would.
    fn look(&mut self, config: &Config, i: usize, n: usize) -> Result<At, String> {
        let lock = config.callers[i].locks[n];
        let (inode, hold) = lock;
        let admits = with(&mut self.words[inode], |word| {
            if word.is_free() && !word.admits(hold) {
                return Err("H1: a free inode excludes somebody".to_string());
            }
            Ok(word.admits(hold))
        })?;
        // Who sleeps in C with a lock that it still has is seen by its being there.
        let c_admits = self.c_admits(config, i, lock);
        if admits && !c_admits {
            return Err(format!("H1: {i} goes on, whom C lets wait"));
        }
        if !admits && c_admits && !self.vacates(config, lock) {
            return Err(format!("H1: {i} waits, whom C lets go on"));
        }
        Ok(if admits {
            At::Looking(n + 1)
        } else {
            At::Asleep(n)
        })
    }

    /// The steps after the answer: it is applied, and what the caller held is free again.
    fn answered(&mut self, config: &Config, i: usize, at: At) -> At {
        let locks = &config.callers[i].locks;
        let mistake = |it| config.mistake == Some(it);
        match at {
            At::Settling(n) if n < locks.len() => {
                with(&mut self.words[locks[n].0], |word| word.settle());
                if n + 1 == locks.len() {
                    self.pending[i] = true;
                }
                At::Settling(n + 1)
            }
            At::Settling(_) => {
                if mistake(Mistake::VacateEarly) {
                    for n in 0..locks.len() {
                        self.vacate(config, i, n);
                    }
                    self.wake();
                }
                At::Answered
            }
            At::Answered => {
                // The consequences.
                self.sent[i] = false;
                self.pending[i] = false;
                if self.counted[i] {
                    At::Settled(0)
                } else {
                    At::Unlocking(0)
                }
            }
            At::Settled(n) if n < locks.len() => {
                with(&mut self.words[locks[n].0], |word| word.settled());
                At::Settled(n + 1)
            }
            At::Settled(_) => {
                if mistake(Mistake::WakeEarly) {
                    self.wake();
                }
                At::Vacating(0)
            }
            At::Vacating(n) if n < locks.len() => {
                if !mistake(Mistake::VacateEarly) {
                    self.vacate(config, i, n);
                }
                At::Vacating(n + 1)
            }
            At::Vacating(_) => {
                self.counted[i] = false;
                At::Waking
            }
            At::Waking => {
                if !mistake(Mistake::WakeEarly) {
                    self.wake();
                }
                At::Done
            }
            at => at,
        }
    }

    /// Whether somebody whose answer is applied has yet to vacate something that excludes this.
    fn vacates(&self, config: &Config, (inode, hold): Lock) -> bool {
        config.callers.iter().zip(&self.at).any(|(caller, at)| {
            let rest = match *at {
                At::Settled(_) => 0,
                At::Vacating(n) => n,
                _ => return false,
            };
            caller.locks[rest..]
                .iter()
                .any(|&(other, held)| other == inode && excludes(hold, held))
        })
    }

    pub(super) fn step(&mut self, config: &Config, step: Step) -> Result<(), String> {
        match step {
            Step::Go(i) => self.go(config, i)?,
            Step::Kill(i) => {
                self.killed[i] = true;
                if let At::Asleep(_) = self.at[i] {
                    self.at[i] = At::Unlocking(0);
                } else if self.may_leave(config, i) {
                    self.counted[i] = true;
                    self.at[i] = At::Leaving(0);
                }
            }
            Step::Fail(i) => {
                if let At::Leaving(n) = self.at[i] {
                    if config.mistake != Some(Mistake::FailureKeeps) {
                        for n in 0..n {
                            self.vacate(config, i, n);
                        }
                    }
                    self.wake();
                }
                self.failed[i] = true;
                self.counted[i] = false;
                self.at[i] = At::Sent;
            }
            Step::Answer(i) if self.counted[i] => {
                let late = config.mistake == Some(Mistake::SettleLate);
                self.pending[i] = late;
                self.at[i] = At::Settling(0);
            }
            Step::Answer(i) => self.at[i] = At::Answered,
        }
        self.check(config)
    }

    /// What must be so in every state.
    fn check(&self, config: &Config) -> Result<(), String> {
        let all = self.counted.iter().filter(|counted| **counted).count() as u32;
        if all > config.max_left {
            return Err(format!("H2: {all} have left"));
        }
        for (user, _) in config.callers.iter().enumerate() {
            let left = config.callers.iter().zip(&self.counted);
            let left = left.filter(|(c, counted)| **counted && c.user == user && !c.privileged);
            let left = left.count() as u32;
            if left > config.max_left.div_ceil(4) {
                return Err(format!("H2: {left} of user {user} have left"));
            }
        }
        for (inode, word) in self.words.iter().enumerate() {
            let of = |i: usize| config.callers[i].locks.iter().any(|lock| lock.0 == inode);
            let pending = (0..self.pending.len()).any(|i| self.pending[i] && of(i));
            if pending && with(&mut word.clone(), |word| word.is_settled()) {
                return Err(format!(
                    "H3: inode {inode} is settled, with an answer to be applied"
                ));
            }
            let settling = (0..self.at.len()).any(|i| {
                let settles = matches!(self.at[i], At::Settling(_) | At::Settled(_));
                let applies = self.at[i] == At::Answered && self.counted[i];
                of(i) && (settles || applies)
            });
            if !settling && !with(&mut word.clone(), |word| word.is_settled()) {
                return Err(format!("H3: inode {inode} is unsettled, without an answer"));
            }
        }
        Ok(())
    }

    /// What must be so when nobody moves any more.
    pub(super) fn unfinished(&self) -> Result<(), String> {
        if let Some(i) = self.at.iter().position(|at| *at != At::Done) {
            return Err(format!("H4: caller {i} waits for ever: {:?}", self.at[i]));
        }
        if let Some(inode) = self.words.iter().position(|word| *word != 0) {
            return Err(format!("H4: inode {inode} is held by nobody"));
        }
        Ok(())
    }
}

fn early(config: &Config) -> bool {
    config.mistake == Some(Mistake::LookEarly)
}
