// SPDX-License-Identifier: GPL-2.0

//! Callers, readers, writers, abort, release and resend as processes that share an engine. One step
//! is one hold of the engine's lock, or one operation on a request's word. Who sleeps is woken up
//! at once, and moves some time later; a wake-up that finds nobody asleep is lost.
//!
//! The processes follow the rules that the engine's documentation gives to the module. All loops
//! end or sleep, so every run is finite; a state in which nobody can move is a final one, and
//! what must have happened by then is liveness (L1, L2).

mod left;
mod moves;
mod properties;
mod steps;
mod threads;

use super::engine::lend_state::{AbortTake, Finished, Returned};
use super::engine::{
    Admit, Batch, DeviceId, Drain, Effects, InterruptReply, Payload, Refusal, Released, ReqId,
    Resend, Resent, Taken, Ticket, Trimmed,
};
use super::kit::{engine, with_words, Forgets, Memory as Slots, Req, TestEngine};
use std::hash::{Hash, Hasher};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Foreground,
    Background,
    /// Past the gate: C's `args->force`, as of RELEASE.
    ForcedBackground,
    NotifyReply,
}

/// What a caller has lent of its own with its request: memory that goes to the daemon or comes from
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Memory {
    #[default]
    None,
    In,
    Out,
    /// It has it back.
    Back,
}

/// What there is and how often things may happen.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) kinds: Vec<Kind>,
    /// The device of each reader thread, and of each writer thread.
    pub(crate) readers: Vec<usize>,
    pub(crate) writers: Vec<usize>,
    pub(crate) devices: usize,
    pub(crate) max_background: u32,
    /// Callers get a signal; after that so many of them may be killed.
    pub(crate) signals: bool,
    pub(crate) kills: usize,
    pub(crate) aborts: u8,
    /// Devices that are closed at any time, even while threads are inside.
    pub(crate) releases: Vec<usize>,
    pub(crate) resends: u8,
    /// Copies that fault, and that fail.
    pub(crate) faults: u8,
    pub(crate) failures: u8,
    /// Faults are served just after the request has ended: the tricky deadlock.
    pub(crate) stuck: bool,
    /// Replies under a unique that the daemon has not been given (whole) yet.
    pub(crate) guesses: u8,
    /// INTERRUPTs that the daemon wants again.
    pub(crate) again: u8,
    pub(crate) forgets: u8,
    /// So many FORGETs fit into the buffer of a reader.
    pub(crate) room: u32,
    /// INIT is answered some time after callers have come.
    pub(crate) late_init: bool,
    /// Readers that are killed while they wait.
    pub(crate) reader_kills: u8,
    /// What callers have lent; none if not said. Without any, nothing is to be done when they
    /// leave.
    pub(crate) memory: Vec<Memory>,
    /// So many callers at once, the others in turn; 0: all.
    pub(crate) at_once: usize,
    /// Callers that are killed leave at once, whether the daemon has read their requests or not.
    pub(crate) forced: bool,
    /// Mistakes of the module's, rather than of the engine's, to see that they are noticed.
    pub(crate) mistake: Option<Mistake>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// A killed reader keeps the wake-up that it got.
    ReaderKeepsWakeup,
    /// A killed caller keeps the wake-up that it got at the gate.
    CallerKeepsWakeup,
    /// A reader goes on copying without locking again.
    NoRelock,
    /// A parked writer cannot be found by an abort, as it does not say that it is parked.
    NoRelist,
    /// A caller that leaves takes its memory out without the engine's lock.
    ReturnWithoutLock,
    /// It takes it out although somebody copies.
    TakesWhatIsLent,
    /// A reader does not see to the memory of a caller that has left.
    ReaderKeepsOwn,
    /// Who comes second to give back memory lends the arguments all the same.
    LendsSpentAgain,
    /// A request whose memory is gone is not said to be spent.
    NotSpent,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            kinds: vec![],
            readers: vec![0],
            writers: vec![0],
            devices: 1,
            max_background: 12,
            signals: false,
            kills: 0,
            aborts: 0,
            releases: vec![],
            resends: 0,
            faults: 0,
            failures: 0,
            stuck: false,
            guesses: 0,
            again: 0,
            forgets: 0,
            room: 4,
            late_init: false,
            reader_kills: 0,
            memory: vec![],
            at_once: 0,
            forced: false,
            mistake: None,
        }
    }
}

/// How it ended for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Reply,
    Aborted,
    NotConnected,
    Interrupted,
    CopyFailed,
    /// EINTR, as its caller has left with what was to be sent.
    Left,
    /// No reply expected: read by the daemon.
    Sent,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    Start,
    /// There was no slot; and now there may be one.
    Grow,
    Grown,
    Gate,
    /// Woken up at the gate.
    Woken,
    Wait(Ticket),
    QueueInterrupt(Ticket),
    /// Just fatal signals count.
    Killable(Ticket),
    Leave,
    /// It has left: gives back what it has lent, with the engine's lock, while it has the
    /// arguments.
    GiveBack,
    GiveBackLent,
    /// It was aborted meanwhile.
    EndLeft,
    /// Of a background request: submitted.
    Gone,
    Returned(Outcome),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    Idle,
    Asleep,
    /// Outside of read(2) with FORGETs: it may never come back.
    Away,
    Lend {
        req: Req,
        unique: u64,
        ticket: Ticket,
        reply: bool,
    },
    Copy {
        req: Req,
        unique: u64,
        ticket: Ticket,
        reply: bool,
    },
    Parked {
        req: Req,
        unique: u64,
        ticket: Ticket,
        reply: bool,
    },
    /// And then gives back what the caller has lent, which has left.
    QueueInterrupt(Ticket, Option<Req>),
    GiveBack(Req),
    GiveBackLent(Req),
    Remove {
        req: Req,
        ticket: Ticket,
        outcome: Outcome,
    },
    Finish {
        req: Req,
        outcome: Outcome,
    },
    Exited,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Writer {
    Idle,
    Copy {
        req: Req,
    },
    Park {
        req: Req,
        ticket: Ticket,
    },
    Parked {
        req: Req,
        ticket: Ticket,
    },
    CopyRest {
        req: Req,
        ticket: Ticket,
    },
    Remove {
        req: Req,
        ticket: Ticket,
        outcome: Outcome,
    },
    Finish {
        req: Req,
        outcome: Outcome,
    },
}

/// Who lets go of many requests: an abort, or the release of a device; or of one that cannot be
/// resent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Drainer {
    which: Drain,
    more: bool,
    taken: Vec<Req>,
    finish: Option<Req>,
    outcome: Outcome,
    /// Then abort: the last device.
    last: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) engine: TestEngine,
    pub(crate) words: Vec<u32>,
    pub(crate) devices: Vec<Option<DeviceId>>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) readers: Vec<Reader>,
    pub(crate) writers: Vec<Writer>,
    pub(crate) drainers: Vec<Drainer>,
    pub(crate) resend: Option<Resend>,
    /// What the daemon has read and not answered: device, unique, request.
    pub(crate) inbox: Vec<(usize, u64, Req)>,
    /// Threads asleep in read, and callers asleep at the gate, in order.
    pub(crate) read_wait: Vec<usize>,
    pub(crate) gate_wait: Vec<usize>,
    pub(crate) flush: bool,
    /// Slots may be given back, now or with fewer requests than this.
    pub(crate) trim: bool,
    pub(crate) spare: u32,
    /// How each request ended, at most once.
    pub(crate) ended: Vec<Option<Outcome>>,
    pub(crate) orphans: Vec<bool>,
    /// INTERRUPTs read minus times sent: at most 0 but for those asked for again.
    pub(crate) interrupts: Vec<u8>,
    pub(crate) sent: Vec<u8>,
    pub(crate) waiting: i32,
    pub(crate) forgets_read: u8,
    pub(crate) killed: Vec<bool>,
    pub(crate) memory: Vec<Memory>,
    /// It was to go to the daemon.
    sends: Vec<bool>,
    left: Budget,
    pub(crate) violation: Option<&'static str>,
}

/// What may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Budget {
    aborts: u8,
    releases: Vec<usize>,
    resends: u8,
    faults: u8,
    failures: u8,
    guesses: u8,
    again: u8,
    forgets: u8,
    init: bool,
    reader_kills: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// The caller goes on.
    Caller(usize),
    Signal(usize),
    Kill(usize),
    Reader(usize),
    ReaderFaults(usize),
    ReaderFails(usize),
    ReaderKilled(usize),
    /// Reply to a message in the inbox.
    Reply(usize, usize),
    Again(usize, usize),
    /// Reply to this unique.
    Guess(usize, u64),
    Writer(usize),
    WriterFaults(usize),
    WriterFails(usize),
    Flush,
    Trim,
    Abort,
    Release(usize),
    Drain(usize),
    StartResend,
    Resend,
    Forget,
    Init,
}

impl State {
    pub(crate) fn new(config: &Config) -> State {
        let mut engine = engine();
        let devices = (0..config.devices)
            .map(|_| {
                if engine.lacks_room(1) {
                    engine.grow(Slots::new()).expect("more slots");
                }
                Some(engine.add_device(0).expect("slot"))
            })
            .collect();
        if !config.late_init {
            let _ = engine.set_initialized();
        }
        let _ = engine.set_max_background(config.max_background);
        let count = config.kinds.len();
        State {
            engine,
            words: vec![0; count],
            devices,
            callers: vec![Caller::Start; count],
            readers: vec![Reader::Idle; config.readers.len()],
            writers: vec![Writer::Idle; config.writers.len()],
            drainers: vec![],
            resend: None,
            inbox: vec![],
            read_wait: vec![],
            gate_wait: vec![],
            flush: false,
            trim: false,
            spare: 0,
            ended: vec![None; count],
            orphans: vec![false; count],
            interrupts: vec![0; count],
            sent: vec![0; count],
            waiting: 0,
            forgets_read: 0,
            killed: vec![false; count],
            memory: (0..count)
                .map(|i| config.memory.get(i).copied().unwrap_or_default())
                .collect(),
            sends: (0..count)
                .map(|i| config.memory.get(i) == Some(&Memory::In))
                .collect(),
            left: Budget {
                aborts: config.aborts,
                releases: config.releases.clone(),
                resends: config.resends,
                faults: config.faults,
                failures: config.failures,
                guesses: config.guesses,
                again: config.again,
                forgets: config.forgets,
                init: config.late_init,
                reader_kills: config.reader_kills,
            },
            violation: None,
        }
    }

    fn violated(&mut self, what: &'static str) {
        self.violation.get_or_insert(what);
    }

    fn effects(&mut self, effects: Effects) {
        for _ in 0..effects.readers.min(self.read_wait.len() as u32) {
            let thread = self.read_wait.remove(0);
            self.readers[thread] = Reader::Idle;
        }
        for _ in 0..effects.gate.min(self.gate_wait.len() as u32) {
            let caller = self.gate_wait.remove(0);
            self.callers[caller] = Caller::Woken;
        }
        self.flush |= effects.more;
        self.trim |= effects.trim;
    }

    /// The request ends, by whoever has the right to.
    fn end(&mut self, req: Req, outcome: Outcome) {
        let index = usize::from(req.0);
        if self.copying(req, None) {
            self.violated("S3: ended while being copied");
        }
        if self.ended[index].replace(outcome).is_some() {
            self.violated("S1: ended twice");
        }
        self.waiting -= 1;
    }

    fn finish(&mut self, req: Req, outcome: Outcome) {
        self.end(req, outcome);
        match req.word().finish() {
            Finished::Deliver => (),
            Finished::Orphan => {
                self.orphans[usize::from(req.0)] = true;
                self.give_up(req);
            }
        }
    }

    /// Whether a thread copies to or from the request's arguments; `but` is a thread that does not
    /// count: (is it a writer, which).
    fn copying(&self, req: Req, but: Option<(bool, usize)>) -> bool {
        let reads = self.readers.iter().enumerate().any(|(thread, reader)| {
            but != Some((false, thread))
                && matches!(reader, Reader::Copy { req: other, .. } if *other == req)
        });
        let writes = self.writers.iter().enumerate().any(|(thread, writer)| {
            but != Some((true, thread))
                && matches!(
                    writer,
                    Writer::Copy { req: other }
                        | Writer::Park { req: other, .. }
                        | Writer::CopyRest { req: other, .. } if *other == req
                )
        });
        let gives = self.giving_back(req);
        reads || writes || gives
    }

    /// A thread starts to copy.
    fn start_copy(&mut self, req: Req, me: (bool, usize)) {
        if self.ended[usize::from(req.0)].is_some() {
            self.violated("S3: copied after the end");
        }
        if self.copying(req, Some(me)) {
            self.violated("S3: copied by two");
        }
        let index = usize::from(req.0);
        if !me.0 && self.sends[index] && self.memory[index] == Memory::Back {
            self.violated("S6: sent again without what was to be sent");
        }
    }

    pub(crate) fn actions(&self, config: &Config, out: &mut Vec<Action>) {
        with_words(&mut self.words.clone(), || self.moves(config, out));
    }

    pub(crate) fn step(&mut self, config: &Config, action: Action) {
        let mut words = std::mem::take(&mut self.words);
        with_words(&mut words, || self.act(config, action));
        self.words = words;
        self.sort_threads(config);
    }

    /// Threads of the same device are alike: of all their orders take one.
    fn sort_threads(&mut self, config: &Config) {
        if config.readers.len() > 1 {
            let mut order: Vec<usize> = (0..self.readers.len()).collect();
            order.sort_by_cached_key(|&i| {
                let asleep = self.read_wait.iter().position(|&thread| thread == i);
                (config.readers[i], digest(&self.readers[i]), asleep)
            });
            self.readers = order.iter().map(|&i| self.readers[i].clone()).collect();
            for thread in &mut self.read_wait {
                *thread = order.iter().position(|i| i == thread).unwrap_or(0);
            }
        }
        if config.writers.len() > 1 {
            let mut order: Vec<usize> = (0..self.writers.len()).collect();
            order.sort_by_cached_key(|&i| (config.writers[i], digest(&self.writers[i])));
            self.writers = order.iter().map(|&i| self.writers[i].clone()).collect();
        }
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
