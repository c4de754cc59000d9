// SPDX-License-Identifier: GPL-2.0

//! A channel and its requests as the module has them: the engine behind one lock, the hint for
//! sleeping readers, two wait queues, the count; each request with its word and its caller's place
//! to wait.
//!
//! Mirrors `transport/chan/channel.rs` and `transport/chan/request.rs`, step by step. Invariants
//! are checked where they could break.

use super::engine::lend_state::{AbortTake, Finished, LendState, Returned, Word};
use super::engine::wait_loop::Signalled;
use super::engine::{
    Admit, Count, DeviceId, Drain, Effects, Engine, ForgetQueue, Hint, Payload, Refusal, Refused,
    ReqId, Resent, Segment, StepResult, Submitted, Ticket, Trimmed, Waiting,
};
use super::sched::{RcuWait, Signals, Task, WaitQueue};
use super::sync::{Arc, Args, AtomicBool, AtomicU32, Guard, Mutex};
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
// What just counts for the checks is no step of anybody's.
use std::sync::atomic::AtomicU32 as Tally;

pub(crate) struct SyncWord(AtomicU32);

impl Word for SyncWord {
    fn new(value: u32) -> Self {
        SyncWord(AtomicU32::new(value))
    }

    fn load(&self) -> u32 {
        self.0.load(Acquire)
    }

    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        self.0.compare_exchange(old, new, AcqRel, Acquire)
    }
}

pub(crate) struct SyncCount(AtomicU32);

impl Count for SyncCount {
    fn new() -> Self {
        SyncCount(AtomicU32::new(0))
    }

    fn fetch_add(&self, value: u32) -> u32 {
        self.0.fetch_add(value, SeqCst)
    }

    fn update(&self, f: impl Fn(u32) -> u32) {
        let _ = self.0.fetch_update(SeqCst, SeqCst, |value| Some(f(value)));
    }

    fn load(&self) -> u32 {
        self.0.load(Acquire)
    }
}

/// How a request ended; also what its arguments then hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Reply = 1,
    Aborted,
    Interrupted,
    CopyFailed,
    NotSent,
    /// EINTR: its caller has left with what was to be sent.
    Left,
}

impl End {
    fn of(value: u32) -> Option<End> {
        use End::{Aborted, CopyFailed, Interrupted, Left, NotSent, Reply};
        [Reply, Aborted, Interrupted, CopyFailed, NotSent, Left]
            .into_iter()
            .find(|end| *end as u32 == value)
    }
}

/// What is counted over all requests, for the checks at the end.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) requests: Tally,
    pub(crate) ends: Tally,
    pub(crate) results: Tally,
    pub(crate) orphans: Tally,
    pub(crate) interrupts: Tally,
    pub(crate) forgets: Tally,
    pub(crate) grown: Tally,
    pub(crate) trimmed: Tally,
}

/// A request. C: `struct fuse_req`.
pub(crate) struct Request {
    pub(crate) word: LendState<SyncWord>,
    pub(crate) args: Args,
    /// Where the caller waits; `None` of a background request.
    pub(crate) wait: Option<RcuWait>,
    pub(crate) chan: Arc<Chan>,
    /// What the caller has lent of its own, to be sent, has been taken out. Written with the
    /// arguments.
    spent: Tally,
    ends: Tally,
    /// Times that the daemon was given all of it, and that it was told of the signal.
    sent: Tally,
    told: Tally,
}

impl Drop for Request {
    fn drop(&mut self) {
        // Something is wrong already; the first complaint counts.
        if std::thread::panicking() {
            return;
        }
        assert_eq!(self.ends.load(Relaxed), 1, "S1: freed without an end");
        self.chan.leave();
    }
}

pub(crate) type Req = Arc<Request>;

impl Request {
    /// The channel counts it already.
    pub(crate) fn new(chan: &Arc<Chan>, caller: Option<&Arc<Task>>) -> Req {
        chan.totals.requests.fetch_add(1, Relaxed);
        Arc::new(Request {
            word: LendState::new(),
            args: Args::new(),
            wait: caller.map(RcuWait::new),
            chan: chan.clone(),
            spent: Tally::new(0),
            ends: Tally::new(0),
            sent: Tally::new(0),
            told: Tally::new(0),
        })
    }

    /// By whoever has the right to.
    pub(crate) fn end(&self, end: End) {
        self.args.write(end as u32);
        assert_eq!(self.ends.fetch_add(1, Relaxed), 0, "S1: ended twice");
        self.chan.totals.ends.fetch_add(1, Relaxed);
        match (self.word.finish(), &self.wait) {
            (Finished::Deliver, Some(wait)) => wait.wake_up(),
            (Finished::Deliver, None) => {}
            (Finished::Orphan, _) => {
                self.chan.totals.orphans.fetch_add(1, Relaxed);
            }
        }
    }

    /// With a reply, by the writer who has the lease; false if there is more to it.
    pub(crate) fn end_at_once(&self) -> bool {
        self.args.write(End::Reply as u32);
        if !self.word.finish_lent() {
            return false;
        }
        assert_eq!(self.ends.fetch_add(1, Relaxed), 0, "S1: ended twice");
        self.chan.totals.ends.fetch_add(1, Relaxed);
        if let Some(wait) = &self.wait {
            wait.wake_up();
        }
        true
    }

    pub(crate) fn end_if_here(&self, end: End) {
        if self.word.abort_take() == AbortTake::Taken {
            self.end(end);
        }
    }

    /// Somebody has the arguments: what a caller that has left has lent is taken out.
    fn take_own(&self) {
        self.args.write(9);
        assert!(self.word.is_orphan(), "S6: taken from who has not left");
        assert_eq!(self.spent.swap(1, Relaxed), 0, "S6: taken twice");
    }

    /// A reader has the arguments, and is about to copy them out.
    pub(crate) fn copy_out(&self) {
        self.args.read();
        let spent = self.spent.load(Relaxed);
        assert_eq!(spent, 0, "S6: sent again without what was to be sent");
    }

    /// The caller takes the result.
    pub(crate) fn collect(&self) -> End {
        assert!(self.word.is_done(), "L1: returned without a result");
        self.chan.totals.results.fetch_add(1, Relaxed);
        End::of(self.args.read()).expect("S3: the result")
    }

    /// The lease is about to come back with all of it sent.
    pub(crate) fn count_sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    fn count_told(&self) {
        let told = self.told.fetch_add(1, Relaxed);
        let sent = self.sent.load(Relaxed);
        assert!(told < sent, "S5: interrupted more than once");
        assert!(self.word.is_sent(), "S5: INTERRUPT of what was not sent");
        assert!(self.word.is_interrupted(), "S5: INTERRUPT without a signal");
    }
}

impl Payload for Req {
    fn sent(&self) -> bool {
        self.word.is_sent()
    }

    fn interrupted(&self) -> bool {
        self.word.is_interrupted()
    }

    fn claim(&self) -> bool {
        self.word.claim()
    }

    fn spent(&self) -> bool {
        self.spent.load(Relaxed) != 0
    }

    fn recall(&self) -> bool {
        self.word.recall()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Forgets(pub(crate) VecDeque<u16>);

impl ForgetQueue for Forgets {
    type Link = u16;

    fn push_back(&mut self, link: u16) {
        self.0.push_back(link);
    }

    fn pop_front(&mut self) -> Option<u16> {
        self.0.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A box of slots.
pub(crate) struct Memory(Box<Segment<Req, Memory>>);

impl Memory {
    fn new() -> Self {
        Memory(Box::new(Segment::new()))
    }
}

impl Deref for Memory {
    type Target = Segment<Req, Memory>;

    fn deref(&self) -> &Segment<Req, Memory> {
        &self.0
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut Segment<Req, Memory> {
        &mut self.0
    }
}

pub(crate) type TestEngine = Engine<Req, Forgets, Memory>;

/// How a request is submitted: [`Engine::submit`], or that of the background.
type Submit = fn(&mut TestEngine, Req, Admit, u32) -> Result<Submitted, Refused<Req>>;

/// A channel. C: `struct fuse_chan`.
pub(crate) struct Chan {
    engine: Mutex<TestEngine>,
    growing: Mutex<()>,
    readable: AtomicBool,
    pub(crate) readers: WaitQueue,
    pub(crate) gate: WaitQueue,
    pub(crate) waiting: Waiting<SyncCount>,
    initialized: AtomicBool,
    /// Woken when one has left: for tests that wait for background requests.
    pub(crate) left: WaitQueue,
    pub(crate) totals: Totals,
}

impl Chan {
    pub(crate) fn new(max_background: u32) -> Arc<Chan> {
        let mut engine = TestEngine::new(Memory::new());
        let _ = engine.set_max_background(max_background);
        Arc::new(Chan {
            engine: Mutex::new(engine),
            growing: Mutex::new(()),
            readable: AtomicBool::new(false),
            readers: WaitQueue::new(),
            gate: WaitQueue::looked_at(),
            waiting: Waiting::new(),
            initialized: AtomicBool::new(false),
            left: WaitQueue::new(),
            totals: Totals::default(),
        })
    }

    pub(crate) fn lock(&self) -> Guard<'_, TestEngine> {
        self.engine.lock().expect("engine")
    }

    /// A step of the engine, the hint for sleeping readers after it, and what else follows.
    pub(crate) fn step<R: StepResult>(&self, change: impl FnOnce(&mut TestEngine) -> R) -> R {
        let result = self.change(change);
        if let Some(effects) = result.effects() {
            self.carry_out(effects);
        }
        result
    }

    fn change<R: StepResult>(&self, change: impl FnOnce(&mut TestEngine) -> R) -> R {
        let mut engine = self.lock();
        let result = change(&mut engine);
        let readable = engine.is_readable() || !engine.is_connected();
        match result.hint() {
            Hint::Ask => self.readable.store(readable, Relaxed),
            Hint::Readable => self.readable.store(true, Relaxed),
            Hint::Same => {}
        }
        assert_eq!(
            self.readable.load(Relaxed),
            readable,
            "the hint for readers"
        );
        if super::sync::chance(16) {
            engine.audit().unwrap_or_else(|wrong| panic!("S2: {wrong}"));
        }
        result
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable.load(Relaxed)
    }

    pub(crate) fn add_device(&self) -> DeviceId {
        let live = self.waiting.count();
        self.step(|engine| engine.add_device(live)).expect("slot")
    }

    pub(crate) fn set_initialized(&self) {
        self.initialized.store(true, SeqCst);
        let _ = self.step(|engine| engine.set_initialized());
    }

    fn carry_out(&self, mut effects: Effects) {
        loop {
            match effects.readers {
                0 => {}
                Effects::ALL => self.readers.wake_up_all(),
                n => self.readers.wake_up_nr(n),
            }
            self.wake_gate(effects.gate);
            if effects.trim {
                self.trim();
            }
            if !effects.more {
                return;
            }
            effects = self.change(|engine| engine.flush_background());
        }
    }

    pub(crate) fn wake_gate(&self, n: u32) {
        match n {
            0 => {}
            Effects::ALL => self.gate.wake_up_all(),
            n if self.gate.is_active() => self.gate.wake_up_nr(n),
            _ => {}
        }
    }

    /// Counts a caller and holds it back; false if it was killed.
    pub(crate) fn enter(&self, task: &Arc<Task>, background: bool) -> bool {
        self.waiting.enter();
        let wait = background || !self.initialized.load(Acquire);
        if wait && self.wait_at_gate(task, background).is_err() {
            self.leave();
            return false;
        }
        true
    }

    fn wait_at_gate(&self, task: &Arc<Task>, background: bool) -> Result<(), Signalled> {
        let open = || !self.lock().is_gated(background);
        self.gate.wait(task, Signals::Fatal, true, open)?;
        if !background {
            self.wake_gate(1);
        }
        Ok(())
    }

    pub(crate) fn leave(&self) {
        let gone = self.waiting.leave();
        if gone.over {
            self.gate.wake_up_all();
        }
        if gone.trim {
            self.trim();
        }
        self.left.wake_up_all();
    }

    /// Queues a request, waiting at the gate if need be.
    pub(crate) fn submit(
        &self,
        task: &Arc<Task>,
        mut req: Req,
        admit: Admit,
        submit: Submit,
    ) -> Result<Submitted, Refusal> {
        loop {
            let live = self.waiting.count();
            match self.step(|engine| submit(engine, req, admit, live)) {
                Ok(submitted) => return Ok(submitted),
                Err(refused) => {
                    req = refused.payload;
                    let blocked = refused.why == Refusal::Blocked;
                    match refused.why {
                        Refusal::NoSlot => self.grow(),
                        _ if blocked && self.wait_at_gate(task, false).is_ok() => {}
                        why => return Err(why),
                    }
                }
            }
        }
    }

    /// Adds slots until there are enough; one task at a time.
    pub(crate) fn grow(&self) {
        let _one = self.growing.lock().expect("growing");
        while self.lock().lacks_room(self.waiting.count()) {
            self.totals.grown.fetch_add(1, Relaxed);
            let _ = self.step(|engine| engine.grow(Memory::new()));
        }
        self.trim();
    }

    /// Gives slots back.
    fn trim(&self) {
        loop {
            let trimmed = self.step(|engine| {
                let live = self.waiting.watch(engine.spare_below());
                engine.trim(live)
            });
            let trims = u32::from(trimmed.segment.is_some());
            self.totals.trimmed.fetch_add(trims, Relaxed);
            if !trimmed.more {
                return;
            }
        }
    }

    pub(crate) fn queue_interrupt(&self, ticket: Ticket) {
        let _ = self.step(|engine| engine.interrupt(ticket));
    }

    /// Takes back what the daemon has not read, and ends it.
    pub(crate) fn cancel(&self, req: &Req, ticket: Ticket) -> bool {
        let taken = self.step(|engine| engine.cancel(ticket));
        let Some((taken, _)) = taken else {
            return false;
        };
        assert!(Arc::ptr_eq(&taken, req), "S1: cancelled another's request");
        req.end_if_here(End::Interrupted);
        true
    }

    pub(crate) fn remove(&self, ticket: Ticket) {
        self.step(|engine| engine.remove(ticket));
    }

    /// A caller has left, or who has copied is told so: gives back what it has lent.
    pub(crate) fn return_own(&self, req: &Req) {
        let returned = {
            let _engine = self.lock();
            if req.spent() || !req.word.lend_again() {
                return;
            }
            req.take_own();
            req.word.return_sent()
        };
        if returned == Returned::MustEnd {
            req.end(End::Aborted);
        }
    }

    pub(crate) fn abort(&self) {
        let aborted = self.step(|engine| {
            let aborted = engine.abort(false);
            // Before anybody is woken up to look at it.
            if aborted.is_some() {
                self.initialized.store(true, SeqCst);
                self.waiting.close();
            }
            aborted
        });
        let Some(aborted) = aborted else {
            return;
        };
        let dropped = aborted.forgets.0.len() as u32;
        self.totals.forgets.fetch_add(dropped, Relaxed);
        self.end_drained(Drain::All);
    }

    pub(crate) fn release(&self, device: DeviceId) {
        let released = self.step(|engine| engine.release(device));
        self.end_drained(Drain::Device(device));
        if released.last {
            self.abort();
        }
    }

    fn end_drained(&self, which: Drain) {
        loop {
            let batch = self.step(|engine| engine.drain(which));
            for req in batch.requests.into_iter().flatten() {
                req.end_if_here(End::Aborted);
            }
            if !batch.more {
                return;
            }
        }
    }

    pub(crate) fn resend(&self) {
        let mut resend = super::engine::Resend::default();
        loop {
            let Resent { more, spent, .. } = self.step(|engine| engine.resend(&mut resend));
            if let Some(req) = spent {
                assert!(req.word.is_orphan(), "S6: ended, and could be sent again");
                req.end_if_here(End::Left);
            }
            if !more {
                return;
            }
        }
    }

    pub(crate) fn forget(&self, link: u16) {
        if self.step(|engine| engine.forget(link)).is_err() {
            self.totals.forgets.fetch_add(1, Relaxed);
        }
    }

    /// C: `fuse_chan_wait_aborted()`.
    pub(crate) fn wait_aborted(&self, task: &Arc<Task>) {
        let over = || self.waiting.is_over();
        let _ = self.gate.wait(task, Signals::None, false, over);
    }

    /// The INTERRUPT of the request with this id was read; with the engine's lock held.
    pub(crate) fn interrupt_read(&self, engine: &TestEngine, devices: &[DeviceId], unique: ReqId) {
        self.totals.interrupts.fetch_add(1, Relaxed);
        let mut requests = devices.iter().flat_map(|on| engine.requests_of(*on));
        let found = requests.find(|(_, other)| *other == unique.0);
        let (req, _) = found.expect("S5: INTERRUPT of a request that no device has");
        req.count_told();
    }

    /// All has come to rest: nobody is inside, `devices` are left.
    pub(crate) fn check_at_rest(&self, devices: u32, forgets: u32) {
        let engine = self.lock();
        engine.audit().unwrap_or_else(|wrong| panic!("S2: {wrong}"));
        assert_eq!(engine.slots_used(), devices, "S4: slots leaked");
        assert_eq!(engine.num_background(), 0, "S4: num_background");
        assert_eq!(engine.active_background(), 0, "S4: active_background");
        assert_eq!(self.waiting.count(), 0, "S4: waiting");
        assert!(!engine.keeps_spare(0), "S9: slots are kept");
        let totals = &self.totals;
        let (requests, ends) = (&totals.requests, &totals.ends);
        assert_eq!(ends.load(Relaxed), requests.load(Relaxed), "S1: ends");
        assert_eq!(totals.forgets.load(Relaxed), forgets, "S4: forgets lost");
    }
}
