// SPDX-License-Identifier: GPL-2.0

//! Looking at all requests without moving any.
//!
//! C: `fuse_check_timeout`, which looks at the head of each list. Here by slot number, so that a
//! look can be interrupted anywhere and go on: a request that is there all the time is seen once,
//! whatever others do meanwhile. The engine's lock is held.

use super::{
    segment::Segment,
    slot::State,
    store::Store,
    Engine,
    ForgetQueue,
    Payload,
    ReqId, //
};
use core::ops::DerefMut;

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Held back, as there are as many background requests as may be.
    Background,
    /// To be read by the daemon.
    Pending,
    /// Read by the daemon, or being read; a reply is to come.
    Processing,
    /// Read without a reply to come, or its reply is being written.
    Copying,
}

/// A request that was seen.
#[derive(Debug)]
pub(crate) struct Seen<'a, P> {
    /// The number of its slot.
    pub(crate) slot: u32,
    /// The request.
    pub(crate) payload: &'a P,
    /// Its id; 0 while it is held back, and while its reply is being written.
    pub(crate) unique: ReqId,
    /// Where it is.
    pub(crate) place: Place,
}

impl<P: Payload, F: ForgetQueue, B: DerefMut<Target = Segment<P, B>>> Engine<P, F, B> {
    /// Shows the requests in slots from number `from` on to `see`, as long as that says true, and a
    /// bounded number of them. Returns where to go on, having dropped the lock; `None` at the end.
    pub(crate) fn scan(&self, from: u32, mut see: impl FnMut(Seen<'_, P>) -> bool) -> Option<u32> {
        let mut next = from;
        let end = Store::<B>::segment_end(from);
        while next < end {
            let Some(number) = self.store.next_used(next) else {
                break;
            };
            let slot = self.store.get(number)?;
            next = number.wrapping_add(1);
            let place = match slot.state {
                State::Free | State::Device | State::Leaving => continue,
                State::Background => Place::Background,
                State::Pending => Place::Pending,
                State::Processing => Place::Processing,
                State::Copying => Place::Copying,
            };
            let Some(payload) = &slot.payload else {
                continue;
            };
            let seen = Seen {
                slot: number,
                payload,
                unique: ReqId(slot.unique),
                place,
            };
            if !see(seen) {
                return Some(next);
            }
        }
        self.store.next_segment(from)
    }
}
