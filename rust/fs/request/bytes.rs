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
    transport::Payload, //
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
        let (result, payload) = self.call_with(on, op, Payload::Out(buffer, max), then);
        result?;
        match payload {
            Payload::Out(bytes, _) => Ok(bytes),
            // It goes with a caller that leaves, who has an error then.
            _ => Err(EIO),
        }
    }
}
