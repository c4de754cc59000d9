// SPDX-License-Identifier: GPL-2.0

//! A thread of the daemon: in `read` and `write` of a device, with pages to be faulted in, bad
//! memory, and replies that come in any order.
//!
//! Mirrors `transport/dev/reader.rs` and `transport/dev/writer.rs`.

use super::chan::{Chan, End, Forgets, Req};
use super::engine::lend_state::Returned;
use super::engine::{self, Claimed, DeviceId, InterruptReply, Refusal, ReqId, Taken, Ticket};
use super::sched::{Signals, Task};
use super::sync::{chance, pause, Arc};
use std::sync::atomic::Ordering::Relaxed;

/// What `read` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Request(ReqId),
    Interrupt(ReqId),
    Forgets,
    /// A message that wants no reply.
    Message,
    /// EAGAIN, if it was not to wait.
    Nothing,
    /// EIO or EFAULT.
    Failed,
    Killed,
    Closed,
}

impl Chan {
    /// `all`: the devices that there are, for the checks.
    pub(crate) fn read(
        &self,
        task: &Arc<Task>,
        device: DeviceId,
        all: &[DeviceId],
        nonblocking: bool,
    ) -> Read {
        loop {
            let mut forgets = Forgets::default();
            let taken = match self.step(|engine| engine.take_usual(device)) {
                Some(request) => Taken::Request(request),
                None => self.step(|engine| {
                    let taken = engine.take(device, 4, &mut forgets);
                    if let Taken::Interrupt(unique) = &taken {
                        self.interrupt_read(engine, all, *unique);
                    }
                    taken
                }),
            };
            match taken {
                Taken::Empty if nonblocking => return Read::Nothing,
                Taken::Empty => {
                    let readable = || self.is_readable();
                    let readers = &self.readers;
                    if readers.wait(task, Signals::All, true, readable).is_err() {
                        return Read::Killed;
                    }
                }
                Taken::Closed { .. } => return Read::Closed,
                Taken::Interrupt(unique) => return Read::Interrupt(unique),
                Taken::Forgets { count, more, .. } => {
                    self.more_forgets(count, more, &mut forgets);
                    return Read::Forgets;
                }
                Taken::Request(request) => {
                    if let Some(read) = self.send(&request) {
                        return read;
                    }
                }
            }
        }
    }

    fn more_forgets(&self, mut count: u32, mut more: bool, forgets: &mut Forgets) {
        while more {
            let max = 4_u32.saturating_sub(count);
            let further = self.step(|engine| engine.take_forgets(max, forgets));
            count += further.count;
            more = further.more;
        }
        assert_eq!(count as usize, forgets.0.len(), "S4: count of forgets");
        self.totals.forgets.fetch_add(count, Relaxed);
    }

    /// Copies a request out; `None` if there is nothing to return for it.
    fn send(&self, request: &engine::TakenRequest<Req>) -> Option<Read> {
        let req = &request.payload;
        req.word.lend().ok()?;
        req.copy_out();
        while chance(4) {
            if req.word.park() == Returned::MustEnd {
                req.end(End::Aborted);
                return Some(Read::Closed);
            }
            pause();
            if req.word.resume().is_err() {
                return Some(Read::Closed);
            }
            if req.word.is_orphan() {
                req.word.end();
                self.remove(request.ticket);
                req.end(End::Left);
                return Some(Read::Failed);
            }
            req.copy_out();
            if chance(8) {
                let aborted = req.word.end();
                self.remove(request.ticket);
                req.end(if aborted {
                    End::Aborted
                } else {
                    End::CopyFailed
                });
                return Some(if aborted { Read::Closed } else { Read::Failed });
            }
        }
        if !request.reply {
            let aborted = req.word.end();
            self.remove(request.ticket);
            req.end(if aborted { End::Aborted } else { End::Reply });
            return Some(Read::Message);
        }
        req.count_sent();
        match req.word.return_sent() {
            Returned::Here { interrupt, orphan } => {
                if interrupt {
                    self.queue_interrupt(request.ticket);
                }
                if orphan {
                    self.return_own(req);
                }
                Some(Read::Request(request.unique))
            }
            Returned::MustEnd => {
                req.end(End::Aborted);
                Some(Read::Closed)
            }
        }
    }

    /// Replies. False: no such request (any more).
    pub(crate) fn reply(&self, device: DeviceId, unique: ReqId) -> bool {
        let claimed = self.step(|engine| engine.claim(device, unique));
        let Some(Claimed { payload: req, .. }) = claimed else {
            return false;
        };
        req.args.write(7);
        let mut listed: Option<Ticket> = None;
        let mut end = End::Reply;
        while chance(4) {
            if listed.is_none() {
                match self.step(|engine| engine.relist(device, req.clone())) {
                    Ok(ticket) => listed = Some(ticket),
                    Err(_) => {
                        assert!(!self.lock().is_connected(), "S8: put back in vain");
                        req.word.end();
                        req.end(End::Aborted);
                        return false;
                    }
                }
            }
            if req.word.park() == Returned::MustEnd {
                req.end(End::Aborted);
                return false;
            }
            pause();
            if req.word.resume().is_err() {
                return false;
            }
            req.args.write(8);
            if chance(8) {
                end = End::CopyFailed;
                break;
            }
        }
        if listed.is_none() && end == End::Reply && req.end_at_once() {
            return true;
        }
        let aborted = req.word.end();
        if let Some(ticket) = listed {
            self.remove(ticket);
        }
        req.end(if aborted { End::Aborted } else { end });
        true
    }

    /// Answers an INTERRUPT with EAGAIN.
    pub(crate) fn again(&self, device: DeviceId, unique: ReqId) {
        let found = self.step(|engine| {
            let found = engine.interrupt_reply(device, unique, true);
            if let InterruptReply::Again(effects) = &found {
                if *effects != engine::Effects::default() {
                    let requests = engine.requests_of(device);
                    let req = requests.into_iter().find(|(_, other)| *other == unique.0);
                    // It may be told once more.
                    req.expect("found").0.count_sent();
                }
            }
            found
        });
        match found {
            InterruptReply::NotInterrupted => panic!("S5: INTERRUPT without a signal"),
            InterruptReply::NotFound | InterruptReply::Found | InterruptReply::Again(_) => {}
        }
    }
}
