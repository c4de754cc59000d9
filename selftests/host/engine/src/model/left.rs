// SPDX-License-Identifier: GPL-2.0

//! Callers that have left requests that the daemon has: what they have lent of their own goes back
//! to them.
//!
//! Mirrors `transport/caller/left.rs`. Where it holds the engine's lock across two changes of the
//! word, so does the model: nobody else moves then who needs the lock.

use super::*;

impl State {
    /// Whether somebody has this request's arguments to take out what was lent.
    pub(super) fn giving_back(&self, req: Req) -> bool {
        let caller = self.callers[usize::from(req.0)] == Caller::GiveBackLent;
        caller || self.readers.contains(&Reader::GiveBackLent(req))
    }

    /// Whether that is so of any request: the engine is locked.
    pub(super) fn is_locked(&self) -> bool {
        (0..self.callers.len()).any(|i| self.giving_back(Req(i as u16)))
    }

    /// Whether it is a step of somebody who must have the engine's lock, and has not.
    pub(super) fn takes_lock(&self, action: Action) -> bool {
        match action {
            Action::Caller(i) => matches!(
                self.callers[i],
                Caller::Start
                    | Caller::Grow
                    | Caller::Grown
                    | Caller::Woken
                    | Caller::QueueInterrupt(_)
                    | Caller::GiveBack
            ),
            Action::Reader(i) => matches!(
                self.readers[i],
                Reader::Idle
                    | Reader::QueueInterrupt(..)
                    | Reader::GiveBack(_)
                    | Reader::Remove { .. }
            ),
            Action::Writer(i) => matches!(self.writers[i], Writer::Remove { .. }),
            Action::Drain(i) => {
                let drainer = &self.drainers[i];
                drainer.last || (drainer.finish.is_none() && drainer.taken.is_empty())
            }
            Action::Signal(_)
            | Action::ReaderFaults(_)
            | Action::ReaderFails(_)
            | Action::WriterFails(_)
            | Action::StartResend => false,
            _ => true,
        }
    }

    /// A caller that has left.
    pub(super) fn give_back(&mut self, config: &Config, i: usize) {
        let req = Req(i as u16);
        let gone = Caller::Returned(Outcome::Interrupted);
        self.callers[i] = match self.callers[i].clone() {
            Caller::GiveBack if self.take_own(config, req) => Caller::GiveBackLent,
            Caller::GiveBackLent => match req.word().return_sent() {
                Returned::Here { .. } => gone,
                Returned::MustEnd => Caller::EndLeft,
            },
            Caller::EndLeft => {
                self.callers[i] = gone.clone();
                self.finish(req, Outcome::Aborted);
                gone
            }
            _ => gone,
        };
    }

    /// Takes out what a caller that has left has lent, unless somebody copies. True if the
    /// arguments are to be returned.
    pub(super) fn take_own(&mut self, config: &Config, req: Req) -> bool {
        // A resend that has let go of it is about to end it, and must not find it lent.
        if req.spent() && config.mistake != Some(Mistake::LendsSpentAgain) {
            return false;
        }
        let lent = req.word().lend_again();
        if !lent && config.mistake != Some(Mistake::TakesWhatIsLent) {
            return false;
        }
        if self.copying(req, None) {
            self.violated("S6: taken out while it is copied");
        }
        let sends = self.memory[usize::from(req.0)] == Memory::In;
        if sends && config.mistake != Some(Mistake::NotSpent) {
            req.spend();
        }
        self.give_up(req);
        lent
    }

    /// It is not lent any more, if it was.
    pub(super) fn give_up(&mut self, req: Req) {
        let index = usize::from(req.0);
        if !req.word().is_orphan() {
            self.violated("S6: taken from a caller that has not left");
        }
        let memory = &mut self.memory[index];
        if *memory != Memory::None {
            *memory = Memory::Back;
        }
    }

    /// A caller that has not left has its result, and what it has lent.
    pub(super) fn take_back(&mut self, i: usize) {
        match self.memory[i] {
            Memory::None => (),
            Memory::Back => self.violated("S6: gone, and its caller has not left"),
            Memory::In | Memory::Out => self.memory[i] = Memory::Back,
        }
    }

    /// The engine has let go of a request that cannot be sent again.
    pub(super) fn end_spent(&mut self, spent: Option<Req>) {
        let Some(req) = spent else {
            return;
        };
        if !req.spent() || !req.word().is_orphan() {
            self.violated("S6: ended, and could be sent again");
        }
        self.drainers.push(Drainer {
            which: Drain::All,
            more: false,
            taken: vec![req],
            finish: None,
            outcome: Outcome::Left,
            last: false,
        });
    }

    /// When nobody moves any more: all of that is with its callers, and what was left has ended as
    /// it should.
    pub(super) fn kept(&self, config: &Config) -> Option<String> {
        let left = |i: usize| self.callers[i] == Caller::Returned(Outcome::Interrupted);
        let kept = |i: &usize| matches!(self.memory[*i], Memory::In | Memory::Out) && left(*i);
        if let Some(i) = (0..self.callers.len()).find(kept) {
            return Some(format!("S6: what caller {i} has lent is not given back"));
        }
        if config.aborts == 0 && config.releases.is_empty() {
            let aborted = |ended: &Option<Outcome>| *ended == Some(Outcome::Aborted);
            if let Some(i) = self.ended.iter().position(aborted) {
                return Some(format!("S6: request {i} has ended as if aborted"));
            }
        }
        None
    }
}
