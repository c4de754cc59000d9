// SPDX-License-Identifier: GPL-2.0

//! Requests whose answer is bytes.
//!
//! C counterpart: `fuse_args::out_argvar`. Takes no locks; may sleep.

use super::{
    call::{
        Subject,
        Then, //
    },
    held::Afterwards, //
};
use crate::{
    abi::Op,
    fs::conn::connection::Conn,
    transport::{
        Outcome,
        Payload, //
    },
};
use kernel::prelude::*;

impl Conn {
    /// As [`call_then`](Self::call_then), of an operation whose answer is bytes: at most `max`, for
    /// which `buffer` has room.
    pub(in crate::fs) fn call_bytes<O: Op, A: Afterwards, T: Then<A>>(
        &self,
        on: impl Subject,
        op: &O,
        buffer: KVVec<u8>,
        max: usize,
        then: impl FnOnce() -> T,
    ) -> Result<KVVec<u8>> {
        self.call_payload(on, op, Payload::Out(buffer, max), then)
    }

    /// The same, where the bytes are not for a caller alone that leaves: `then` gets them
    /// ([`kept_bytes`]).
    pub(in crate::fs) fn call_kept_bytes<O: Op, A: Afterwards, T: Then<A>>(
        &self,
        on: impl Subject,
        op: &O,
        buffer: KVVec<u8>,
        max: usize,
        then: impl FnOnce() -> T,
    ) -> Result<KVVec<u8>> {
        self.call_payload(on, op, Payload::Kept(buffer, max), then)
    }

    fn call_payload<O: Op, A: Afterwards, T: Then<A>>(
        &self,
        on: impl Subject,
        op: &O,
        payload: Payload,
        then: impl FnOnce() -> T,
    ) -> Result<KVVec<u8>> {
        let (result, payload) = self.call_with(on, op, payload, then);
        result?;
        bytes(payload)
    }
}

/// What has come.
fn bytes(payload: Payload) -> Result<KVVec<u8>> {
    match payload {
        Payload::Out(bytes, _) | Payload::Kept(bytes, _) => Ok(bytes),
        // It goes with a caller that leaves, who has an error then.
        _ => Err(EIO),
    }
}

/// What has come for [`Conn::call_kept_bytes`], whose caller has left.
///
/// # Errors
///
/// The request's.
pub(in crate::fs) fn kept_bytes(outcome: &mut Outcome<'_>) -> Result<KVVec<u8>> {
    outcome.result()?;
    bytes(outcome.payload())
}
