// SPDX-License-Identifier: GPL-2.0

//! The replay of one channel's steps, in the order of their numbers.

use super::engine::{Admit, DeviceId, Drain, ReqId, Resend, Taken, Ticket};
use super::event::{Event, MAX_BACKGROUND};
use super::kit::{self, Memory, NoForgets, Req, TestEngine};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

const INIT: u32 = 26;
const NOTIFY_REPLY: u32 = 41;

/// What was replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub steps: usize,
    pub requests: usize,
    /// How often each kind of step was taken.
    pub kinds: BTreeMap<String, usize>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps of {} requests:", self.steps, self.requests)?;
        self.kinds
            .iter()
            .try_for_each(|(kind, count)| write!(f, " {kind} {count},"))?;
        write!(f, " none rejected")
    }
}

struct Request {
    opcode: u32,
    /// Without the bit of a resent one; 0 until it has one.
    unique: u64,
    /// What it goes out under.
    wire: u64,
    ticket: Ticket,
    /// Its reply was found.
    claimed: bool,
    /// It was taken back by its caller.
    cancelled: bool,
}

struct Replay<'a> {
    events: Vec<&'a Event>,
    engine: TestEngine,
    requests: Vec<Request>,
    devices: HashMap<u64, DeviceId>,
    /// What drains, after an abort or the release of a device.
    drains: Vec<Drain>,
    /// What entered pending in the step before, and is told next.
    told_next: Vec<(usize, u64)>,
    reqctr: u64,
    /// From INIT's reply on.
    max_background: Option<u32>,
    summary: Summary,
}

/// Replays all steps in the events; there must be those of one channel, from its beginning on.
///
/// # Errors
///
/// The first event that the engine cannot follow.
pub fn replay(events: &[Event]) -> Result<Summary, String> {
    let mut steps: Vec<&Event> = events.iter().filter(|event| event.seq.is_some()).collect();
    if steps.is_empty() {
        return Err("no steps".into());
    }
    steps.sort_by_key(|event| event.seq);
    for (number, event) in steps.iter().enumerate() {
        if event.seq != Some(number as u64) {
            return Err(format!("line {}: step {number} is missing", event.line));
        }
    }
    check_copied(&steps)?;
    // No step of the engine: it may stand between any two. Only that of INIT says when its limit is
    // set.
    let all = steps.clone();
    steps.retain(|event| event.name != "reply_copied" || event.opcode == INIT);
    let mut replay = Replay::new(steps, &all);
    let limit = events.iter().find(|event| event.name == MAX_BACKGROUND);
    replay.max_background = limit.and_then(|event| event.unique.try_into().ok());
    let mut at = 0;
    while at < replay.events.len() {
        let event = replay.events[at];
        at += replay
            .step(at)
            .map_err(|why| format!("line {}: {}: {why}", event.line, event.name))?;
    }
    replay.check_ends(events)?;
    replay.finish()
}

/// A reply is copied after its request was found.
fn check_copied(steps: &[&Event]) -> Result<(), String> {
    let mut found = HashSet::new();
    for event in steps {
        let of = (event.unique, event.opcode);
        match event.name.as_str() {
            "reply_found" => {
                found.insert(of);
            }
            "reply_copied" if !found.contains(&of) => {
                return Err(format!(
                    "line {}: reply_copied: not found before",
                    event.line
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn ensure(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.into())
    }
}

impl<'a> Replay<'a> {
    fn new(events: Vec<&'a Event>, all: &[&Event]) -> Self {
        let mut engine = TestEngine::new(Memory::new());
        let _ = engine.set_initialized();
        kit::queued();
        let mut summary = Summary {
            steps: all.len(),
            ..Summary::default()
        };
        for event in all {
            *summary.kinds.entry(event.name.clone()).or_default() += 1;
        }
        Replay {
            events,
            engine,
            requests: vec![],
            devices: HashMap::new(),
            drains: vec![],
            told_next: vec![],
            reqctr: 0,
            max_background: None,
            summary,
        }
    }

    /// Sees to it that there is a slot more than are in use.
    fn make_room(&mut self) -> Result<(), String> {
        while self.engine.lacks_room(self.engine.slots_used() + 1) {
            let grown = self.engine.grow(Memory::new());
            let full = grown.is_err() && !self.engine.may_grow();
            ensure(!full, "too many requests")?;
        }
        Ok(())
    }

    /// FORGETs take numbers without a step: up to the next one that the trace tells of.
    fn align(&mut self, at: usize) {
        let next = self.events[at..]
            .iter()
            .find(|event| event.name == "request_queued" && event.opcode != NOTIFY_REPLY);
        if let Some(next) = next {
            while self.reqctr + ReqId::STEP < next.unique {
                self.reqctr = self.engine.next_unique().0;
            }
        }
    }

    fn request(&self, event: &Event) -> Result<usize, String> {
        let found = self
            .requests
            .iter()
            .rposition(|request| request.unique == event.unique && event.unique != 0);
        let found = found.ok_or("no such request")?;
        let same = self.requests[found].opcode == event.opcode || event.opcode == 0;
        ensure(same, "another opcode")?;
        Ok(found)
    }

    fn device(&self, event: &Event) -> Result<DeviceId, String> {
        let device = self.devices.get(&event.device);
        device.copied().ok_or_else(|| "no such device".into())
    }

    /// Takes the step of the event at `at`; returns how many events it has used up.
    fn step(&mut self, at: usize) -> Result<usize, String> {
        let event = self.events[at];
        if event.name == "request_queued" {
            if self.told_next.is_empty() {
                return self.queued(at);
            }
            let (id, unique) = self.told_next.remove(0);
            self.number(id, unique);
            let same = unique == event.unique && self.requests[id].opcode == event.opcode;
            return ensure(same, "another request was let through").map(|()| 1);
        }
        ensure(
            self.told_next.is_empty(),
            "a request was let through before",
        )?;
        let (used, let_through) = self.cause(at)?;
        // Held requests are told of after they were held, all others before the step's own event.
        if event.name == "request_held" {
            self.told_next = let_through;
        } else {
            ensure(let_through.is_empty(), "a request was let through")?;
        }
        Ok(used)
    }

    fn number(&mut self, id: usize, unique: u64) {
        self.reqctr = self.reqctr.max(unique);
        self.requests[id].unique = unique;
        self.requests[id].wire = unique;
    }

    /// Requests entered pending: some by themselves, the last ones perhaps because the step that is
    /// told next let them through.
    fn queued(&mut self, at: usize) -> Result<usize, String> {
        let queued = |event: &&&Event| event.name == "request_queued";
        let run = self.events[at..].iter().take_while(queued).count();
        let cause = at + run;
        let through = match self.events.get(cause) {
            // Tells of what it lets through after itself.
            Some(event) if event.name == "request_held" => 0,
            Some(_) => {
                let before = self.engine.clone();
                let tickets: Vec<Ticket> = self.requests.iter().map(|r| r.ticket).collect();
                let drains = self.drains.clone();
                let (devices, reqctr) = (self.devices.clone(), self.reqctr);
                let through = self.cause(cause).map_or(0, |(_, through)| through.len());
                self.engine = before;
                self.requests.truncate(tickets.len());
                for (request, ticket) in self.requests.iter_mut().zip(tickets) {
                    request.ticket = ticket;
                }
                self.drains = drains;
                self.devices = devices;
                self.reqctr = reqctr;
                kit::queued();
                through.min(run)
            }
            None => 0,
        };
        for at in at..cause - through {
            self.submit(at)?;
        }
        if through == 0 {
            return Ok(run);
        }
        self.align(cause - through);
        let (used, let_through) = self.cause(cause)?;
        for ((id, unique), event) in let_through.iter().zip(&self.events[cause - through..cause]) {
            let same = *unique == event.unique && self.requests[*id].opcode == event.opcode;
            ensure(same, "another request was let through")?;
        }
        ensure(let_through.len() == through, "more were let through")?;
        for (id, unique) in let_through {
            self.number(id, unique);
        }
        Ok(run + used)
    }

    /// Somebody waits for the answer.
    fn submit(&mut self, at: usize) -> Result<(), String> {
        let event = self.events[at];
        self.align(at);
        let id = self.requests.len();
        self.make_room()?;
        let submitted = if event.opcode == NOTIFY_REPLY {
            self.engine
                .submit_notify_reply(Req(id), ReqId(event.unique), 0)
        } else {
            self.engine.submit(Req(id), Admit::Forced, 0)
        };
        let submitted = submitted.map_err(|refused| format!("refused: {:?}", refused.why))?;
        let queued = kit::queued();
        self.add(event.opcode, submitted.ticket);
        ensure(queued == [(id, event.unique)], "another number")?;
        self.number(id, event.unique);
        Ok(())
    }

    fn add(&mut self, opcode: u32, ticket: Ticket) {
        self.requests.push(Request {
            opcode,
            unique: 0,
            wire: 0,
            ticket,
            claimed: false,
            cancelled: false,
        });
    }

    /// The engine takes a step. Returns how many events tell of it, and what it let through to
    /// pending.
    fn cause(&mut self, at: usize) -> Result<(usize, Vec<(usize, u64)>), String> {
        let event = self.events[at];
        let mut used = 1;
        match event.name.as_str() {
            "device_added" => {
                self.make_room()?;
                let device = self.engine.add_device(0).map_err(|_| "no slot")?;
                let other = self.devices.insert(event.device, device);
                ensure(other.is_none(), "two of one number")?;
            }
            "device_released" => {
                let device = self.device(event)?;
                let _ = self.engine.release(device);
                self.devices.remove(&event.device);
                self.drains.push(Drain::Device(device));
            }
            "chan_aborted" => {
                let aborted = self.engine.abort(false);
                ensure(aborted.is_some(), "twice")?;
                self.drains.push(Drain::All);
            }
            "request_held" => self.held(at)?,
            "request_taken" | "interrupt_taken" => self.taken(event)?,
            "request_cancelled" => {
                let id = self.request(event)?;
                let cancelled = self.engine.cancel(self.requests[id].ticket);
                let req = cancelled.map(|(req, _)| req);
                ensure(req == Some(Req(id)), "not pending")?;
                self.requests[id].cancelled = true;
            }
            "request_recalled" => used = self.recalled(at)?,
            "request_removed" => {
                let id = self.request(event)?;
                let removed = self.engine.remove(self.requests[id].ticket);
                let same = removed.is_some_and(|(req, _)| req == Req(id));
                ensure(same, "not with a device")?;
            }
            "request_dropped" => used = self.dropped(at)?,
            "interrupt_queued" => {
                let id = self.request(event)?;
                let effects = self.engine.interrupt(self.requests[id].ticket);
                ensure(
                    effects.readers == 1,
                    "not with the daemon, or queued already",
                )?;
            }
            "reply_found" => {
                let id = self.request(event)?;
                let device = self.device(event)?;
                let wire = ReqId(self.requests[id].wire);
                let claimed = self.engine.claim(device, wire);
                let same = claimed.is_some_and(|claimed| claimed.payload == Req(id));
                ensure(same, "not with this device")?;
                self.requests[id].claimed = true;
            }
            "reply_parked" => {
                let id = self.request(event)?;
                ensure(self.requests[id].claimed, "not found before")?;
                self.make_room()?;
                let listed = self.engine.relist(self.device(event)?, Req(id));
                self.requests[id].ticket = listed.map_err(|_| "refused")?;
            }
            "reply_copied" => {
                let limit = self.max_background;
                if let Some(limit) = limit {
                    let _ = self.engine.set_max_background(limit);
                }
            }
            _ => return Err("unknown".into()),
        }
        Ok((used, kit::queued()))
    }

    /// A background request.
    fn held(&mut self, at: usize) -> Result<(), String> {
        self.align(at);
        let id = self.requests.len();
        self.make_room()?;
        let submitted = self.engine.submit_background(Req(id), Admit::Forced, 0);
        let submitted = submitted.map_err(|refused| format!("refused: {:?}", refused.why))?;
        self.add(self.events[at].opcode, submitted.ticket);
        Ok(())
    }

    fn taken(&mut self, event: &Event) -> Result<(), String> {
        let device = self.device(event)?;
        let taken = self.engine.take(device, 1, &mut NoForgets);
        let interrupt = event.name == "interrupt_taken";
        match taken {
            Taken::Request(request) if !interrupt => {
                let Req(id) = request.payload;
                let same = self.requests[id].unique == event.unique;
                ensure(same, "another request is next")?;
                ensure(self.requests[id].opcode == event.opcode, "another opcode")?;
                self.requests[id].wire = request.unique.0;
                self.requests[id].ticket = request.ticket;
                Ok(())
            }
            Taken::Interrupt(unique) if interrupt => {
                let same = unique.0 & !ReqId::RESEND == event.unique;
                ensure(same, "another INTERRUPT is next")
            }
            other => Err(format!("{other:?} is next")),
        }
    }

    /// All that one resend takes back, and lets go of in between, as it cannot be sent again; it
    /// fits in one step, as a trace of more would say.
    fn recalled(&mut self, at: usize) -> Result<usize, String> {
        let run: Vec<&Event> = self.events[at..]
            .iter()
            .take_while(|event| matches!(&*event.name, "request_recalled" | "request_removed"))
            .copied()
            .collect();
        // What is removed after the last one is somebody else's.
        let last = run
            .iter()
            .rposition(|event| event.name == "request_recalled");
        let run = &run[..=last.unwrap_or(0)];
        let (mut ids, mut removed) = (vec![], vec![]);
        for event in run {
            let id = self.request(event)?;
            if event.name == "request_recalled" {
                ids.push(id);
            } else {
                removed.push(id);
            }
        }
        kit::set_recall(ids.clone(), removed.clone());
        let mut resend = Resend::default();
        loop {
            let resent = self.engine.resend(&mut resend);
            if let Some(Req(spent)) = resent.spent {
                removed.retain(|&id| id != spent);
            }
            if !resent.more {
                break;
            }
        }
        let recalled = kit::recalled();
        kit::set_recall(vec![], vec![]);
        ensure(recalled == ids, "others, or in another order")?;
        // By a reader or writer meanwhile.
        for id in removed {
            let removed = self.engine.remove(self.requests[id].ticket);
            let same = removed.is_some_and(|(req, _)| req == Req(id));
            ensure(same, "not with a device")?;
        }
        Ok(run.len())
    }

    /// One batch of an abort, or of the release of a device.
    fn dropped(&mut self, at: usize) -> Result<usize, String> {
        let first = self.request(self.events[at])?;
        for which in self.drains.clone() {
            let before = self.engine.clone();
            kit::queued();
            let mut more = true;
            while more {
                let batch = self.engine.drain(which);
                more = batch.more;
                let ids: Vec<usize> = batch
                    .requests
                    .into_iter()
                    .flatten()
                    .map(|req| req.0)
                    .collect();
                if ids.is_empty() {
                    continue;
                }
                if ids[0] != first {
                    break;
                }
                for (id, event) in ids.iter().zip(&self.events[at..]) {
                    let same = event.name == "request_dropped" && self.request(event) == Ok(*id);
                    ensure(same, "another one follows")?;
                }
                let told = self.events[at..].len() >= ids.len();
                return ensure(told, "the last ones are missing").map(|()| ids.len());
            }
            self.engine = before;
        }
        Err("nobody lets go of it".into())
    }

    /// S1, of what C's event of the same name tells: each request ends once.
    fn check_ends(&self, events: &[Event]) -> Result<(), String> {
        let mut ends: HashMap<u64, usize> = HashMap::new();
        for event in events.iter().filter(|event| event.name == "request_end") {
            *ends.entry(event.unique).or_default() += 1;
        }
        for request in self.requests.iter().filter(|request| request.unique != 0) {
            let ended = ends.get(&request.unique).copied().unwrap_or(0);
            let expected = usize::from(!request.cancelled);
            if ended != expected {
                return Err(format!(
                    "request {} has ended {ended} times",
                    request.unique
                ));
            }
        }
        Ok(())
    }

    /// S4: nothing is left.
    fn finish(mut self) -> Result<Summary, String> {
        for which in std::mem::take(&mut self.drains) {
            loop {
                let batch = self.engine.drain(which);
                ensure(
                    batch.requests.iter().all(Option::is_none),
                    "in the end: a request was not let go of",
                )?;
                if !batch.more {
                    break;
                }
            }
        }
        let left = self.engine.slots_used() as usize - self.devices.len();
        ensure(left == 0, "in the end: requests are left")?;
        ensure(
            self.engine.num_background() == 0,
            "in the end: num_background",
        )?;
        self.summary.requests = self.requests.len();
        Ok(self.summary)
    }
}
