// SPDX-License-Identifier: GPL-2.0

//! What a request has ended with, for whoever is told without having waited for it.
//!
//! C counterpart: `fuse_args::end`. Takes no lock.

use super::{
    args::Args,
    payload::Payload, //
};
use crate::abi::{
    BadReply,
    Body,
    Minor,
    Op, //
};
use kernel::prelude::*;

/// What is to happen when a background request ends.
pub(crate) trait OnEnd: Send {
    /// Called once: in the daemon's write(2), in an aborter's, or in the sender's context; process
    /// context, no lock held. Must not drop the last reference to a file or an inode.
    fn ended(self: KBox<Self>, outcome: Outcome<'_>);
}

/// What a request has ended with: an error or the reply, and its payload.
pub(crate) struct Outcome<'a>(&'a mut Args);

impl<'a> Outcome<'a> {
    pub(in crate::transport) fn new(args: &'a mut Args) -> Self {
        Self(args)
    }

    /// The request's error, or bytes of payload that the daemon has sent.
    pub(crate) fn result(&self) -> Result<usize> {
        self.0.result()
    }

    /// The request's error, or the reply; `EIO` if that is malformed. To be called with the
    /// operation that was sent.
    pub(crate) fn decode<O: Op>(&self, op: &O) -> Result<O::Out> {
        self.0.decode(op)
    }

    /// The request's error, or what `parse` makes of the reply; `EIO` if that is malformed.
    pub(crate) fn parse<R>(
        &self,
        parse: impl FnOnce(Body<'_>, Minor) -> Result<R, BadReply>,
    ) -> Result<R> {
        self.0.parse(parse)
    }

    /// Takes the payload. Without that it is dropped with the request, which a daemon that copies
    /// it may keep for long.
    pub(crate) fn payload(&mut self) -> Payload {
        self.0.take_payload()
    }
}
