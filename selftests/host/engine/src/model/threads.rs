// SPDX-License-Identifier: GPL-2.0

//! Threads of the daemon inside `read` and `write`, and those that end many requests at once.

use super::*;

impl State {
    pub(super) fn reader(&mut self, config: &Config, i: usize) {
        match self.readers[i] {
            Reader::Idle => self.take(config, i),
            Reader::Away => self.readers[i] = Reader::Idle,
            Reader::Lend {
                req,
                unique,
                ticket,
                reply,
            } => match req.word().lend() {
                Ok(()) => {
                    self.start_copy(req, (false, i));
                    self.readers[i] = Reader::Copy {
                        req,
                        unique,
                        ticket,
                        reply,
                    };
                }
                Err(_) => self.readers[i] = Reader::Idle,
            },
            Reader::Copy {
                req,
                ticket,
                reply: false,
                ..
            } => {
                let outcome = if req.word().end() {
                    Outcome::Aborted
                } else {
                    Outcome::Sent
                };
                self.readers[i] = Reader::Remove {
                    req,
                    ticket,
                    outcome,
                };
            }
            Reader::Copy {
                req,
                unique,
                ticket,
                reply: true,
            } => self.copied(config, i, req, unique, ticket),
            Reader::Parked { .. } => self.unpark(config, i),
            Reader::QueueInterrupt(ticket, own) => {
                let effects = self.engine.interrupt(ticket);
                self.effects(effects);
                self.readers[i] = own.map_or(Reader::Idle, Reader::GiveBack);
            }
            Reader::GiveBack(req) => {
                self.readers[i] = if self.take_own(config, req) {
                    Reader::GiveBackLent(req)
                } else {
                    Reader::Idle
                };
            }
            Reader::GiveBackLent(req) => self.readers[i] = returned(req),
            Reader::Remove {
                req,
                ticket,
                outcome,
            } => {
                self.remove(req, ticket);
                self.readers[i] = Reader::Finish { req, outcome };
            }
            Reader::Finish { req, outcome } => {
                self.readers[i] = Reader::Idle;
                self.finish(req, outcome);
            }
            Reader::Asleep | Reader::Exited => (),
        }
    }

    /// A reader has copied a request out that is to be answered.
    fn copied(&mut self, config: &Config, i: usize, req: Req, unique: u64, ticket: Ticket) {
        self.readers[i] = Reader::Idle;
        match req.word().return_sent() {
            Returned::Here { interrupt, orphan } => {
                self.inbox.push((config.readers[i], unique, req));
                self.inbox.sort_unstable();
                self.sent[usize::from(req.0)] += 1;
                let orphan = orphan
                    && self.memory[usize::from(req.0)] != Memory::None
                    && config.mistake != Some(Mistake::ReaderKeepsOwn);
                if interrupt {
                    self.readers[i] = Reader::QueueInterrupt(ticket, orphan.then_some(req));
                } else if orphan {
                    self.readers[i] = Reader::GiveBack(req);
                }
            }
            Returned::MustEnd => {
                self.readers[i] = Reader::Finish {
                    req,
                    outcome: Outcome::Aborted,
                };
            }
        }
    }

    /// The page of a parked reader is there: it copies on, if it still may.
    fn unpark(&mut self, config: &Config, i: usize) {
        let Reader::Parked {
            req,
            unique,
            ticket,
            reply,
        } = self.readers[i]
        else {
            return;
        };
        let resumed = req.word().resume();
        let sends = self.memory[usize::from(req.0)] == Memory::In;
        if resumed.is_ok() && req.word().is_orphan() && sends {
            req.word().end();
            self.readers[i] = Reader::Remove {
                req,
                ticket,
                outcome: Outcome::Left,
            };
        } else if resumed.is_ok() || config.mistake == Some(Mistake::NoRelock) {
            self.start_copy(req, (false, i));
            self.readers[i] = Reader::Copy {
                req,
                unique,
                ticket,
                reply,
            };
        } else {
            self.readers[i] = Reader::Idle;
        }
    }

    pub(super) fn remove(&mut self, req: Req, ticket: Ticket) {
        if let Some((removed, effects)) = self.engine.remove(ticket) {
            if removed != req {
                self.violated("removed another request");
            }
            self.effects(effects);
        }
    }

    pub(super) fn take(&mut self, config: &Config, i: usize) {
        let Some(device) = self.devices[config.readers[i]] else {
            self.readers[i] = Reader::Exited;
            return;
        };
        let mut forgets = Forgets::default();
        let taken = match self.engine.take_usual(device) {
            Some(request) => Taken::Request(request),
            None => self.engine.take(device, config.room, &mut forgets),
        };
        match taken {
            Taken::Empty => {
                if self.engine.is_readable() {
                    self.violated("nothing taken of what is readable");
                }
                self.read_wait.push(i);
                self.readers[i] = Reader::Asleep;
            }
            Taken::Closed { .. } => self.readers[i] = Reader::Exited,
            Taken::Interrupt(unique) => self.check_interrupt(unique),
            Taken::Forgets { count, effects, .. } => {
                if count as usize != forgets.0.len() {
                    self.violated("count of forgets");
                }
                self.forgets_read += count as u8;
                self.readers[i] = Reader::Away;
                self.effects(effects);
            }
            Taken::Request(request) => {
                if self.ended[usize::from(request.payload.0)].is_some() {
                    self.violated("S1: taken after the end");
                }
                self.readers[i] = Reader::Lend {
                    req: request.payload,
                    unique: request.unique.0,
                    ticket: request.ticket,
                    reply: request.reply,
                };
            }
        }
    }

    /// An INTERRUPT that is read must name a request that the daemon has.
    fn check_interrupt(&mut self, unique: ReqId) {
        // With some device, and sent: the word says so, and the engine that it is this one.
        let leaving = self
            .drainers
            .iter()
            .filter_map(|drainer| match drainer.which {
                Drain::Device(device) => Some(device),
                Drain::All => None,
            });
        let devices: Vec<DeviceId> = self
            .devices
            .iter()
            .flatten()
            .copied()
            .chain(leaving)
            .collect();
        let found = devices
            .iter()
            .flat_map(|&device| self.engine.requests_of(device))
            .find(|(_, other)| *other == unique.0);
        match found {
            Some((req, _)) if req.word().is_sent() => {
                let index = usize::from(req.0);
                self.interrupts[index] += 1;
                if self.interrupts[index] > self.sent[index] {
                    self.violated("S5: interrupted more than once");
                }
                if !req.word().is_interrupted() {
                    self.violated("S5: not interrupted by a signal");
                }
            }
            _ => self.violated("S5: INTERRUPT of a request that is not with the daemon"),
        }
    }

    pub(super) fn claim(&mut self, i: usize, device: DeviceId, unique: u64, expected: Req) -> bool {
        let Some(claimed) = self.engine.claim(device, ReqId(unique)) else {
            return false;
        };
        if claimed.payload != expected {
            self.violated("claimed another request");
        }
        self.effects(claimed.effects.unwrap_or_default());
        self.writers[i] = Writer::Copy {
            req: claimed.payload,
        };
        self.start_copy(claimed.payload, (true, i));
        true
    }

    pub(super) fn writer(&mut self, i: usize) {
        match self.writers[i] {
            Writer::Idle => (),
            Writer::Copy { req } => {
                self.writers[i] = Writer::Idle;
                self.finish(req, Outcome::Reply);
            }
            Writer::Park { req, ticket } => {
                self.writers[i] = match req.word().park() {
                    Returned::Here { .. } => Writer::Parked { req, ticket },
                    Returned::MustEnd => Writer::Remove {
                        req,
                        ticket,
                        outcome: Outcome::Aborted,
                    },
                };
            }
            Writer::Parked { req, ticket } => match req.word().resume() {
                Ok(()) => {
                    self.start_copy(req, (true, i));
                    if req.word().is_orphan() {
                        self.give_up(req);
                    }
                    self.writers[i] = Writer::CopyRest { req, ticket };
                }
                Err(_) => self.writers[i] = Writer::Idle,
            },
            Writer::CopyRest { req, ticket } => {
                let aborted = req.word().end();
                let outcome = if aborted {
                    Outcome::Aborted
                } else {
                    Outcome::Reply
                };
                self.writers[i] = Writer::Remove {
                    req,
                    ticket,
                    outcome,
                };
            }
            Writer::Remove {
                req,
                ticket,
                outcome,
            } => {
                self.remove(req, ticket);
                self.writers[i] = Writer::Finish { req, outcome };
            }
            Writer::Finish { req, outcome } => {
                self.writers[i] = Writer::Idle;
                self.finish(req, outcome);
            }
        }
    }

    pub(super) fn abort(&mut self) {
        if let Some(aborted) = self.engine.abort(false) {
            self.forgets_read += aborted.forgets.0.len() as u8;
            self.effects(aborted.effects);
            let which = Drain::All;
            self.drainers.push(Drainer {
                which,
                more: true,
                taken: vec![],
                finish: None,
                outcome: Outcome::Aborted,
                last: false,
            });
        }
    }

    pub(super) fn drain(&mut self, i: usize) {
        let mut drainer = self.drainers[i].clone();
        if let Some(req) = drainer.finish.take() {
            self.finish(req, drainer.outcome);
        } else if !drainer.taken.is_empty() {
            let req = drainer.taken.remove(0);
            match req.word().abort_take() {
                AbortTake::Taken => drainer.finish = Some(req),
                AbortTake::Marked | AbortTake::Gone => (),
            }
        } else if drainer.more {
            let Batch {
                requests,
                effects,
                more,
            } = self.engine.drain(drainer.which);
            drainer.taken.extend(requests.into_iter().flatten());
            drainer.more = more;
            self.effects(effects);
        }
        if drainer.finish.is_none() && drainer.taken.is_empty() && !drainer.more {
            self.drainers.remove(i);
            if drainer.last {
                self.abort();
            }
        } else {
            self.drainers[i] = drainer;
        }
    }
}

/// What a reader does that has given back the arguments of a request, which the daemon has now.
fn returned(req: Req) -> Reader {
    match req.word().return_sent() {
        Returned::Here { .. } => Reader::Idle,
        Returned::MustEnd => Reader::Finish {
            req,
            outcome: Outcome::Aborted,
        },
    }
}
