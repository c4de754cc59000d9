// SPDX-License-Identifier: GPL-2.0

//! Tells callers that wait of a suspend, so that they are frozen where they are.
//!
//! A caller that sleeps already when a suspend begins or ends is woken up once, and sleeps again as
//! [`freeze`] says from then on.
//!
//! No counterpart in C. "fuse_channels" is a leaf: a round takes one channel at a time from the
//! list, and then the engine's lock for a bounded number of slots at a time. It waits for nothing
//! that a daemon could keep.

use crate::{
    kapi::{
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
        freeze,
        request::Req, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Requests whose callers are woken up at a time.
const BATCH: usize = 16;

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
    freeze::set_suspending(suspending);
    let mut from = 0;
    while let Some((number, chan)) = next(from) {
        chan.wake_callers();
        from = number;
    }
}

impl Chan {
    /// Wakes up all that wait for an answer or at the gate.
    fn wake_callers(&self) {
        self.wake_gate_all();
        let mut from = 0;
        loop {
            let mut batch: [Option<Req>; BATCH] = [const { None }; BATCH];
            let mut places = batch.iter_mut();
            let next = self.peek(|engine| {
                engine.scan(from, |seen| {
                    if let Some(place) = places.next() {
                        *place = Some(seen.payload.clone());
                    }
                    places.len() != 0
                })
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
