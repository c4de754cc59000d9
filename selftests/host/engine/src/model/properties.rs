// SPDX-License-Identifier: GPL-2.0

//! What must be so: S1 to S9 and L1, L2.

use super::*;

impl State {
    /// What must be so in every state.
    pub(crate) fn wrong(&self) -> Option<String> {
        self.violation().or_else(|| self.inconsistent())
    }

    /// A step did what must not be.
    pub(crate) fn violation(&self) -> Option<String> {
        if self.waiting < 0 {
            return Some("S4: waiting below zero".into());
        }
        self.violation.map(String::from)
    }

    /// The engine's own invariants.
    pub(crate) fn inconsistent(&self) -> Option<String> {
        let audited = with_words(&mut self.words.clone(), || self.engine.audit());
        audited.err().map(|wrong| format!("S2: {wrong}"))
    }

    /// A daemon that does not reply: it has been told of each signal.
    pub(super) fn uninterrupted(&self) -> Option<String> {
        with_words(&mut self.words.clone(), || {
            (0..self.words.len())
                .filter(|&i| Req(i as u16).word().is_sent())
                .find(|&i| Req(i as u16).word().is_interrupted() && self.interrupts[i] == 0)
                .map(|i| format!("L1: no INTERRUPT of request {i} was read"))
        })
    }

    /// What must be so when nobody moves any more unless something happens from outside: a signal,
    /// an abort, a fault.
    pub(crate) fn unfinished(&self, config: &Config, actions: &[Action]) -> Option<String> {
        let obliged = |action: &Action| {
            matches!(
                action,
                Action::Caller(_)
                    | Action::Reader(_)
                    | Action::Reply(..)
                    | Action::Writer(_)
                    | Action::Flush
                    | Action::Trim
                    | Action::Drain(_)
                    | Action::Resend
                    | Action::Init
            )
        };
        // Nobody serves the faults as long as the requests are there.
        if actions.iter().any(obliged) || (config.stuck && self.engine.is_connected()) {
            return None;
        }
        if let Some(kept) = self.kept(config) {
            return Some(kept);
        }
        let mute = config.writers.is_empty() && self.engine.is_connected();
        for (i, caller) in self.callers.iter().enumerate() {
            if mute && !self.killed[i] {
                continue;
            }
            if !matches!(caller, Caller::Returned(_) | Caller::Gone) {
                return Some(format!("L1: caller {i} is still there: {caller:?}"));
            }
        }
        if mute {
            return self.uninterrupted();
        }
        for (i, ended) in self.ended.iter().enumerate() {
            let refused = matches!(self.callers[i], Caller::Returned(Outcome::NotConnected));
            let killed_at_gate = self.killed[i] && self.words[i] == 0;
            if ended.is_none() && !refused && !killed_at_gate {
                return Some(format!("L2: request {i} has not ended"));
            }
        }
        for (i, caller) in self.callers.iter().enumerate() {
            // One takes the result: the caller, or the orphan step.
            let left = matches!(caller, Caller::Returned(Outcome::Interrupted))
                && self.ended[i].is_some_and(|outcome| outcome != Outcome::Interrupted);
            if left != self.orphans[i] {
                return Some(format!(
                    "S1: caller {i} and the orphan step take the result"
                ));
            }
        }
        let reads = self.readers.iter().any(|reader| *reader == Reader::Asleep);
        if reads && self.engine.is_readable() {
            return Some("L2: something to read, and all readers sleep".into());
        }
        if self.waiting != 0 {
            return Some(format!("S4: {} waiting in the end", self.waiting));
        }
        if self.engine.num_background() != 0 || self.engine.active_background() != 0 {
            return Some("S4: background slots leaked".into());
        }
        let devices = self.devices.iter().flatten().count() as u32;
        if self.engine.slots_used() != devices {
            return Some(format!(
                "S4: {} slots leaked",
                self.engine.slots_used() - devices
            ));
        }
        if self.forgets_read != config.forgets - self.left.forgets {
            return Some("S4: forgets lost".into());
        }
        if self.engine.keeps_spare(0) {
            return Some("S9: slots are kept that nobody needs".into());
        }
        None
    }
}
