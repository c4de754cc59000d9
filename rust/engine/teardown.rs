// SPDX-License-Identifier: GPL-2.0

//! Abort of the channel and release of a device, in bounded steps.
//!
//! C: `fuse_chan_abort`, `fuse_dev_release`, `fuse_dev_end_requests`. The engine's lock is held.

use super::{
    list::{
        List,
        MAIN,
        SIDE, //
    },
    segment::Segment,
    slot::{
        State,
        NIL, //
    },
    DeviceId,
    Effects,
    Engine,
    ForgetQueue,
    Payload, //
};
use core::ops::DerefMut;

/// Requests let go of in one step; one in the host tests, to have several steps.
pub(crate) const BATCH: usize = if cfg!(test) { 1 } else { 16 };

/// Requests that the engine has let go of, in order. For each, outside the lock:
/// `LendState::abort_take`, and if taken end it with `ECONNABORTED`; then drop it.
#[must_use]
#[derive(Debug)]
pub(crate) struct Batch<P> {
    /// The requests, then `None`.
    pub(crate) requests: [Option<P>; BATCH],
    /// To be carried out.
    pub(crate) effects: Effects,
    /// There are more: call again.
    pub(crate) more: bool,
}

/// Which requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Drain {
    /// All, after [`Engine::abort`].
    All,
    /// Those of a device, after [`Engine::release`].
    Device(DeviceId),
}

/// What follows from the release of a device.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Released {
    /// It was the last one: when its requests have been drained, the channel is to be aborted.
    pub(crate) last: bool,
    /// To be carried out.
    pub(crate) effects: Effects,
}

/// What follows from an abort.
#[must_use]
#[derive(Debug)]
pub(crate) struct Aborted<F> {
    /// The forgets that will not be sent, to be dropped.
    pub(crate) forgets: F,
    /// Wake up all readers and all at the gate, then [`Engine::drain`] [`Drain::All`].
    pub(crate) effects: Effects,
}

impl<P: Payload, F: ForgetQueue, B: DerefMut<Target = Segment<P, B>>> Engine<P, F, B> {
    /// Disconnects: nothing can be submitted, read or claimed any more, and nobody waits at the
    /// gate. `None` if that was so already. `with_err`: see [`Engine::is_aborted_with_err`].
    pub(crate) fn abort(&mut self, with_err: bool) -> Option<Aborted<F>> {
        self.abort_with_err = with_err;
        if !self.connected {
            return None;
        }
        self.connected = false;
        self.initialized = true;
        self.blocked = false;
        self.max_background = u32::MAX;
        let effects = Effects {
            readers: Effects::ALL,
            gate: Effects::ALL,
            ..Effects::default()
        };
        Some(Aborted {
            forgets: core::mem::take(&mut self.forgets),
            effects,
        })
    }

    /// A device is being closed: nothing can be read or claimed through it any more. Then
    /// [`Engine::drain`] [`Drain::Device`]; after that the name of the device is void.
    ///
    /// In C (and through files) no reader or writer can be inside it any more. Here a request that
    /// one has lent out is let go of like the others, and the mark of the abort tells it; and all
    /// readers are woken up, lest one that leaves keeps the wake-up that another needs.
    pub(crate) fn release(&mut self, device: DeviceId) -> Released {
        if !self.is_device(device) {
            return Released {
                last: false,
                effects: Effects::default(),
            };
        }
        let index = device.0.index;
        if self.drained.first == index || self.drained.last == index {
            self.drained = self.store.unlink::<SIDE, P>(self.drained, index);
        } else {
            self.devices = self.store.unlink::<SIDE, P>(self.devices, index);
        }
        if let Some(slot) = self.store.get_mut(index) {
            slot.state = State::Leaving;
        }
        self.num_devices = self.num_devices.saturating_sub(1);
        Released {
            last: self.num_devices == 0,
            effects: Effects::readers(Effects::ALL),
        }
    }

    /// Lets go of up to [`BATCH`] requests.
    pub(crate) fn drain(&mut self, which: Drain) -> Batch<P> {
        let mut batch = Batch {
            requests: [const { None }; BATCH],
            effects: Effects::default(),
            more: false,
        };
        for place in &mut batch.requests {
            let (next, more) = match which {
                Drain::All => self.drain_any(),
                Drain::Device(device) => self.drain_device(device),
            };
            batch.more = more;
            let Some((payload, effects)) = next else {
                break;
            };
            *place = Some(payload);
            batch.effects = batch.effects.and(effects);
        }
        // The slot of a device that was closed has come free, too.
        batch.effects.trim |= self.store.take_emptied();
        batch
    }

    /// One request, if there is one within reach; and whether to ask again.
    fn drain_any(&mut self) -> (Option<(P, Effects)>, bool) {
        let device = self.devices.first;
        if let Some(slot) = self.store.get(device) {
            if slot.links.next != NIL {
                return (self.drain_first(device), true);
            }
            // Nothing is added to a device any more.
            self.devices = self.store.unlink::<SIDE, P>(self.devices, device);
            self.drained = self.store.push_back::<SIDE, P>(self.drained, device);
            return (None, true);
        }
        let index = if !self.recalled.is_empty() {
            let List { first, .. } = self.recalled;
            self.recalled = self.store.unlink::<MAIN, P>(self.recalled, first);
            first
        } else if !self.pending.is_empty() {
            let List { first, .. } = self.pending;
            self.pending = self.store.unlink::<MAIN, P>(self.pending, first);
            first
        } else if !self.background.is_empty() {
            let List { first, .. } = self.background;
            self.background = self.store.unlink::<MAIN, P>(self.background, first);
            first
        } else {
            return (None, false);
        };
        (self.release_slot(index), true)
    }

    fn drain_device(&mut self, device: DeviceId) -> (Option<(P, Effects)>, bool) {
        let leaving = self
            .store
            .lookup(device.0)
            .is_some_and(|s| s.state == State::Leaving);
        if !leaving {
            return (None, false);
        }
        let next = self.drain_first(device.0.index);
        let more = next.is_some();
        if !more {
            self.store.free_device::<P>(device.0.index);
        }
        (next, more)
    }

    fn drain_first(&mut self, device: u32) -> Option<(P, Effects)> {
        let list = self.device_list(device);
        if list.is_empty() {
            return None;
        }
        self.let_go(list.first)
    }
}
