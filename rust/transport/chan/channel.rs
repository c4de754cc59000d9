// SPDX-License-Identifier: GPL-2.0

//! A channel: the transport's half of a connection.
//!
//! C counterpart: `struct fuse_chan`, `struct fuse_iqueue`. One spinlock guards the engine (all
//! queues and counters); it is a leaf, and what a step of the engine asks for (waking, ending,
//! dropping) is done after it was dropped. Beside it two wait queues: daemon threads in read(2), and
//! callers at the gate.

use super::{
    latency::Latency,
    request::Req, //
};
use crate::{
    abi::{
        name::NAME_LOW_MAX,
        op,
        Minor, //
    },
    engine::{
        self,
        Admit,
        Drain,
        Effects,
        ForgetQueue,
        Refusal,
        Refused,
        Slot,
        Submitted, //
    },
    kapi::{
        device::fasync::Fasync,
        fuse::trace,
        lib::bitops::AtomicBits,
        sync::wait::{
            new_wait_queue,
            Signals,
            WaitQueue, //
        },
        task::sched, //
    },
    transport::{
        caller::{
            forget::Forgets,
            left::{
                LeftJobs,
                LEFT_TIMER,
                LEFT_WORK, //
            },
        },
        dev::device::Device,
        notify::Notified,
        watch::suspend, //
    },
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        SetOnce,
        SpinLock, //
    },
    workqueue::{
        new_delayed_work,
        new_work,
        DelayedWork,
        Work, //
    },
};

/// The engine with the types of the module.
pub(in crate::transport) type Engine = engine::Engine<Req, Forgets, Segment>;
/// Memory for slots of the engine.
type Segment = KVVec<Slot<Req>>;

/// `FUSE_DEFAULT_CONGESTION_THRESHOLD`: three quarters of the background requests that there may be.
const DEFAULT_CONGESTION_THRESHOLD: u32 = Engine::MAX_BACKGROUND / 4 * 3;

/// `FUSE_MIN_READ_BUFFER`.
const MIN_READ_BUFFER: usize = 8192;

/// What INIT settles for the transport.
pub(crate) struct ChanParams {
    /// The daemon's minor version.
    pub(crate) minor: u32,
    /// Bytes per WRITE, for which a reader must have room.
    pub(crate) max_write: u32,
    /// Pages per request.
    pub(crate) max_pages: u32,
    /// Bytes of a name in a notification.
    pub(crate) name_max: u32,
}

/// A channel.
#[pin_data]
pub(crate) struct Chan {
    #[pin]
    pub(in crate::transport) engine: SpinLock<Engine>,
    /// There is something to read, or will never be again. Written with the engine's lock held;
    /// read without it by readers that are about to sleep.
    readable: Atomic<bool>,
    /// Readers of the device.
    #[pin]
    pub(in crate::transport) readers: WaitQueue,
    /// Owners of devices that want SIGIO when there is something to read.
    pub(in crate::transport) fasync: Fasync,
    /// Callers held back, and who waits for the end of all requests.
    #[pin]
    gate: WaitQueue,
    pub(in crate::transport) waiting: engine::Waiting,
    /// INIT was answered, or the channel aborted.
    initialized: Atomic<bool>,
    connected: Atomic<bool>,
    /// INIT has failed.
    conn_error: Atomic<bool>,
    /// The daemon does not know INTERRUPT.
    pub(in crate::transport) no_interrupt: Atomic<bool>,
    /// Operations that the daemon answered with ENOSYS, by number.
    lacks: [AtomicBits; 2],
    minor: Atomic<u32>,
    /// Bytes that a reader must have room for.
    min_read_buffer: Atomic<usize>,
    max_pages: Atomic<u32>,
    name_max: Atomic<u32>,
    /// Background requests from which on readahead holds back.
    congestion_threshold: Atomic<u32>,
    /// The daemon wants to be told of an abort (`ABORT_ERROR`).
    abort_err: Atomic<bool>,
    /// The connection's id, for trace events.
    connection: Atomic<u32>,
    /// Numbers the trace events.
    seq: Atomic<u64>,
    /// Seconds that a request may take; set before the work is queued.
    pub(in crate::transport) request_timeout: Atomic<u32>,
    /// Looks for requests that take longer.
    #[pin]
    pub(in crate::transport) timeout_work: DelayedWork<Self>,
    pub(in crate::transport) latency: Latency,
    /// What is done in place of callers that have left, by the work, which the timer queues.
    #[pin]
    pub(in crate::transport) left: LeftJobs,
    #[pin]
    pub(in crate::transport) left_work: Work<Self, LEFT_WORK>,
    #[pin]
    pub(in crate::transport) left_timer: DelayedWork<Self, LEFT_TIMER>,
    /// The filesystem, for notifications.
    notified: SetOnce<KBox<dyn Notified>>,
}

impl Chan {
    /// A connected channel without devices.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let chan = Arc::pin_init(
            pin_init!(Self {
                engine <- new_spinlock!(Engine::new(), "fuse_chan::engine"),
                readable: Atomic::new(false),
                readers <- new_wait_queue!("fuse_chan::readers"),
                fasync: Fasync::new(),
                gate <- new_wait_queue!("fuse_chan::gate"),
                waiting: engine::Waiting::new(),
                initialized: Atomic::new(false),
                connected: Atomic::new(true),
                conn_error: Atomic::new(false),
                no_interrupt: Atomic::new(false),
                lacks: [AtomicBits::new(0), AtomicBits::new(0)],
                minor: Atomic::new(0),
                min_read_buffer: Atomic::new(MIN_READ_BUFFER),
                max_pages: Atomic::new(0),
                name_max: Atomic::new(NAME_LOW_MAX),
                congestion_threshold: Atomic::new(DEFAULT_CONGESTION_THRESHOLD),
                abort_err: Atomic::new(false),
                connection: Atomic::new(0),
                seq: Atomic::new(0),
                request_timeout: Atomic::new(0),
                timeout_work <- new_delayed_work!("fuse_chan::timeout"),
                latency: Latency::new(),
                left <- LeftJobs::new(),
                left_work <- new_work!("fuse_chan::left_work"),
                left_timer <- new_delayed_work!("fuse_chan::left_timer"),
                notified: SetOnce::new(),
            }),
            GFP_KERNEL,
        )?;
        let slots = chan.engine.lock().next_segment();
        chan.grow(slots)?;
        Ok(chan)
    }

    /// Adds slots to the engine.
    pub(in crate::transport) fn grow(&self, slots: usize) -> Result {
        if slots == 0 {
            return Err(ENOMEM);
        }
        let mut segment = Segment::with_capacity(slots, GFP_KERNEL)?;
        for _ in 0..slots {
            segment
                .push_within_capacity(Slot::new())
                .map_err(|_| ENOMEM)?;
        }
        // One that came too late is dropped here, after the lock.
        let _late = self.engine.lock().grow(segment);
        Ok(())
    }

    /// Sets the connection's id, which is the superblock's device number.
    pub(crate) fn set_connection(&self, dev: u32) {
        self.connection.store(dev, Relaxed);
    }

    /// Who is told of notifications that concern the filesystem. Set once, before the first device is
    /// installed.
    pub(crate) fn set_notified(&self, notified: KBox<dyn Notified>) {
        self.notified.populate(notified);
    }

    pub(in crate::transport) fn notified(&self) -> Option<&dyn Notified> {
        self.notified.as_ref().map(|notified| &**notified)
    }

    pub(in crate::transport) fn connection(&self) -> u32 {
        self.connection.load(Relaxed)
    }

    /// What an event says of a step; what it is not about is 0. To be called with the engine's lock
    /// held.
    pub(in crate::transport) fn step(&self, unique: u64, opcode: u32, device: u64) -> trace::Step {
        let seq = self.seq.fetch_add(1, Relaxed);
        (self.connection(), unique, opcode, device, seq)
    }

    /// Still connected? Only a hint, as it may end at any time.
    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Relaxed)
    }

    /// Has INIT been answered (well or not), or the channel been aborted?
    pub(crate) fn initialized(&self) -> bool {
        self.initialized.load(Acquire)
    }

    /// INIT has been answered: lets callers in. `None` if it has failed.
    ///
    /// C: `fuse_chan_set_initialized()`.
    pub(crate) fn set_initialized(&self, params: Option<ChanParams>) {
        if let Some(params) = params {
            self.minor.store(params.minor, Relaxed);
            let write = op::Write::message_len(params.max_write);
            self.min_read_buffer
                .store(write.max(MIN_READ_BUFFER), Relaxed);
            self.max_pages.store(params.max_pages, Relaxed);
            self.name_max.store(params.name_max, Relaxed);
        }
        // Pairs with `initialized()`.
        self.initialized.store(true, Release);
        let effects = self.engine.lock().set_initialized();
        self.carry_out(effects, false);
    }

    /// From now on requests that are not forced fail with `ECONNREFUSED`.
    pub(crate) fn set_conn_error(&self) {
        self.conn_error.store(true, Relaxed);
    }

    /// Has INIT failed?
    pub(crate) fn conn_error(&self) -> bool {
        self.conn_error.load(Relaxed)
    }

    /// Whether the daemon has said that it lacks an operation.
    #[inline]
    pub(crate) fn lacks(&self, opcode: u32) -> bool {
        self.lacks
            .get(opcode as usize / 32)
            .is_some_and(|bits| bits.test(1 << (opcode % 32)))
    }

    /// Remembers that the daemon lacks an operation, for who asks before sending it again.
    pub(crate) fn set_lacks(&self, opcode: u32) {
        if let Some(bits) = self.lacks.get(opcode as usize / 32) {
            bits.set(1 << (opcode % 32));
        }
    }

    /// The daemon's version, 7.0 before it is known.
    pub(in crate::transport) fn minor(&self) -> Minor {
        Minor::new(self.minor.load(Relaxed))
    }

    /// Bytes of a name in a notification.
    pub(in crate::transport) fn name_max(&self) -> u32 {
        self.name_max.load(Relaxed)
    }

    /// Bytes that a reader must have room for: those of any request but SETXATTR.
    #[inline]
    pub(in crate::transport) fn min_read_buffer(&self) -> usize {
        self.min_read_buffer.load(Relaxed)
    }

    /// Requests that have not ended, those of callers held back included.
    pub(crate) fn num_waiting(&self) -> u32 {
        self.waiting.count()
    }

    /// Whether the daemon has enough to do in the background.
    pub(crate) fn is_congested(&self) -> bool {
        self.engine.lock().num_background() >= self.congestion_threshold()
    }

    /// Background requests from which on the daemon has enough to do.
    pub(crate) fn congestion_threshold(&self) -> u32 {
        self.congestion_threshold.load(Relaxed)
    }

    /// Sets that.
    pub(crate) fn set_congestion_threshold(&self, requests: u32) {
        self.congestion_threshold.store(requests, Relaxed);
    }

    /// How many background requests may be with the daemon at once; `u32::MAX` after an abort.
    pub(crate) fn max_background(&self) -> u32 {
        self.engine.lock().max_background()
    }

    /// Sets how many background requests may be with the daemon at once.
    pub(crate) fn set_max_background(&self, max: u32) {
        let effects = {
            let mut engine = self.engine.lock();
            let effects = engine.set_max_background(max);
            self.update_readable(&engine);
            effects
        };
        self.carry_out(effects, false);
    }

    /// Keeps the hint for sleeping readers. To be called with the engine's lock, after each step
    /// that may have changed it.
    #[inline]
    pub(in crate::transport) fn update_readable(&self, engine: &Engine) {
        self.readable
            .store(engine.is_readable() || !engine.is_connected(), Relaxed);
    }

    /// Is there something to read, or a reason not to wait for it?
    #[inline]
    pub(in crate::transport) fn is_readable(&self) -> bool {
        self.readable.load(Relaxed)
    }

    /// Does what a step of the engine asks for. Without the lock. With `sync` the current task is
    /// about to wait for the reader that it wakes.
    #[inline]
    pub(in crate::transport) fn carry_out(&self, effects: Effects, sync: bool) {
        if effects == Effects::readers(1) {
            if sync {
                self.readers.wake_up_sync();
            } else {
                self.readers.wake_up_nr(1);
            }
            self.fasync.kill_in();
        } else if effects != Effects::default() {
            self.carry_out_some(effects);
        }
    }

    /// Anything but one reader.
    #[inline(never)]
    fn carry_out_some(&self, mut effects: Effects) {
        loop {
            match effects.readers {
                0 => {}
                Effects::ALL => self.readers.wake_up_all(),
                n => self.readers.wake_up_nr(n.try_into().unwrap_or(i32::MAX)),
            }
            if effects.readers != 0 {
                self.fasync.kill_in();
            }
            if effects.gate != 0 {
                self.wake_gate(effects.gate);
            }
            if !effects.more {
                return;
            }
            let mut engine = self.engine.lock();
            effects = engine.flush_background();
            self.update_readable(&engine);
        }
    }

    /// Wakes callers held back.
    pub(in crate::transport) fn wake_gate(&self, n: u32) {
        match n {
            Effects::ALL => self.gate.wake_up_all(),
            // Who waits at the gate looks at its condition with the engine's lock held, which we
            // have had: it is on the queue already, or sees that it need not be.
            n if self.gate.is_active() => self.gate.wake_up_nr(n.try_into().unwrap_or(i32::MAX)),
            _ => {}
        }
    }

    /// Counts a caller and waits until it may go on; C: the first half of `fuse_get_req()`.
    ///
    /// # Errors
    ///
    /// `EINTR` if killed while waiting.
    #[inline]
    pub(in crate::transport) fn enter(&self, background: bool) -> Result<Counted<'_>> {
        self.waiting.enter();
        let counted = Counted(self);
        if background || !self.initialized() {
            self.wait_gate(background)?;
        }
        Ok(counted)
    }

    #[inline(never)]
    fn wait_gate(&self, background: bool) -> Result {
        self.gate
            .wait_event_killable_exclusive(suspend::may_freeze_at_gate, || {
                !self.engine.lock().is_gated(background)
            })
            .map_err(|_| EINTR)?;
        // Who takes up no background slot may have got the wake-up of one that came free.
        if !background {
            self.wake_gate(1);
        }
        Ok(())
    }

    /// Counts a caller that is not held back.
    pub(in crate::transport) fn enter_forced(&self) -> Counted<'_> {
        self.waiting.enter();
        Counted(self)
    }

    /// A request has ended and is not in use any more.
    pub(in crate::transport) fn leave(&self) {
        if self.waiting.leave() {
            self.gate.wake_up_all();
        }
    }

    /// Queues a request that its caller will wait for, and wakes a reader.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`, `ENOMEM`.
    #[inline]
    pub(in crate::transport) fn submit(&self, req: Req, admit: Admit) -> Result<Submitted> {
        // A closure is inlined; `Engine::submit` itself, as an argument, would be called through a shim.
        self.submit_with(req, admit, true, |engine, req, admit| {
            engine.submit(req, admit)
        })
    }

    /// Queues a background request, and wakes a reader if it may go at once.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`, `ENOMEM`.
    pub(in crate::transport) fn submit_background(&self, req: Req, admit: Admit) -> Result {
        self.submit_with(req, admit, false, Engine::submit_background)
            .map(|_| ())
    }

    /// Queues a request that is answered without anybody waiting, and is none of the background's.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`.
    pub(in crate::transport) fn submit_behind(&self, req: Req) -> Result {
        self.submit_with(req, Admit::Forced, false, Engine::submit)
            .map(|_| ())
    }

    #[inline(always)]
    fn submit_with(
        &self,
        mut req: Req,
        admit: Admit,
        sync: bool,
        submit: impl Fn(&mut Engine, Req, Admit) -> Result<Submitted, Refused<Req>>,
    ) -> Result<Submitted> {
        loop {
            let submitted = {
                let mut engine = self.engine.lock();
                let submitted = submit(&mut engine, req, admit);
                if submitted.as_ref().is_ok_and(|it| it.effects.readers != 0) {
                    // A reader is woken up because there is something to read.
                    self.readable.store(true, Relaxed);
                }
                submitted
            };
            match submitted {
                Ok(submitted) => {
                    self.carry_out(submitted.effects, sync);
                    return Ok(submitted);
                }
                Err(refused) => {
                    req = refused.payload;
                    self.refused(refused.why, admit)?;
                }
            }
        }
    }

    /// Removes the reason for a refusal, if possible.
    #[cold]
    fn refused(&self, why: Refusal, admit: Admit) -> Result {
        match why {
            Refusal::Disconnected => Err(ENOTCONN),
            Refusal::Blocked => self.wait_gate(false),
            Refusal::NoSlot(slots) => match self.grow(slots) {
                // It must be sent: slots come free as other requests end.
                Err(_) if admit == Admit::Forced => {
                    sched::sleep_a_moment();
                    Ok(())
                }
                grown => grown,
            },
        }
    }

    /// Installs a channel in the device that its mounter has named. C: `fuse_dev_install()`, with the
    /// check before it.
    ///
    /// If the device has been closed, this channel is of no use and aborts.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the device serves another channel.
    pub(crate) fn install(self: &Arc<Self>, device: &Device) -> Result {
        if !device.install(self)? {
            self.abort(false);
        }
        Ok(())
    }

    /// From now on [`abort_by_administrator`](Self::abort_by_administrator) tells readers.
    pub(crate) fn set_abort_err(&self) {
        self.abort_err.store(true, Relaxed);
    }

    /// [`abort`](Self::abort), of which readers are told if the daemon has said that it wants it.
    pub(crate) fn abort_by_administrator(&self) {
        self.abort(self.abort_err.load(Relaxed));
    }

    /// Ends all requests with `ECONNABORTED`, and all to come with `ENOTCONN`. With `with_err` readers
    /// get `ECONNABORTED` rather than `ENODEV`. Does not wait for requests that are being copied.
    ///
    /// C: `fuse_chan_abort()`. Context: process, without locks.
    pub(crate) fn abort(&self, with_err: bool) {
        let aborted = {
            let mut engine = self.engine.lock();
            let aborted = engine.abort(with_err);
            self.update_readable(&engine);
            if aborted.is_some() {
                trace::fuse_chan_aborted(|| self.step(0, 0, 0));
            }
            aborted
        };
        let Some(aborted) = aborted else {
            return;
        };
        self.connected.store(false, Relaxed);
        self.initialized.store(true, Release);
        self.waiting.close();
        self.carry_out(aborted.effects, false);
        // There may be any number.
        let mut forgets = aborted.forgets;
        while forgets.pop_front().is_some() {
            sched::cond_resched();
        }
        self.end_drained(Drain::All);
    }

    /// The engine lets go of a request that a reader or writer is about to end.
    #[cold]
    pub(in crate::transport) fn remove(&self, ticket: engine::Ticket) {
        let removed = {
            let mut engine = self.engine.lock();
            let removed = engine.remove(ticket);
            self.update_readable(&engine);
            if let Some((req, _)) = &removed {
                trace::fuse_request_removed(|| req.step(0));
            }
            removed
        };
        if let Some((_, effects)) = removed {
            self.carry_out(effects, false);
        }
    }

    /// Ends the requests that the engine lets go of, a few at a time.
    pub(in crate::transport) fn end_drained(&self, which: Drain) {
        loop {
            let batch = {
                let mut engine = self.engine.lock();
                let batch = engine.drain(which);
                // A background request that goes lets the next one through.
                self.update_readable(&engine);
                for req in batch.requests.iter().flatten() {
                    trace::fuse_request_dropped(|| req.step(0));
                }
                batch
            };
            self.carry_out(batch.effects, false);
            for req in batch.requests.into_iter().flatten() {
                req.end_if_here(ECONNABORTED);
            }
            if !batch.more {
                return;
            }
            sched::cond_resched();
        }
    }

    /// After [`abort`](Self::abort): waits until no request is left, nor any work that could outlive
    /// the mount. Sleeps, uninterruptibly.
    pub(crate) fn wait_aborted(self: &Arc<Self>) {
        // Without signals there is no error.
        let _ = self.gate.wait_event(Signals::None, || {
            // In this order: what is done for callers that have left may still make requests, which end at once.
            self.waiting.is_over() && self.left.is_over()
        });
        // INIT has ended too, so nobody sets a timeout any more.
        self.cancel_timeout();
        self.flush_left();
    }

    /// The last of what is done for callers that have left is done.
    pub(in crate::transport) fn wake_gate_of_end(&self) {
        self.gate.wake_up_all();
    }
}

/// One entry in the count of waiting requests, until a request takes it over.
pub(in crate::transport) struct Counted<'a>(&'a Chan);

impl Counted<'_> {
    /// The request made with `counted` leaves from now on.
    pub(in crate::transport) fn hand_over(self) {
        core::mem::forget(self);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
