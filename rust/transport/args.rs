// SPDX-License-Identifier: GPL-2.0

//! What a request carries: its message, room for the reply, and a payload.
//!
//! C counterpart: `struct fuse_args`, except that a request owns all of it, so that it can outlive
//! its caller. Reached through a lease only (`kapi::lend`); takes no lock.

use super::{
    background::End,
    copy::Copier,
    payload::{
        Payload,
        PayloadCursor, //
    }, //
};
use crate::abi::{
    BadReply,
    Body,
    Creds,
    Entry,
    InHeader,
    Minor,
    NodeId,
    Op,
    Reply,
    Writer, //
};
use kernel::prelude::*;
use zerocopy::IntoBytes;

/// Bytes that a request has room for in itself: a header, the longest fixed arguments and a name of
/// ordinary length; or a reply's fixed part, of which the longest is an entry and an open file.
/// Longer ones get memory of their own.
pub(super) const OWN: usize = 200;

/// Where `unique` lies in [`InHeader`].
const UNIQUE: core::ops::Range<usize> = 8..16;

/// A few bytes in place, more of them in memory of their own.
struct Bytes {
    len: usize,
    inline: [u8; OWN],
    heap: Option<KVec<u8>>,
}

impl Bytes {
    fn new() -> impl Init<Self> {
        init!(Self {
            len: 0,
            inline <- pin_init::init_zeroed(),
            heap: None,
        })
    }

    /// Makes room for `len` bytes, before anything is written.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, only if `len` is more than [`OWN`].
    #[inline]
    fn reserve(&mut self, len: usize) -> Result {
        if len > OWN {
            let mut heap = KVec::with_capacity(len, GFP_KERNEL)?;
            heap.resize(len, 0, GFP_KERNEL)?;
            self.heap = Some(heap);
        }
        Ok(())
    }

    /// Bytes that there is room for.
    #[inline]
    fn room(&self) -> usize {
        self.heap.as_ref().map_or(OWN, KVec::len)
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        let bytes = match &self.heap {
            None => self.inline.get(..self.len),
            Some(heap) => heap.get(..self.len),
        };
        bytes.unwrap_or_default()
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes = match &mut self.heap {
            None => self.inline.get_mut(..self.len),
            Some(heap) => heap.get_mut(..self.len),
        };
        bytes.unwrap_or_default()
    }
}

/// What a request carries.
pub(super) struct Args {
    /// The message; from the moment that a reply is copied in, the reply's own part. Nobody reads
    /// the message again then, for a request whose reply has begun ends with it.
    bytes: Bytes,
    expect: Reply,
    minor: Minor,
    payload: Payload,
    /// Bytes of payload in the reply.
    payload_len: usize,
    /// The result: 0 or a negative errno.
    pub(super) error: i32,
    /// Bytes of the reply, its header included; for the trace event.
    pub(super) reply_len: u32,
    /// Who is told the end, of a background request.
    pub(super) end: Option<KBox<dyn End>>,
}

/// How far a message has been copied.
#[derive(Default)]
pub(super) struct Cursor {
    /// Bytes of the message's, or the reply's, own part.
    own: usize,
    payload: PayloadCursor,
}

impl Args {
    /// Empty.
    pub(super) fn new() -> impl Init<Self> {
        init!(Self {
            bytes <- Bytes::new(),
            expect: Reply::None,
            minor: Minor::new(0),
            payload: Payload::None,
            payload_len: 0,
            error: 0,
            reply_len: 0,
            end: None,
        })
    }

    /// Encodes an operation.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, only if message or reply are longer than a request has room for; `EIO` if the
    /// message is longer than 32 bits can say.
    pub(super) fn fill<O: Op>(
        &mut self,
        node: Option<NodeId>,
        creds: Creds,
        op: &O,
        minor: Minor,
    ) -> Result {
        let in_len = op.in_len(minor);
        let header =
            InHeader::new(O::OPCODE, node, creds, in_len, op.payload_in()).map_err(|_| EIO)?;

        let len = in_len.checked_add(InHeader::SIZE).ok_or(EIO)?;
        self.expect = op.reply(minor);
        self.bytes.reserve(len.max(self.expect.space()))?;
        self.bytes.len = len;
        let mut writer = Writer::new(self.bytes.bytes_mut());
        writer.put(&header).map_err(|_| EIO)?;
        op.encode(&mut writer, minor).map_err(|_| EIO)?;

        self.minor = minor;
        Ok(())
    }

    /// Exchanges the payload; what is sent must be as long as the operation said.
    #[inline]
    pub(super) fn swap_payload(&mut self, payload: &mut Payload) {
        // Most requests have none, and moving nothing costs something.
        if !self.payload.is_none() || !payload.is_none() {
            core::mem::swap(&mut self.payload, payload);
        }
    }

    /// Takes the payload out.
    pub(super) fn take_payload(&mut self) -> Payload {
        core::mem::replace(&mut self.payload, Payload::None)
    }

    /// Bytes of the whole message.
    pub(super) fn len(&self) -> usize {
        self.bytes.len.saturating_add(self.payload.len_out())
    }

    /// Sets the number under which the message goes out.
    pub(super) fn set_unique(&mut self, unique: u64) {
        if let Some(place) = self.bytes.bytes_mut().get_mut(UNIQUE) {
            place.copy_from_slice(unique.as_bytes());
        }
    }

    /// Copies the message out as far as that goes without a fault. True if all has been copied.
    #[inline(always)]
    pub(super) fn copy_out(&self, cursor: &mut Cursor, copier: &mut Copier<'_>) -> bool {
        let message = self.bytes.bytes();
        if let Some(rest @ [_, ..]) = message.get(cursor.own..) {
            cursor.own = cursor.own.saturating_add(copier.put(rest));
            if cursor.own < message.len() {
                return false;
            }
        }
        self.payload.is_none() || self.payload.copy_out(&mut cursor.payload, copier)
    }

    /// Prepares for a reply without an error, with `body_len` bytes after the header.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a reply of the wrong length.
    #[inline(always)]
    pub(super) fn start_reply(&mut self, body_len: usize) -> Result {
        let split = self.expect.split(body_len).map_err(|_| EINVAL)?;
        if split.own > self.bytes.room() {
            return Err(EINVAL);
        }
        self.bytes.len = split.own;
        self.payload_len = split.payload;
        if split.payload == 0 && self.payload.is_none() {
            return Ok(());
        }
        self.payload.start_in(split.payload)
    }

    /// Copies the reply in as far as that goes without a fault. True if all has been copied.
    #[inline(always)]
    pub(super) fn copy_in(&mut self, cursor: &mut Cursor, copier: &mut Copier<'_>) -> bool {
        let own = self.bytes.bytes_mut();
        if let Some(rest @ [_, ..]) = own.get_mut(cursor.own..) {
            cursor.own = cursor.own.saturating_add(copier.get(rest));
            if cursor.own < own.len() {
                return false;
            }
        }
        self.payload.is_none()
            || self
                .payload
                .copy_in(self.payload_len, &mut cursor.payload, copier)
    }

    /// The request's error, or bytes of payload in the reply.
    pub(super) fn result(&self) -> Result<usize> {
        match self.error {
            0 => Ok(self.payload_len),
            error => Err(Error::from_errno(error)),
        }
    }

    /// The request's error, or the reply.
    ///
    /// # Errors
    ///
    /// Also `EIO` for a malformed reply.
    pub(super) fn decode<O: Op>(&self, op: &O) -> Result<O::Out> {
        self.parse(|body, minor| op.decode(body, minor))
    }

    /// The request's error, or what `parse` makes of the reply.
    ///
    /// # Errors
    ///
    /// Also `EIO` for a malformed reply.
    pub(super) fn parse<R>(
        &self,
        parse: impl FnOnce(Body<'_>, Minor) -> Result<R, BadReply>,
    ) -> Result<R> {
        let payload = self.result()?;
        parse(Body::new(self.bytes.bytes(), payload), self.minor)
            .map_err(|bad| Error::from_errno(bad.errno().to_negative()))
    }

    /// The node of the entry that the reply is; `None` if there is none to be given back.
    pub(super) fn entry_node(&self) -> Option<NodeId> {
        let payload = self.result().ok()?;
        Entry::node_of(Body::new(self.bytes.bytes(), payload), self.minor)
    }

    /// Does without its caller what is left to be done with the payload.
    pub(super) fn finish_payload(&mut self) {
        let received = self.result();
        self.take_payload().finish(received);
    }
}
