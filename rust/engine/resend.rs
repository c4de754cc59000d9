// SPDX-License-Identifier: GPL-2.0

//! Sending again what the daemon has, after it was restarted on a saved descriptor.
//!
//! C: `fuse_chan_resend`, in one go under the locks. Here in pieces: requests go to a list of their
//! own (they cannot be claimed, and can be cancelled), which goes to the front of pending as a
//! whole in the end. The engine's lock is held.

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
    DeviceId, Effects, Engine, ForgetQueue, Payload, ReqId, Ticket,
};
use core::ops::DerefMut;

/// Requests and devices looked at in one step; one in the host tests, to have several steps.
const STEP: u32 = if cfg!(test) { 1 } else { 64 };

/// How far a resend has come. Start with `Resend::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Resend {
    begun: bool,
    /// Devices that have not been looked at; they are at the front of the list.
    devices: u32,
    /// The device at hand, now at the end of the list.
    device: Option<DeviceId>,
    /// Requests of it that have not been looked at.
    left: u32,
}

/// What a piece of a resend has done.
#[must_use]
#[derive(Debug)]
pub(crate) struct Resent<P> {
    /// To be carried out.
    pub(crate) effects: Effects,
    /// There is more: call again with the same [`Resend`], having dropped the lock.
    pub(crate) more: bool,
    /// A request that the engine has let go of, as it cannot be sent again: outside the lock, end
    /// it with `EINTR`, unless somebody else does (`LendState::abort_take`).
    pub(crate) spent: Option<P>,
}

/// What became of one request.
enum One<P> {
    /// It was taken back, or is at the end of the device's list.
    Moved,
    /// There is none, or the device has been closed.
    None,
    /// The engine has let go of it.
    Spent(P, Effects),
}

impl<P: Payload, F: ForgetQueue, B: DerefMut<Target = Segment<P, B>>> Engine<P, F, B> {
    /// Does a piece.
    pub(crate) fn resend(&mut self, resend: &mut Resend) -> Resent<P> {
        let mut resent = Resent {
            effects: Effects::default(),
            more: false,
            spent: None,
        };
        if !self.connected {
            return resent;
        }
        if !resend.begun {
            resend.begun = true;
            resend.devices = self.num_devices;
        }
        for _ in 0..STEP {
            match resend.device.filter(|_| resend.left > 0) {
                Some(device) => {
                    resend.left = resend.left.wrapping_sub(1);
                    match self.resend_one(device) {
                        One::Moved => {}
                        One::None => resend.left = 0,
                        One::Spent(payload, effects) => {
                            resent.spent = Some(payload);
                            resent.effects = effects;
                            resent.more = true;
                            return resent;
                        }
                    }
                }
                None if resend.devices > 0 => {
                    resend.devices = resend.devices.wrapping_sub(1);
                    resend.device = self.rotate_devices();
                    resend.left = self.device_count(resend.device);
                }
                None => {
                    let recalled = core::mem::replace(&mut self.recalled, List::EMPTY);
                    self.pending = self.store.join(recalled, self.pending);
                    let readers = if recalled.is_empty() { 0 } else { Effects::ALL };
                    resent.effects = Effects::readers(readers);
                    return resent;
                }
            }
        }
        resent.more = true;
        resent
    }

    /// Moves the first device to the end of the list.
    fn rotate_devices(&mut self) -> Option<DeviceId> {
        let index = self.devices.first;
        let stamp = self.store.get(index)?.stamp;
        self.devices = self.store.unlink::<SIDE, P>(self.devices, index);
        self.devices = self.store.push_back::<SIDE, P>(self.devices, index);
        Some(DeviceId(Ticket { index, stamp }))
    }

    /// How many requests the device has.
    fn device_count(&mut self, device: Option<DeviceId>) -> u32 {
        device
            .and_then(|device| self.store.lookup(device.0))
            .map_or(0, |slot| slot.owner)
    }

    /// Takes back the first request of the device, or moves it to the end of its list if the daemon
    /// does not have all of it.
    fn resend_one(&mut self, device: DeviceId) -> One<P> {
        if !self.is_device(device) {
            return One::None;
        }
        let device = device.0.index;
        let list = self.device_list(device);
        let index = list.first;
        let Some(slot) = self.store.get_mut(index) else {
            return One::None;
        };
        let with_daemon = slot
            .payload
            .as_ref()
            .filter(|_| slot.state == State::Processing);
        if with_daemon.is_some_and(|payload| payload.sent() && payload.spent()) {
            return match self.let_go(index) {
                Some((payload, effects)) => One::Spent(payload, effects),
                None => One::None,
            };
        }
        if !with_daemon.is_some_and(P::recall) {
            let list = self.store.unlink::<MAIN, P>(list, index);
            let list = self.store.push_back::<MAIN, P>(list, index);
            self.set_device_list(device, list, |count| count);
            return One::Moved;
        }
        self.leave_device(index);
        if let Some(slot) = self.store.get_mut(index) {
            slot.state = State::Pending;
            slot.owner = NIL;
            slot.unique |= ReqId::RESEND;
        }
        self.recalled = self.store.push_back::<MAIN, P>(self.recalled, index);
        One::Moved
    }
}
