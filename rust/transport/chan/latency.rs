// SPDX-License-Identifier: GPL-2.0

//! How long requests wait for the daemon, and how long the daemon takes, for each operation.
//!
//! No counterpart in C. Off until asked for; while no channel measures, a request pays for it with
//! jumps that are not taken. Takes no lock: counters are atomic, and may be a step behind one
//! another.

use crate::{
    abi::Opcode,
    kapi::{
        fuse::jump_label::latency_enabled,
        time::timekeeping::ktime_get_ns, //
    },
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
        SetOnce, //
    },
};

/// Opcodes below this are counted; there are few others, of other kinds of device.
const OPCODES: u32 = 64;

/// Buckets of a histogram: the first is for less than a microsecond, each further one for twice the
/// time of that before, the last for all the rest.
pub(crate) const BUCKETS: usize = 32;

/// A histogram of times.
struct Histogram([Atomic<u64>; BUCKETS]);

impl Histogram {
    fn new() -> Self {
        Self(core::array::from_fn(|_| Atomic::new(0)))
    }

    fn add(&self, nanos: u64) {
        let bucket = (nanos / 1000)
            .checked_ilog2()
            .map_or(0, |log| log as usize + 1);
        if let Some(count) = self.0.get(bucket.min(BUCKETS - 1)) {
            count.fetch_add(1, Relaxed);
        }
    }

    fn get(&self) -> [u64; BUCKETS] {
        core::array::from_fn(|bucket| self.0.get(bucket).map_or(0, |count| count.load(Relaxed)))
    }

    fn clear(&self) {
        for count in &self.0 {
            count.store(0, Relaxed);
        }
    }
}

/// Of one operation.
struct Counters {
    ended: Atomic<u64>,
    errors: Atomic<u64>,
    queued: Histogram,
    daemon: Histogram,
}

impl Counters {
    fn new() -> Self {
        Self {
            ended: Atomic::new(0),
            errors: Atomic::new(0),
            queued: Histogram::new(),
            daemon: Histogram::new(),
        }
    }
}

/// What has been measured of one operation.
pub(crate) struct Measured {
    /// Which.
    pub(crate) opcode: Opcode,
    /// Requests that have ended.
    pub(crate) ended: u64,
    /// Those of them that ended with an error.
    pub(crate) errors: u64,
    /// From when it was sent until the daemon read it.
    pub(crate) queued: [u64; BUCKETS],
    /// From there until the reply.
    pub(crate) daemon: [u64; BUCKETS],
}

/// A channel's counters.
pub(crate) struct Latency {
    on: Atomic<bool>,
    /// By opcode; made when first asked for.
    table: SetOnce<KVVec<Counters>>,
}

impl Latency {
    pub(super) fn new() -> Self {
        Self {
            on: Atomic::new(false),
            table: SetOnce::new(),
        }
    }

    /// Begins to measure, from zero, or stops to. Whoever has it begin holds a
    /// [`LatencyKey`](crate::kapi::fuse::jump_label::LatencyKey) until it stops.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn measure(&self, on: bool) -> Result {
        if on && self.table.as_ref().is_none() {
            let mut table = KVVec::with_capacity(OPCODES as usize, GFP_KERNEL)?;
            for _ in 0..OPCODES {
                table.push(Counters::new(), GFP_KERNEL)?;
            }
            // If another has made one meanwhile, that does as well.
            self.table.populate(table);
        }
        if on {
            for counters in self.table.as_ref().into_iter().flatten() {
                counters.ended.store(0, Relaxed);
                counters.errors.store(0, Relaxed);
                counters.queued.clear();
                counters.daemon.clear();
            }
        }
        self.on.store(on, Release);
        Ok(())
    }

    /// Is anything measured?
    pub(crate) fn is_measured(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// What was measured of opcode `from`, or of the next one that there were requests of.
    pub(crate) fn measured(&self, from: u32) -> Option<Measured> {
        let table = self.table.as_ref()?;
        (from..OPCODES).find_map(|number| {
            let counters = table.get(number as usize)?;
            let opcode = Opcode::from_raw(number)?;
            let measured = Measured {
                opcode,
                ended: counters.ended.load(Relaxed),
                errors: counters.errors.load(Relaxed),
                queued: counters.queued.get(),
                daemon: counters.daemon.get(),
            };
            let some = measured.ended != 0 || measured.queued.iter().any(|&count| count != 0);
            some.then_some(measured)
        })
    }

    fn counters(&self, opcode: u32) -> Option<&Counters> {
        // Pairs with `measure()`.
        if !self.on.load(Acquire) {
            return None;
        }
        self.table.as_ref()?.get(opcode as usize)
    }
}

/// When things happened to a request, in nanoseconds; 0 if they were not measured.
pub(super) struct Times {
    queued: Atomic<u64>,
    taken: Atomic<u64>,
}

impl Times {
    pub(super) fn new() -> Self {
        Self {
            queued: Atomic::new(0),
            taken: Atomic::new(0),
        }
    }

    /// The request is about to be queued.
    #[inline]
    pub(super) fn queued(&self) {
        if latency_enabled() {
            self.queued.store(ktime_get_ns(), Relaxed);
        }
    }

    /// A reader has taken the request. If it was taken before (and is sent again), only the
    /// daemon's time begins anew.
    #[cold]
    pub(super) fn taken(&self, latency: &Latency, opcode: u32) {
        let now = ktime_get_ns();
        let before = self.taken.load(Relaxed);
        self.taken.store(now, Relaxed);
        let queued = self.queued.load(Relaxed);
        if before != 0 || queued == 0 {
            return;
        }
        if let Some(counters) = latency.counters(opcode) {
            counters.queued.add(now.saturating_sub(queued));
        }
    }

    /// The request ends.
    #[cold]
    pub(super) fn ended(&self, latency: &Latency, opcode: u32, error: i32) {
        let Some(counters) = latency.counters(opcode) else {
            return;
        };
        counters.ended.fetch_add(1, Relaxed);
        if error != 0 {
            counters.errors.fetch_add(1, Relaxed);
        }
        let taken = self.taken.load(Relaxed);
        if taken != 0 {
            counters.daemon.add(ktime_get_ns().saturating_sub(taken));
        }
    }
}
