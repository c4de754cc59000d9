// SPDX-License-Identifier: GPL-2.0

//! What a writer of the device does: claim the request that it replies to.
//!
//! C: the middle of `fuse_dev_do_write`. Differs in that the claimed request leaves the engine at
//! once: the first copy is atomic and short, so nobody needs to find the request meanwhile. A
//! writer that must fault pages in puts it back where an abort finds it ([`Engine::relist`]). The
//! engine's lock is held.

use super::{
    segment::{
        Segment,
        SLOTS, //
    },
    slot::{
        State,
        NIL, //
    },
    table::Table,
    DeviceId, Effects, Engine, ForgetQueue, Payload, ReqId, Ticket,
};
use core::ops::DerefMut;

/// A request that was found by its unique.
#[derive(Debug)]
pub(crate) struct Claimed<P> {
    /// The request, with its arguments lent to the writer.
    pub(crate) payload: P,
    /// To be carried out before copying. `None`: of a request that nobody else waited behind, after
    /// which there is as much to read as before.
    pub(crate) effects: Option<Effects>,
}

/// What became of the reply to an INTERRUPT.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InterruptReply {
    /// No such request: `ENOENT`.
    NotFound,
    /// Found; nothing was asked for.
    Found,
    /// To be sent again, but it never was: `EINVAL`.
    NotInterrupted,
    /// Queued again (or still).
    Again(Effects),
}

impl<P: Payload, F: ForgetQueue, B: DerefMut<Target = Segment<P, B>>> Engine<P, F, B> {
    /// Bucket and slot of a request that was read through `device`.
    #[inline]
    fn find(&mut self, device: DeviceId, unique: ReqId) -> Option<(u32, u32)> {
        if cfg!(test) {
            assert!(self.is_device(device), "released");
        }
        if !self.connected {
            return None;
        }
        let bucket = self.table.bucket(unique.0);
        let index = Table::find(&self.store, bucket, unique.0)?;
        self.store
            .get(index)
            .filter(|slot| slot.owner == device.0.index)?;
        Some((bucket, index))
    }

    /// Takes the request that a reply is for out of the engine, its arguments lent to the writer.
    ///
    /// `None` (`ENOENT`) if there is none with this id that was read through this device, all of
    /// it. The device has not been released: whoever writes has its file open.
    ///
    /// Then copy the reply in. Usually that succeeds at once: `finish`, wake up the caller. If
    /// pages must be faulted in: [`Engine::relist`], `park`, fault, `resume`, copy, and in the end
    /// [`Engine::remove`] before `finish`.
    #[inline]
    pub(crate) fn claim(&mut self, device: DeviceId, unique: ReqId) -> Option<Claimed<P>> {
        let (bucket, index) = self.find(device, unique)?;
        let slot = self.store.get(index)?;
        if !slot.payload.as_ref()?.claim() {
            return None;
        }
        // What follows from a slot of the first segment is known.
        if slot.interrupt || index >= SLOTS {
            let (payload, effects) = self.let_go(index)?;
            return Some(Claimed {
                payload,
                effects: Some(effects),
            });
        }
        let background = slot.background;
        let payload = self.let_go_alone(bucket, index)?;
        // The daemon has it, so it has passed.
        let effects = background.then(|| self.leave_background(true));
        Some(Claimed { payload, effects })
    }

    /// Puts a claimed request where an abort finds it, while its writer faults pages in: in the
    /// slot that there is for it, see [`super::store`].
    ///
    /// # Errors
    ///
    /// Gives it back if aborted meanwhile; the writer ends it with `ECONNABORTED`.
    pub(crate) fn relist(&mut self, device: DeviceId, payload: P) -> Result<Ticket, P> {
        if !self.connected || !self.is_device(device) {
            return Err(payload);
        }
        let Some((ticket, slot)) = self.store.alloc() else {
            return Err(payload);
        };
        slot.payload = Some(payload);
        self.enter_device(device.0.index, ticket.index, State::Copying, NIL);
        Ok(ticket)
    }

    /// A reply to the INTERRUPT of the request `unique` (without the interrupt's bit). `again` if
    /// the daemon asks to be sent it again (`EAGAIN`).
    pub(crate) fn interrupt_reply(
        &mut self,
        device: DeviceId,
        unique: ReqId,
        again: bool,
    ) -> InterruptReply {
        let Some((_, index)) = self.find(device, unique) else {
            return InterruptReply::NotFound;
        };
        let Some(slot) = self.store.get(index) else {
            return InterruptReply::NotFound;
        };
        let queued = slot.interrupt;
        let Some(payload) = slot.payload.as_ref().filter(|payload| payload.sent()) else {
            return InterruptReply::NotFound;
        };
        if !again {
            InterruptReply::Found
        } else if !payload.interrupted() {
            InterruptReply::NotInterrupted
        } else if queued {
            InterruptReply::Again(Effects::default())
        } else {
            InterruptReply::Again(self.enter_interrupts(index))
        }
    }
}
