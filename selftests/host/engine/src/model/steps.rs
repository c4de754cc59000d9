// SPDX-License-Identifier: GPL-2.0

//! What each action does; callers, and what comes from outside.

use super::*;

impl State {
    pub(super) fn act(&mut self, config: &Config, action: Action) {
        match action {
            Action::Caller(i) => self.caller(config, i),
            Action::Signal(i) => self.signal(i),
            Action::Kill(i) => self.kill(config, i),
            Action::Reader(i) => self.reader(config, i),
            Action::ReaderFaults(i) => self.reader_faults(i),
            Action::ReaderFails(i) => self.reader_fails(i),
            Action::ReaderKilled(i) => self.reader_killed(config, i),
            Action::Reply(i, message) => self.reply(i, message),
            Action::Again(_, message) => self.again(message),
            Action::Guess(i, unique) => self.guess(config, i, unique),
            Action::Writer(i) => self.writer(i),
            Action::WriterFaults(i) => self.writer_faults(config, i),
            Action::WriterFails(i) => self.writer_fails(i),
            Action::Flush => {
                self.flush = false;
                let effects = self.engine.flush_background();
                self.effects(effects);
            }
            Action::Trim => {
                self.spare = self.engine.spare_below();
                let Trimmed { segment, more } = self.engine.trim(self.live());
                self.trim = more;
                drop(segment);
            }
            Action::Abort => {
                self.left.aborts -= 1;
                self.abort();
            }
            Action::Release(device) => self.release(device),
            Action::Drain(i) => self.drain(i),
            Action::StartResend => {
                self.left.resends -= 1;
                self.resend = Some(Resend::default());
            }
            Action::Resend => self.resend_more(),
            Action::Forget => {
                self.left.forgets -= 1;
                match self.engine.forget(self.left.forgets.into()) {
                    Ok(effects) => self.effects(effects),
                    Err(_) => self.forgets_read += 1,
                }
            }
            Action::Init => {
                self.left.init = false;
                let effects = self.engine.set_initialized();
                self.effects(effects);
            }
        }
        // Whoever has left looks.
        self.trim |= self.live() < self.spare;
    }

    /// A caller that waits is interrupted by a signal that does not kill it.
    fn signal(&mut self, i: usize) {
        if let Caller::Wait(ticket) = self.callers[i] {
            self.callers[i] = if Req(i as u16).word().interrupt() {
                Caller::QueueInterrupt(ticket)
            } else {
                Caller::Killable(ticket)
            };
        }
    }

    /// A reader's copy comes short: it parks the request while the page is faulted in.
    fn reader_faults(&mut self, i: usize) {
        self.left.faults -= 1;
        if let Reader::Copy {
            req,
            unique,
            ticket,
            reply,
        } = self.readers[i]
        {
            self.readers[i] = Reader::Parked {
                req,
                unique,
                ticket,
                reply,
            };
            if req.word().park() == Returned::MustEnd {
                self.readers[i] = Reader::Finish {
                    req,
                    outcome: Outcome::Aborted,
                };
            }
        }
    }

    /// A reader's memory is not there.
    fn reader_fails(&mut self, i: usize) {
        self.left.failures -= 1;
        if let Reader::Copy { req, ticket, .. } = self.readers[i] {
            let aborted = req.word().end();
            let outcome = if aborted {
                Outcome::Aborted
            } else {
                Outcome::CopyFailed
            };
            self.readers[i] = Reader::Remove {
                req,
                ticket,
                outcome,
            };
        }
    }

    /// What waits exclusively and was woken up goes on as if not killed, unless there is nothing to
    /// read.
    fn reader_killed(&mut self, config: &Config, i: usize) {
        self.left.reader_kills -= 1;
        let asleep = matches!(self.readers[i], Reader::Asleep | Reader::Away);
        let mistake = config.mistake == Some(Mistake::ReaderKeepsWakeup);
        if asleep || mistake || !self.engine.is_readable() {
            self.read_wait.retain(|&thread| thread != i);
            self.readers[i] = Reader::Exited;
        }
    }

    /// The daemon answers what it was sent.
    fn reply(&mut self, i: usize, message: usize) {
        let (device, unique, req) = self.inbox.remove(message);
        let Some(on) = self.devices[device] else {
            return;
        };
        let has = req.word().is_sent()
            && self.engine.is_connected()
            && self.engine.requests_of(on).contains(&(req, unique));
        let found = self.claim(i, on, unique, req);
        if self.giving_back(req) && self.engine.requests_of(on).contains(&(req, unique)) {
            self.violated("S7: a reply is refused since its caller leaves");
        }
        if has != found {
            self.violated("a reply did not find its request, or another");
        }
    }

    /// The daemon answers an INTERRUPT with EAGAIN: it wants to be told again.
    fn again(&mut self, message: usize) {
        self.left.again -= 1;
        let (device, unique, req) = self.inbox[message];
        if let Some(on) = self.devices[device] {
            let again = self.engine.interrupt_reply(on, ReqId(unique), true);
            if let InterruptReply::Again(effects) = again {
                if !req.word().is_interrupted() {
                    self.violated("S5: again without a first");
                }
                if effects != Effects::default() {
                    // It may be read once more.
                    self.sent[usize::from(req.0)] += 1;
                }
                self.effects(effects);
            }
        }
    }

    /// The daemon answers a number that it may not have been sent.
    fn guess(&mut self, config: &Config, i: usize, unique: u64) {
        self.left.guesses -= 1;
        if let Some(on) = self.devices[config.writers[i]] {
            let early = self.readers.iter().any(|reader| {
                matches!(reader, Reader::Lend { unique: it, .. } | Reader::Copy { unique: it, .. }
                    | Reader::Parked { unique: it, .. } if *it == unique)
            });
            if let Some(claimed) = self.engine.claim(on, ReqId(unique)) {
                if early {
                    self.violated("S3: claimed before it was sent");
                }
                self.effects(claimed.effects.unwrap_or_default());
                self.writers[i] = Writer::Copy {
                    req: claimed.payload,
                };
                self.start_copy(claimed.payload, (true, i));
            }
        }
    }

    /// A writer's copy comes short: it lists the request again while the page is faulted in.
    fn writer_faults(&mut self, config: &Config, i: usize) {
        self.left.faults -= 1;
        if let Writer::Copy { req } = self.writers[i] {
            let relisted = match self.devices[config.writers[i]] {
                Some(device) => self.engine.relist(device, req),
                None => Err(req),
            };
            if relisted.is_err()
                && self.engine.is_connected()
                && self.devices[config.writers[i]].is_some()
            {
                self.violated("S8: a reply was not put back");
            }
            if config.mistake == Some(Mistake::NoRelist) {
                let _ = relisted.map(|ticket| self.engine.remove(ticket));
            }
            self.writers[i] = match relisted {
                Ok(ticket) => Writer::Park { req, ticket },
                Err(_) => {
                    req.word().end();
                    Writer::Finish {
                        req,
                        outcome: Outcome::Aborted,
                    }
                }
            };
        }
    }

    /// A writer's memory is not there.
    fn writer_fails(&mut self, i: usize) {
        self.left.failures -= 1;
        let (req, ticket) = match self.writers[i] {
            Writer::Copy { req } => (req, None),
            Writer::CopyRest { req, ticket } => (req, Some(ticket)),
            _ => return,
        };
        req.word().end();
        let outcome = Outcome::CopyFailed;
        self.writers[i] = match ticket {
            Some(ticket) => Writer::Remove {
                req,
                ticket,
                outcome,
            },
            None => Writer::Finish { req, outcome },
        };
    }

    /// A device is closed, and all that was read from it ends.
    fn release(&mut self, device: usize) {
        self.left.releases.retain(|&other| other != device);
        if let Some(device) = self.devices[device].take() {
            let Released { last, effects } = self.engine.release(device);
            self.effects(effects);
            let which = Drain::Device(device);
            self.drainers.push(Drainer {
                which,
                more: true,
                taken: vec![],
                finish: None,
                outcome: Outcome::Aborted,
                last,
            });
        }
    }

    /// One take of the lock of a resend under way.
    fn resend_more(&mut self) {
        if let Some(mut resend) = self.resend.take() {
            let Resent {
                effects,
                more,
                spent,
            } = self.engine.resend(&mut resend);
            self.effects(effects);
            self.end_spent(spent);
            self.resend = more.then_some(resend);
        }
    }

    pub(super) fn caller(&mut self, config: &Config, i: usize) {
        let req = Req(i as u16);
        match self.callers[i] {
            Caller::Start | Caller::Grown | Caller::Woken => {
                // Counted while at the gate as well; once is enough here.
                let live = self.live() + u32::from(self.callers[i] != Caller::Grown);
                let engine = &mut self.engine;
                let submitted = match config.kinds[i] {
                    Kind::Foreground => engine.submit(req, Admit::Gated, live),
                    Kind::Background => engine.submit_background(req, Admit::Gated, live),
                    Kind::ForcedBackground => engine.submit_background(req, Admit::Forced, live),
                    Kind::NotifyReply => engine.submit_notify_reply(req, ReqId(1000), live),
                };
                self.callers[i] = match submitted {
                    Ok(submitted) => {
                        self.waiting += 1;
                        self.effects(submitted.effects);
                        if config.kinds[i] == Kind::Foreground {
                            Caller::Wait(submitted.ticket)
                        } else {
                            Caller::Gone
                        }
                    }
                    Err(refused) => match refused.why {
                        Refusal::Blocked => {
                            self.gate_wait.push(i);
                            Caller::Gate
                        }
                        Refusal::Disconnected => Caller::Returned(Outcome::NotConnected),
                        Refusal::NoSlot => Caller::Grow,
                    },
                };
            }
            Caller::Grow => {
                // Somebody else may have done so meanwhile.
                if self.engine.lacks_room(self.live()) {
                    let _ = self.engine.grow(Slots::new());
                }
                self.trim = true;
                self.callers[i] = Caller::Grown;
            }
            Caller::QueueInterrupt(ticket) => {
                let effects = self.engine.interrupt(ticket);
                self.effects(effects);
                self.callers[i] = Caller::Killable(ticket);
            }
            Caller::Wait(_) | Caller::Killable(_) => self.take_result(i),
            Caller::Leave => {
                if req.word().leave() {
                    self.callers[i] = match self.memory[i] {
                        Memory::None => Caller::Returned(Outcome::Interrupted),
                        _ => Caller::GiveBack,
                    };
                } else {
                    self.take_result(i);
                }
            }
            Caller::GiveBack | Caller::GiveBackLent | Caller::EndLeft => self.give_back(config, i),
            _ => (),
        }
    }

    /// How many requests there must be slots for: also for those that have not been submitted, as
    /// there were none.
    fn live(&self) -> u32 {
        let grows = |caller: &&Caller| matches!(caller, Caller::Grow | Caller::Grown);
        let more = self.callers.iter().filter(grows).count();
        u32::try_from(self.waiting).unwrap_or(0) + more as u32
    }

    pub(super) fn take_result(&mut self, i: usize) {
        self.take_back(i);
        match self.ended[i] {
            Some(outcome) => self.callers[i] = Caller::Returned(outcome),
            None => self.violated("done without an end"),
        }
    }

    pub(super) fn kill(&mut self, config: &Config, i: usize) {
        self.killed[i] = true;
        match self.callers[i] {
            Caller::Woken => {
                // What waits exclusively goes on as if not killed if the gate is open.
                let background = config.kinds[i] == Kind::Background;
                let mistake = config.mistake == Some(Mistake::CallerKeepsWakeup);
                if mistake || self.engine.is_gated(background) {
                    self.callers[i] = Caller::Returned(Outcome::Interrupted);
                }
            }
            Caller::Gate => {
                self.gate_wait.retain(|&caller| caller != i);
                self.callers[i] = Caller::Returned(Outcome::Interrupted);
            }
            Caller::Wait(_) | Caller::Killable(_) if config.forced => {
                self.callers[i] = Caller::Leave;
            }
            Caller::Killable(ticket) => match self.engine.cancel(ticket) {
                Some((req, effects)) => {
                    if usize::from(req.0) != i {
                        self.violated("cancelled another's request");
                    }
                    self.effects(effects);
                    self.end(req, Outcome::Interrupted);
                    self.take_back(i);
                    self.callers[i] = Caller::Returned(Outcome::Interrupted);
                }
                None => self.callers[i] = Caller::Leave,
            },
            _ => (),
        }
    }
}
