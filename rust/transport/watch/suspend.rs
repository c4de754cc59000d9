// SPDX-License-Identifier: GPL-2.0

//! Which callers may be frozen where they wait, and when.
//!
//! A caller that waits for its answer would hold up a suspend; in C it does, and the suspend fails. Frozen
//! where it sleeps it holds up nothing. But it may hold locks of the VFS: frozen by itself, as a control
//! group's freezer (v1) does, it would hold up all who want them, though the daemon has answered. The
//! kernel has one kind of sleep for both freezers, so callers sleep so only while a suspend is on its way
//! or the machine is suspended. Who sleeps already when that begins or ends is woken up once and sleeps
//! again, see [`wait`](crate::kapi::sync::wait#freezing).
//!
//! No counterpart in C. "fuse_channels" is a leaf: a round takes one channel at a time from the list, and
//! then the engine's lock for a bounded number of slots at a time. It waits for nothing that a daemon
//! could keep.

use crate::{
    engine::Effects,
    kapi::{
        fuse::moduleparam,
        sync::mutex::StaticMutex,
        task::{
            sched,
            suspend::{
                self,
                PmNotifier, //
            },
        },
    },
    transport::chan::{
        channel::Chan,
        request::Req, //
    },
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

/// Requests whose callers are woken up at a time.
const BATCH: usize = 16;

/// From before tasks are frozen until they have been thawed.
static SUSPENDING: Atomic<bool> = Atomic::new(false);

/// Whether a caller that waits for its answer may be frozen there. In C it never may.
#[inline]
pub(in crate::transport) fn may_freeze_caller() -> bool {
    SUSPENDING.load(Relaxed) && moduleparam::killable()
}

/// Whether a caller that is held back may be frozen there. In C it always may, with lockdep's warning if
/// it holds locks.
pub(in crate::transport) fn may_freeze_at_gate() -> bool {
    SUSPENDING.load(Relaxed) || !moduleparam::killable()
}

/// A channel that callers may wait on, by a number that grows.
struct Listed {
    number: u64,
    chan: Arc<Chan>,
}

/// All of them, in order.
struct Channels {
    last: u64,
    all: KVec<Listed>,
}

static CHANNELS: StaticMutex<Channels> = StaticMutex::new(
    c"fuse_channels",
    Channels {
        last: 0,
        all: KVec::new(),
    },
);

/// A channel is being mounted; nobody waits on it yet. Sleeps.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn add(chan: Arc<Chan>) -> Result {
    let mut channels = CHANNELS.lock();
    let number = channels.last.wrapping_add(1);
    channels.all.push(Listed { number, chan }, GFP_KERNEL)?;
    channels.last = number;
    Ok(())
}

/// A channel is being unmounted, or was not mounted after all: no callers any more. Sleeps.
pub(crate) fn remove(chan: &Arc<Chan>) {
    let mut channels = CHANNELS.lock();
    let position = |listed: &Listed| Arc::ptr_eq(&listed.chan, chan);
    if let Some(index) = channels.all.iter().position(position) {
        // The caller has a reference too.
        let _ = channels.all.remove(index);
    }
    // No memory stays behind at unload.
    if channels.all.is_empty() {
        channels.all = KVec::new();
    }
}

/// The first channel after `number`.
fn next(number: u64) -> Option<(u64, Arc<Chan>)> {
    let channels = CHANNELS.lock();
    let index = channels.all.partition_point(|it| it.number <= number);
    let listed = channels.all.get(index)?;
    Some((listed.number, listed.chan.clone()))
}

/// Changes how callers sleep, those that sleep already too.
fn set(suspending: bool) {
    SUSPENDING.store(suspending, Relaxed);
    let mut from = 0;
    while let Some((number, chan)) = next(from) {
        chan.wake_callers();
        from = number;
    }
}

impl Chan {
    /// Wakes up all that wait for an answer or at the gate.
    fn wake_callers(&self) {
        self.wake_gate(Effects::ALL);
        let mut from = 0;
        loop {
            let mut batch: [Option<Req>; BATCH] = [const { None }; BATCH];
            let mut places = batch.iter_mut();
            let next = self.engine.lock().scan(from, |seen| {
                if let Some(place) = places.next() {
                    *place = Some(seen.payload.clone());
                }
                places.len() != 0
            });
            // Woken up, and the references dropped, after the lock.
            for req in batch.into_iter().flatten() {
                req.wait.wake_up();
            }
            let Some(next) = next else {
                return;
            };
            from = next;
            sched::cond_resched();
        }
    }
}

/// A request is in the engine again after it was out of it, so that a round may have missed it. A short
/// copy that it is out for ends with its caller woken up anyway.
#[cold]
pub(in crate::transport) fn relisted(req: &Req) {
    // The round has had the engine's lock since it changed this, or sees the request.
    if SUSPENDING.load(Relaxed) {
        req.wait.wake_up();
    }
}

/// What the kernel tells.
pub(crate) enum Told {}

impl PmNotifier for Told {
    fn prepare() {
        set(true);
    }

    fn post() {
        set(false);
    }
}

/// Told until dropped.
pub(crate) type Registration = suspend::Registration<Told>;

/// From now on callers may be frozen. Before the first mount.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn register() -> Result<Registration> {
    Registration::new()
}
