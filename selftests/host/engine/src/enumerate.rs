// SPDX-License-Identifier: GPL-2.0

//! The engine against `spec`: all sequences of events up to a length, and long random ones with
//! hundreds of requests, in which slots are reused, segments added and buckets split.

use super::engine::{
    Admit, DeviceId, Drain, Refusal, Refused, ReqId, Resend, Submitted, Taken, Ticket,
};
use super::kit::{engine, with_words, Forgets, Memory, Req, TestEngine};
use super::spec::{Read, Spec};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Submit {
        background: bool,
        force: bool,
    },
    NotifyReply,
    Read(usize),
    /// The reader of this request has copied it.
    Sent(u16),
    /// The daemon replies to this request through this device.
    Reply(usize, u16),
    Interrupt(u16),
    Cancel(u16),
    Remove(u16),
    Forget,
    Resend,
    SetMax(u32),
    Initialize,
    Release(usize),
    Abort,
}

/// Both, side by side, and what the module would know.
#[derive(Clone)]
struct Pair {
    engine: TestEngine,
    spec: Spec,
    words: Vec<u32>,
    devices: Vec<DeviceId>,
    released: Vec<bool>,
    tickets: Vec<Option<Ticket>>,
    /// Of each request: the unique it was last read under.
    uniques: Vec<u64>,
    lent: Vec<bool>,
    sent: Vec<bool>,
    forgets: u16,
    /// Background requests may pass that have not.
    more: bool,
    /// Segments of slots.
    grown: u32,
    trimmed: u32,
}

impl Pair {
    fn new(devices: usize, max: u32, initialized: bool) -> Pair {
        let mut engine = engine();
        let ids = (0..devices)
            .map(|_| engine.add_device(0).expect("slot"))
            .collect();
        let _ = engine.set_max_background(max);
        let mut spec = Spec::new(devices, max);
        if initialized {
            let _ = engine.set_initialized();
            spec.initialize();
        }
        Pair {
            engine,
            spec,
            words: vec![],
            released: vec![false; devices],
            devices: ids,
            tickets: vec![],
            uniques: vec![],
            lent: vec![],
            sent: vec![],
            forgets: 0,
            more: false,
            grown: 0,
            trimmed: 0,
        }
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (
            &self.engine,
            &self.spec,
            &self.words,
            &self.uniques,
            &self.lent,
        )
            .hash(&mut hasher);
        hasher.finish()
    }

    fn apply(&mut self, event: Event) {
        let mut words = std::mem::take(&mut self.words);
        if matches!(event, Event::Submit { .. } | Event::NotifyReply) {
            words.push(0);
        }
        with_words(&mut words, || {
            self.event(event);
            while std::mem::take(&mut self.more) {
                self.more = self.engine.flush_background().more;
            }
            self.trim();
        });
        self.words = words;
        self.engine
            .audit()
            .unwrap_or_else(|wrong| panic!("{event:?}: {wrong}"));
        assert_eq!(self.engine.is_readable(), self.spec.readable(), "{event:?}");
        for background in [false, true] {
            let gated = self.engine.is_gated(background);
            assert_eq!(gated, self.spec.gated(background), "{event:?}");
        }
        let counts = (
            self.engine.num_background(),
            self.engine.active_background(),
        );
        assert_eq!(
            counts,
            (self.spec.num_background, self.spec.active),
            "{event:?}"
        );
    }

    /// Submits, growing as the module does.
    fn submit(
        &mut self,
        submit: impl Fn(&mut TestEngine, Req, u32) -> Result<Submitted, Refused<Req>>,
    ) -> bool {
        let id = u16::try_from(self.tickets.len()).expect("id");
        let ticket = loop {
            // Nobody else is about to submit, and replies are never put back.
            let live = self.requests() + 1;
            match submit(&mut self.engine, Req(id), live) {
                Ok(submitted) => {
                    self.more |= submitted.effects.more;
                    break Some(submitted.ticket);
                }
                Err(refused) => match refused.why {
                    Refusal::NoSlot => {
                        self.grown += u32::from(self.engine.grow(Memory::new()).is_ok());
                    }
                    Refusal::Blocked | Refusal::Disconnected => break None,
                },
            }
        };
        self.tickets.push(ticket);
        self.uniques.push(0);
        self.lent.push(false);
        self.sent.push(false);
        ticket.is_some()
    }

    /// How many requests the engine has.
    fn requests(&self) -> u32 {
        let devices = self.released.iter().filter(|released| !**released).count() as u32;
        self.engine.slots_used() - devices
    }

    /// Gives slots back, as often as the module does, and more.
    fn trim(&mut self) {
        loop {
            let trimmed = self.engine.trim(self.requests());
            self.trimmed += u32::from(trimmed.segment.is_some());
            if !trimmed.more {
                return;
            }
            self.engine.audit().expect("while slots go back");
        }
    }

    fn drain(&mut self, which: Drain) -> Vec<u16> {
        let mut ids = vec![];
        loop {
            let batch = self.engine.drain(which);
            ids.extend(batch.requests.iter().flatten().map(|req| req.0));
            self.more |= batch.effects.more;
            if !batch.more {
                return ids;
            }
        }
    }

    fn event(&mut self, event: Event) {
        if let Event::Read(device) | Event::Reply(device, _) = event {
            // Whose file is closed, so that nobody reads or writes any more.
            if self.released[device] {
                return;
            }
        }
        match event {
            Event::Submit { background, force } => {
                let admit = if force { Admit::Forced } else { Admit::Gated };
                let id = self.tickets.len() as u16;
                let accepted = self.submit(|engine, req, live| match background {
                    true => engine.submit_background(req, admit, live),
                    false => engine.submit(req, admit, live),
                });
                assert_eq!(accepted, self.spec.submit(id, background, force));
            }
            Event::NotifyReply => {
                let id = self.tickets.len() as u16;
                let accepted = self
                    .submit(|engine, req, live| engine.submit_notify_reply(req, ReqId(77), live));
                assert_eq!(accepted, self.spec.notify_reply(id, 77));
            }
            Event::Read(device) => self.read(device),
            Event::Sent(id) => {
                let index = usize::from(id);
                if std::mem::replace(&mut self.lent[index], false) {
                    let _ = Req(id).word().return_sent();
                    self.sent[index] = true;
                }
            }
            Event::Reply(device, id) => self.reply(device, id),
            Event::Interrupt(id) => {
                if let Some(ticket) = self.tickets[usize::from(id)] {
                    let queued = self.engine.interrupt(ticket).readers == 1;
                    assert_eq!(queued, self.spec.interrupt(id, &self.sent));
                }
            }
            Event::Cancel(id) => {
                if let Some(ticket) = self.tickets[usize::from(id)] {
                    let cancelled = self.engine.cancel(ticket);
                    assert!(cancelled.as_ref().is_none_or(|(req, _)| req.0 == id));
                    assert_eq!(cancelled.is_some(), self.spec.cancel(id));
                }
            }
            Event::Remove(id) => {
                if let Some(ticket) = self.tickets[usize::from(id)] {
                    let removed = self.engine.remove(ticket);
                    assert!(removed.as_ref().is_none_or(|(req, _)| req.0 == id));
                    self.more |= removed.as_ref().is_some_and(|(_, effects)| effects.more);
                    assert_eq!(removed.is_some(), self.spec.remove(id));
                }
            }
            Event::Forget => {
                self.forgets += 1;
                let queued = self.engine.forget(self.forgets).is_ok();
                assert_eq!(queued, self.spec.forget(self.forgets));
            }
            Event::Resend => {
                let mut resend = Resend::default();
                while self.engine.resend(&mut resend).more {}
                for id in self.spec.resend(&self.sent) {
                    self.sent[usize::from(id)] = false;
                }
            }
            Event::SetMax(max) => {
                self.more |= self.engine.set_max_background(max).more;
                self.spec.set_max(max);
            }
            Event::Initialize => {
                let _ = self.engine.set_initialized();
                self.spec.initialize();
            }
            Event::Release(device) => self.release(device),
            Event::Abort => self.abort(),
        }
    }

    /// The daemon answers; whether that finds the request must be what the specification says.
    fn reply(&mut self, device: usize, id: u16) {
        let unique = self.uniques[usize::from(id)];
        let claimed = self.engine.claim(self.devices[device], ReqId(unique));
        let effects = claimed.as_ref().and_then(|claimed| claimed.effects);
        self.more |= effects.is_some_and(|effects| effects.more);
        let found = claimed.map(|claimed| claimed.payload.0);
        assert_eq!(found, self.spec.reply(device, unique, &self.sent));
        if let Some(id) = found {
            self.sent[usize::from(id)] = false;
        }
    }

    /// A device is closed: both must end the same requests, and agree on whether it was the last.
    fn release(&mut self, device: usize) {
        self.released[device] = true;
        let released = self.engine.release(self.devices[device]);
        let ids = self.drain(Drain::Device(self.devices[device]));
        let (expected, last) = self.spec.release(device);
        assert_eq!((ids, released.last), (expected, last));
    }

    /// An abort ends the same requests in both, in any order.
    fn abort(&mut self) {
        let _ = self.engine.abort(false);
        let mut ids = self.drain(Drain::All);
        let mut expected = self.spec.abort();
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected);
    }

    fn read(&mut self, device: usize) {
        let max = 5;
        let mut forgets = Forgets::default();
        let taken = self.engine.take(self.devices[device], max, &mut forgets);
        let read = match taken {
            Taken::Empty => Read::Nothing,
            Taken::Closed { .. } => Read::Closed,
            Taken::Interrupt(unique) => Read::Interrupt(unique.0),
            Taken::Forgets {
                unique,
                mut count,
                single,
                mut more,
                ..
            } => {
                while more {
                    let further = self.engine.take_forgets(max - count, &mut forgets);
                    more = further.more;
                    count += further.count;
                }
                assert_eq!(count as usize, forgets.0.len());
                Read::Forgets {
                    unique: unique.0,
                    single,
                    links: forgets.0.into(),
                }
            }
            Taken::Request(request) => {
                let id = request.payload.0;
                assert_eq!(Some(request.ticket), self.tickets[usize::from(id)]);
                assert!(request.payload.word().lend().is_ok());
                self.lent[usize::from(id)] = true;
                self.uniques[usize::from(id)] = request.unique.0;
                Read::Request {
                    id,
                    unique: request.unique.0,
                    reply: request.reply,
                }
            }
        };
        assert_eq!(read, self.spec.read(device, max as usize));
    }
}

/// All events that may make sense with so many requests.
fn events(requests: usize, submitted: usize, devices: usize) -> Vec<Event> {
    let mut events = vec![Event::Forget, Event::Resend, Event::SetMax(2), Event::Abort];
    if submitted < requests {
        for force in [false, true] {
            events.push(Event::Submit {
                background: false,
                force,
            });
            events.push(Event::Submit {
                background: true,
                force,
            });
        }
        events.push(Event::NotifyReply);
    }
    for device in 0..devices {
        events.push(Event::Read(device));
        events.push(Event::Release(device));
    }
    for id in 0..submitted as u16 {
        events.extend([
            Event::Sent(id),
            Event::Interrupt(id),
            Event::Cancel(id),
            Event::Remove(id),
        ]);
        events.extend((0..devices).map(|device| Event::Reply(device, id)));
    }
    events
}

/// Every sequence of events up to a length; what leads to the same state is followed once.
#[test]
fn all_sequences() {
    let (length, requests, devices) = (7, 3, 2);
    let mut level = vec![Pair::new(devices, 1, true)];
    let (mut applied, mut states) = (0u64, 0usize);
    for _ in 0..length {
        let mut seen = HashSet::new();
        let mut next = vec![];
        for pair in &level {
            for event in events(requests, pair.tickets.len(), devices) {
                let mut pair = pair.clone();
                pair.apply(event);
                applied += 1;
                if seen.insert(pair.digest()) {
                    next.push(pair);
                }
            }
        }
        states += next.len();
        // The last level is just looked at.
        level = next;
    }
    println!("sequences of up to {length} events: {applied} events applied, {states} states");
}

/// A small generator, so that runs repeat.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// How many slots were in use at most, and how many segments were added and given back.
fn random_run(seed: u64, steps: usize) -> (u32, u32, u32) {
    let mut random = Random(seed * 2 + 1);
    let devices = 1 + random.below(3);
    let mut pair = Pair::new(devices, 3 + random.below(10) as u32, random.below(4) > 0);
    let mut alive: Vec<u16> = vec![];
    let mut most = 0;
    // Phases of filling and of emptying.
    for step in 0..steps {
        let filling = (step / 400) % 2 == 0;
        let some = |random: &mut Random, alive: &[u16]| match alive.len() {
            0 => None,
            n => Some(alive[random.below(n)]),
        };
        let id = some(&mut random, &alive);
        let device = random.below(devices);
        let event = match (random.below(100), id) {
            (0..=39, _) if filling => Event::Submit {
                background: false,
                force: random.below(9) == 0,
            },
            (0..=9, _) => Event::Submit {
                background: true,
                force: random.below(9) == 0,
            },
            (10..=49, _) => Event::Read(device),
            (50..=64, Some(id)) => Event::Sent(id),
            (65..=84, Some(id)) if !filling => Event::Reply(device, id),
            (65..=70, Some(id)) => Event::Reply(device, id),
            (85..=88, Some(id)) => Event::Interrupt(id),
            (89..=90, Some(id)) => Event::Cancel(id),
            (91, Some(id)) => Event::Remove(id),
            (92..=95, _) => Event::Forget,
            (96, _) if random.below(20) == 0 => Event::Resend,
            (97, _) => Event::SetMax(1 + random.below(20) as u32),
            (98, _) => Event::Initialize,
            (99, _) if random.below(300) == 0 => Event::Release(device),
            _ => Event::NotifyReply,
        };
        if matches!(event, Event::Submit { .. } | Event::NotifyReply) {
            alive.push(pair.tickets.len() as u16);
        }
        pair.apply(event);
        most = most.max(pair.engine.slots_used());
        // Requests that have ended are asked about for a while, then dropped from sight.
        if alive.len() > 700 {
            alive.drain(..50);
        }
    }
    pair.apply(Event::Abort);
    for device in 0..devices {
        pair.apply(Event::Release(device));
    }
    assert_eq!(pair.engine.slots_used(), 0, "seed {seed}");
    pair.trim();
    assert_eq!(pair.engine.segments(), 1, "seed {seed}: segments are left");
    assert_eq!(pair.grown, pair.trimmed, "seed {seed}");
    (most, pair.grown, pair.trimmed)
}

#[test]
fn random_sequences() {
    let runs = (1..=12).map(|seed| random_run(seed, 4000));
    let (mut most, mut grown) = (0, 0);
    for run in runs {
        most = most.max(run.0);
        grown += run.1;
    }
    println!("12 runs of 4000 events; at most {most} slots in use, {grown} segments came and went");
    assert!(most > 200, "few requests at once: the table never grew");
    // Each time that it filled, and not each time that one slot came free.
    assert!((12 * most / 8..12 * 4000 / 8).contains(&grown), "{grown}");
}
