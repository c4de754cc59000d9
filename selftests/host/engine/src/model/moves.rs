// SPDX-License-Identifier: GPL-2.0

//! Which actions are possible in a state.

use super::Action as A;
use super::*;

impl State {
    pub(super) fn moves(&self, config: &Config, out: &mut Vec<Action>) {
        self.moves_of_callers(config, out);
        self.moves_of_readers(config, out);
        self.moves_of_writers(config, out);
        if self.flush {
            out.push(A::Flush);
        }
        if self.trim {
            out.push(A::Trim);
        }
        if self.left.aborts > 0 {
            out.push(A::Abort);
        }
        for &device in &self.left.releases {
            out.push(A::Release(device));
        }
        out.extend((0..self.drainers.len()).map(A::Drain));
        if self.resend.is_some() {
            out.push(A::Resend);
        } else if self.left.resends > 0 {
            out.push(A::StartResend);
        }
        if self.left.forgets > 0 {
            out.push(A::Forget);
        }
        if self.left.init {
            out.push(A::Init);
        }
        if self.is_locked() && config.mistake != Some(Mistake::ReturnWithoutLock) {
            out.retain(|&action| !self.takes_lock(action));
        }
    }

    fn moves_of_callers(&self, config: &Config, out: &mut Vec<Action>) {
        let kills = self.killed.iter().filter(|killed| **killed).count() < config.kills;
        for (i, caller) in self.callers.iter().enumerate() {
            let done = Req(i as u16).word().is_done();
            let before = self.callers[..i].iter();
            let before = before.filter(|caller| !matches!(caller, Caller::Returned(_)));
            match caller {
                Caller::Start if config.at_once != 0 && before.count() >= config.at_once => (),
                Caller::Start
                | Caller::Grow
                | Caller::Grown
                | Caller::QueueInterrupt(_)
                | Caller::Leave
                | Caller::GiveBack
                | Caller::GiveBackLent
                | Caller::EndLeft => out.push(A::Caller(i)),
                Caller::Gate if kills => out.push(A::Kill(i)),
                Caller::Woken => {
                    out.push(A::Caller(i));
                    if kills && !self.killed[i] {
                        out.push(A::Kill(i));
                    }
                }
                Caller::Wait(_) if done => out.push(A::Caller(i)),
                Caller::Wait(_) if kills && config.forced => out.push(A::Kill(i)),
                Caller::Wait(_) if config.signals => out.push(A::Signal(i)),
                Caller::Killable(_) if done => out.push(A::Caller(i)),
                Caller::Killable(_) if kills => out.push(A::Kill(i)),
                _ => (),
            }
        }
    }

    fn moves_of_readers(&self, config: &Config, out: &mut Vec<Action>) {
        for (i, reader) in self.readers.iter().enumerate() {
            match reader {
                Reader::Asleep | Reader::Exited => (),
                Reader::Parked { req, .. } if config.stuck && !req.word().is_gone() => (),
                Reader::Copy { .. } => {
                    out.push(A::Reader(i));
                    if self.left.faults > 0 {
                        out.push(A::ReaderFaults(i));
                    }
                    if self.left.failures > 0 {
                        out.push(A::ReaderFails(i));
                    }
                }
                _ => out.push(A::Reader(i)),
            }
            let killable = matches!(reader, Reader::Asleep | Reader::Idle | Reader::Away);
            if self.left.reader_kills > 0 && killable {
                out.push(A::ReaderKilled(i));
            }
        }
    }

    fn moves_of_writers(&self, config: &Config, out: &mut Vec<Action>) {
        for (i, writer) in self.writers.iter().enumerate() {
            let device = config.writers[i];
            match writer {
                Writer::Idle if self.devices[device].is_some() => self.answers(i, device, out),
                Writer::Idle => (),
                Writer::Parked { req, .. } if config.stuck && !req.word().is_gone() => (),
                Writer::Copy { .. } | Writer::CopyRest { .. } => {
                    out.push(A::Writer(i));
                    if self.left.faults > 0 && matches!(writer, Writer::Copy { .. }) {
                        out.push(A::WriterFaults(i));
                    }
                    if self.left.failures > 0 {
                        out.push(A::WriterFails(i));
                    }
                }
                _ => out.push(A::Writer(i)),
            }
        }
    }

    /// What the daemon may say by a writer that has nothing else to do.
    fn answers(&self, i: usize, device: usize, out: &mut Vec<Action>) {
        for (message, (on, ..)) in self.inbox.iter().enumerate() {
            if *on == device {
                out.push(A::Reply(i, message));
                if self.left.again > 0 {
                    out.push(A::Again(i, message));
                }
            }
        }
        if self.left.guesses > 0 {
            for n in 1..=self.callers.len() as u64 {
                out.push(A::Guess(i, n * ReqId::STEP));
            }
        }
    }
}
