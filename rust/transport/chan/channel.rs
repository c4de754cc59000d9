// SPDX-License-Identifier: GPL-2.0

//! A channel: the transport's half of a connection.
//!
//! C counterpart: `struct fuse_chan`. The queues are in [`Queues`]; all else is fixed at mount
//! time, set once by INIT, or atomic. Takes the engine's lock; sleeps where it allocates.

use super::{
    latency::Latency,
    left::{
        LeftJobs,
        LEFT_TIMER,
        LEFT_WORK, //
    },
    queues::{
        Engine,
        Queues, //
    },
    readers::Readers,
    request::{
        Request,
        RequestCache, //
    },
    slots::{
        Need,
        SlotCache,
        Slots, //
    },
};
use crate::{
    abi::{
        name::NAME_LOW_MAX,
        op,
        Minor,
        NodeId,
        PollHandle, //
    },
    engine::StepResult,
    kapi::{
        fuse::trace,
        lib::bitops::AtomicBits,
        mm::{
            gfp::Gfp,
            slab::KmemCacheUser, //
        },
    },
    transport::message::incoming::Incoming, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        SetOnce, //
    },
    workqueue::{
        new_delayed_work,
        new_work,
        DelayedWork,
        Work, //
    },
};

/// `FUSE_DEFAULT_CONGESTION_THRESHOLD`: three quarters of the background requests that there may
/// be.
const DEFAULT_CONGESTION_THRESHOLD: u32 = Engine::MAX_BACKGROUND / 4 * 3;

/// `FUSE_MIN_READ_BUFFER`.
const MIN_READ_BUFFER: usize = 8192;

/// What the filesystem does about notifications. Called in the daemon's write(2), without locks,
/// when the whole message has been copied and checked, but for data.
pub(crate) trait Notified: Send + Sync {
    /// A file is ready for something else. There need be none of that handle.
    fn poll(&self, kh: PollHandle);

    /// Attributes of a node are out of date, and its data from `offset` on, unless that is below 0,
    /// for `len` bytes, or to the end if that is not above 0. May sleep.
    ///
    /// # Errors
    ///
    /// ENOENT, EINTR.
    fn inval_inode(&self, node: NodeId, offset: i64, len: i64) -> Result;

    /// A name is out of date, and with `expire_only` stays until it is looked up again. May sleep.
    ///
    /// # Errors
    ///
    /// ENOENT, ENOTDIR.
    fn inval_entry(&self, parent: NodeId, name: &[u8], expire_only: bool) -> Result;

    /// The name of a node was removed. Sleeps.
    ///
    /// # Errors
    ///
    /// ENOENT, ENOTDIR, EBUSY, ENOTEMPTY, EINTR.
    fn delete(&self, parent: NodeId, child: NodeId, name: &[u8]) -> Result;

    /// These nodes are to be forgotten if they are not in use. May sleep.
    fn prune(&self, nodes: &[u64]);

    /// All names are out of date.
    fn inc_epoch(&self);

    /// Data for the page cache, `size` bytes.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `EINVAL` without such a file; `ENOMEM`; `EINTR` if killed; those of
    /// [`Incoming`].
    fn store(&self, node: NodeId, offset: u64, size: u32, data: &mut dyn Incoming) -> Result;

    /// The daemon asks for data of the page cache, at most `size` bytes: sends it.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `EINVAL` without such a file; those of [`Chan::send_notify_reply`].
    fn retrieve(&self, notify_unique: u64, node: NodeId, offset: u64, size: u32) -> Result;

    /// Not a notification, but the end of all: the channel was aborted. Sleeps.
    fn aborted(&self);
}

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
    pub(super) queues: Queues,
    /// Where its requests come from.
    pub(super) requests: KmemCacheUser<Request>,
    /// INIT was answered, or the channel aborted.
    pub(super) initialized: Atomic<bool>,
    pub(super) connected: Atomic<bool>,
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
    pub(super) abort_err: Atomic<bool>,
    /// The connection's id, for trace events.
    connection: Atomic<u32>,
    /// Numbers the trace events.
    seq: Atomic<u64>,
    /// Seconds that a request may take; set before the work is queued.
    pub(in crate::transport) request_timeout: Atomic<u32>,
    /// Looks for requests that take longer.
    #[pin]
    pub(in crate::transport) timeout_work: DelayedWork<Self>,
    pub(super) latency: Latency,
    /// What is done in place of callers that have left, by the work, which the timer queues.
    #[pin]
    pub(in crate::transport) left: LeftJobs,
    #[pin]
    pub(super) left_work: Work<Self, LEFT_WORK>,
    #[pin]
    pub(super) left_timer: DelayedWork<Self, LEFT_TIMER>,
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
        let slot_cache = SlotCache::user()?;
        let slots = Slots::new(&slot_cache, Gfp::KERNEL | Gfp::ACCOUNT)?;
        let requests = RequestCache::user()?;
        Arc::pin_init(
            pin_init!(Self {
                queues <- Queues::new(slots, slot_cache),
                requests,
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
        )
    }

    /// How long requests take, if that is measured.
    pub(crate) fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Sets the connection's id, which is the superblock's device number.
    pub(crate) fn set_connection(&self, dev: u32) {
        self.connection.store(dev, Relaxed);
    }

    /// Who is told of notifications that concern the filesystem. Set once, before the first device
    /// is installed.
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
    pub(in crate::transport) fn trace_step(
        &self,
        unique: u64,
        opcode: u32,
        device: u64,
    ) -> trace::Step {
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
        let _ = self.step(|engine| engine.set_initialized());
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

    /// Remembers that the daemon lacks an operation, for callers that ask before sending it again.
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
        self.queues.waiting.count()
    }

    /// Whether the daemon has enough to do in the background.
    pub(crate) fn is_congested(&self) -> bool {
        self.queues.num_background() >= self.congestion_threshold()
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
        self.peek(Engine::max_background)
    }

    /// Sets how many background requests may be with the daemon at once.
    pub(crate) fn set_max_background(&self, max: u32) {
        let _ = self.step(|engine| engine.set_max_background(max));
    }

    /// See [`Queues::step`].
    #[inline(always)]
    pub(in crate::transport) fn step<R: StepResult>(
        &self,
        change: impl FnOnce(&mut Engine) -> R,
    ) -> R {
        self.queues.step(change)
    }

    /// See [`Queues::peek`].
    #[inline]
    pub(in crate::transport) fn peek<R>(&self, look: impl FnOnce(&Engine) -> R) -> R {
        self.queues.peek(look)
    }

    /// See [`Queues::is_readable`].
    #[inline]
    pub(in crate::transport) fn is_readable(&self) -> bool {
        self.queues.is_readable()
    }

    /// Those who wait for something to read.
    #[inline]
    pub(in crate::transport) fn readers(&self) -> &Readers {
        &self.queues.readers
    }

    /// Slots for one more device. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINTR` if killed while another task adds some.
    pub(in crate::transport) fn grow_for_device(&self) -> Result {
        self.queues.grow(1, Need::MayFail)
    }
}
