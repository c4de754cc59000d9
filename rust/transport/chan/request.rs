// SPDX-License-Identifier: GPL-2.0

//! One request, from its caller to its end.
//!
//! C counterpart: `struct fuse_req`. Counted references: the caller's (or the
//! [`Prepared`](crate::transport::caller::background::Prepared) it came from), the engine's, and
//! that of a reader or writer who is copying. The lists are the engine's; what becomes of the
//! arguments is decided by the lending state. Takes no lock.

use super::{
    channel::Chan,
    latency::Times,
    left::Legacy,
    slots::SlotCache, //
};
use crate::{
    abi::{
        NodeId,
        Op, //
    },
    engine,
    kapi::{
        fuse::{
            jump_label::latency_enabled,
            lend::{
                Ender,
                Lease,
                LendCell, //
            },
            trace, //
        },
        mm::{
            gfp::Gfp,
            slab::{
                KmemCache,
                KmemCacheGuard,
                KmemCacheUser,
                SlabArc,
                UniqueSlabArc, //
            },
        },
        sync::wait::RcuWait,
        task::sched::current_pid,
        time::jiffies::Jiffies64, //
    },
    transport::message::{
        args::{
            Args,
            Message, //
        },
        outcome::{
            OnEnd,
            Outcome, //
        },
        payload::Payload, //
    },
};
use core::{
    mem::offset_of,
    ops::Deref, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// Where requests come from, while the module is loaded. Of a request only its message is copied to
/// and from the daemon's memory.
static CACHE: KmemCache<Request> = KmemCache::new(c"fuse_request", {
    let args = offset_of!(Request, args) + LendCell::<Args, Legacy>::ARGS;
    args + Args::MESSAGE.start..args + Args::MESSAGE.end
});

/// The caches of requests, and of the slots that they are in.
pub(crate) struct RequestCache {
    _guard: KmemCacheGuard<Request>,
    _slots: SlotCache,
}

impl RequestCache {
    /// Creates them, until dropped. C: a part of `fuse_dev_init()`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            _guard: CACHE.create()?,
            _slots: SlotCache::new()?,
        })
    }

    /// The right of a channel to make requests.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn user() -> Result<KmemCacheUser<Request>> {
        CACHE.user()
    }
}

/// A reference to a request.
pub(in crate::transport) type Req = SlabArc<Request>;

/// The only one, before it is sent.
pub(in crate::transport) type UniqueReq = UniqueSlabArc<Request>;

/// The channel of a request, which counts it until it is freed.
pub(in crate::transport) struct Member {
    chan: Arc<Chan>,
    /// Counted in `Chan::waiting`.
    counted: Atomic<bool>,
}

impl Deref for Member {
    type Target = Arc<Chan>;

    fn deref(&self) -> &Arc<Chan> {
        &self.chan
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.counted.load(Relaxed) {
            self.chan.leave();
        }
    }
}

/// One request.
#[pin_data]
pub(in crate::transport) struct Request {
    #[pin]
    pub(in crate::transport) args: LendCell<Args, Legacy>,
    /// Where the caller waits, if it does.
    pub(in crate::transport) wait: RcuWait,
    pub(in crate::transport) chan: Member,
    /// The number on the wire; 0 before it has one. This and the next are for trace events.
    pub(in crate::transport) unique: Atomic<u64>,
    pub(in crate::transport) opcode: Atomic<u32>,
    /// Bytes of the message.
    pub(in crate::transport) len: Atomic<u32>,
    /// When it was about to be queued, in ticks since boot.
    created: Atomic<u64>,
    /// The inode that it is about, and the task that sends it; for onlookers.
    pub(in crate::transport) node: Atomic<u64>,
    pub(in crate::transport) pid: Atomic<i32>,
    times: Times,
    /// Its caller has left, and has taken what would be sent again. Changes with the engine's lock
    /// held.
    pub(in crate::transport) spent: Atomic<bool>,
}

impl Request {
    /// A request with nothing in it. With `counted`, `Chan::waiting` has been entered for it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, unless [`Gfp::NOFAIL`].
    pub(in crate::transport) fn new(
        chan: &Arc<Chan>,
        counted: bool,
        gfp: Gfp,
    ) -> Result<UniqueReq> {
        let init = pin_init!(Self {
            args <- LendCell::new(Args::new()),
            wait: RcuWait::new(),
            chan: Member {
                chan: chan.clone(),
                counted: Atomic::new(counted),
            },
            unique: Atomic::new(0),
            opcode: Atomic::new(0),
            len: Atomic::new(0),
            created: Atomic::new(0),
            node: Atomic::new(0),
            pid: Atomic::new(0),
            times: Times::new(),
            spent: Atomic::new(false),
        });
        UniqueSlabArc::pin_init(&chan.requests, gfp, init)
    }

    /// Enters `Chan::waiting`, before a request that was not counted is sent.
    pub(in crate::transport) fn count(&self) {
        self.chan.queues.waiting.enter();
        self.chan.counted.store(true, Relaxed);
    }

    /// Encodes an operation into a request that nobody else has a reference to yet.
    ///
    /// # Errors
    ///
    /// See [`Args::fill`], and `EIO` if the payload is not as long as the operation says; the
    /// payload is left alone then.
    pub(in crate::transport) fn fill<O: Op>(
        self: Pin<&mut Self>,
        message: &Message<'_, O>,
        payload: Option<&mut Payload>,
    ) -> Result {
        // Else the header would lie about the length of the message.
        let len = payload.as_ref().map_or(0, |payload| payload.len_out());
        if usize::try_from(message.op.payload_in()) != Ok(len) {
            return Err(EIO);
        }
        let this = self.project();
        let minor = this.chan.minor();
        let args = this.args.args_mut();
        let len = args.fill(message, minor)?;
        if let Some(payload) = payload {
            args.swap_payload(payload);
        }
        this.opcode.store(O::OPCODE.get(), Relaxed);
        this.len.store(len, Relaxed);
        this.created.store(Jiffies64::now().to_u64(), Relaxed);
        this.node
            .store(message.node.map_or(0, NodeId::get), Relaxed);
        this.pid.store(current_pid(), Relaxed);
        this.times.queued();
        Ok(())
    }

    /// As [`fill`](Self::fill), of a background request: `end` is told its end, and gets the
    /// payload then, even where this fails.
    pub(in crate::transport) fn fill_background<O: Op>(
        req: &mut Req,
        message: &Message<'_, O>,
        mut payload: Payload,
        end: Option<KBox<dyn OnEnd>>,
    ) -> Result {
        let mut this = SlabArc::get_mut(req).ok_or(EIO)?;
        let filled = this.as_mut().fill(message, Some(&mut payload));
        let args = this.project().args.args_mut();
        if filled.is_err() {
            args.swap_payload(&mut payload);
        }
        args.end = end;
        filled
    }

    /// A reader has taken it.
    #[inline]
    pub(in crate::transport) fn time_taken(&self) {
        if latency_enabled() {
            let opcode = self.opcode.load(Relaxed);
            self.times.taken(&self.chan.latency, opcode);
        }
    }

    /// When it was about to be queued.
    pub(in crate::transport) fn created(&self) -> Jiffies64 {
        Jiffies64::from_u64(self.created.load(Relaxed))
    }

    /// What an event says of a step of this request, on a device or (0) on none.
    pub(in crate::transport) fn trace_step(&self, device: u64) -> trace::Step {
        let (unique, opcode) = (self.unique.load(Relaxed), self.opcode.load(Relaxed));
        self.chan.trace_step(unique, opcode, device)
    }

    /// Ends the request: sets the error, tells those that want to know, and wakes up the caller, or
    /// the work that is done in its place if it has left. To be called without any lock.
    ///
    /// C: `fuse_request_end()`.
    pub(in crate::transport) fn end(&self, mut ender: Ender<'_, Args, Legacy>, error: i32) {
        ender.error = error;
        trace::fuse_request_end(|| {
            (
                self.chan.connection(),
                self.unique.load(Relaxed),
                ender.reply_len.try_into().unwrap_or(u32::MAX),
                error,
            )
        });
        if latency_enabled() {
            let opcode = self.opcode.load(Relaxed);
            self.times.ended(&self.chan.latency, opcode, error);
        }
        if let Some(end) = ender.end.take() {
            end.ended(Outcome::new(&mut ender));
        }
        match ender.finish() {
            None => self.wait.wake_up(),
            Some(legacy) => self.chan.end_left(legacy),
        }
    }

    /// Ends the request with a reply that is complete, as [`end`](Self::end) does, but in one step.
    /// To be called without any lock.
    ///
    /// # Errors
    ///
    /// Gives the lease back if there is more to it: somebody is to be told, or an abort has left
    /// its mark, or the caller has left.
    #[inline]
    pub(in crate::transport) fn end_at_once<'a>(
        &self,
        mut lease: Lease<'a, Args, Legacy>,
        error: i32,
    ) -> Result<(), Lease<'a, Args, Legacy>> {
        // An onlooker is told before the caller is.
        let told = trace::fuse_reply_copied_enabled() || trace::fuse_request_end_enabled();
        if told || latency_enabled() || lease.end.is_some() {
            return Err(lease);
        }
        lease.error = error;
        lease.finish()?;
        self.wait.wake_up();
        Ok(())
    }

    /// Ends a request that the engine has let go of, unless somebody else does.
    pub(in crate::transport) fn end_if_here(&self, error: Error) {
        if let Some(ender) = self.args.abort_take() {
            self.end(ender, error.to_errno());
        }
    }
}

/// What the engine asks of a request, with its lock held.
impl engine::Payload for Req {
    #[inline]
    fn sent(&self) -> bool {
        self.args.is_sent()
    }

    #[inline]
    fn interrupted(&self) -> bool {
        self.args.is_interrupted()
    }

    #[inline]
    fn claim(&self) -> bool {
        self.args.claim()
    }

    fn spent(&self) -> bool {
        self.spent.load(Relaxed)
    }

    fn recall(&self) -> bool {
        let recalled = self.args.recall();
        if recalled {
            trace::fuse_request_recalled(|| self.trace_step(0));
        }
        recalled
    }

    #[inline]
    fn queued(&self, unique: engine::ReqId) {
        self.unique.store(unique.0, Relaxed);
        trace::fuse_request_send(|| {
            let (opcode, len) = (self.opcode.load(Relaxed), self.len.load(Relaxed));
            (self.chan.connection(), unique.0, opcode, len)
        });
        trace::fuse_request_queued(|| self.trace_step(0));
    }

    fn held(&self) {
        trace::fuse_request_held(|| self.trace_step(0));
    }

    fn interrupt_queued(&self) {
        trace::fuse_interrupt_queued(|| self.trace_step(0));
    }
}
