// SPDX-License-Identifier: GPL-2.0

//! What a request carries: its message, room for the reply, and a payload.
//!
//! C counterpart: `struct fuse_args`, except that a request owns all of it, so that it can outlive
//! its caller. Reached through a lease only (`kapi::fuse::lend`); takes no lock.

use super::{
    copy::{
        CopyIn,
        CopyOut, //
    },
    outcome::OnEnd,
    payload::{
        Payload,
        PayloadCursor, //
    },
};
use crate::{
    abi::{
        BadReply,
        Body,
        Creds,
        InHeader,
        Minor,
        NodeId,
        Op,
        Reply,
        Writer, //
    },
    kapi::{
        fuse::moduleparam,
        lib::room::Room, //
    },
};
use core::{
    mem::offset_of,
    ops::Range, //
};
use kernel::prelude::*;
use zerocopy::IntoBytes;

/// Bytes that a request has room for in itself: a header, the longest fixed arguments and a name of
/// ordinary length; or a reply's fixed part, of which the longest is an entry and an open file.
/// Longer ones get memory of their own.
pub(super) const OWN: usize = 200;

/// A few bytes in place, more of them in memory of their own.
struct Bytes {
    len: usize,
    inline: Room<OWN>,
    heap: Option<KVec<u8>>,
}

impl Bytes {
    fn new() -> impl Init<Self> {
        init!(Self {
            len: 0,
            inline <- Room::new(),
            heap: None,
        })
    }

    /// A message of `len` bytes, all 0, with room for a reply of `reply`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, only if one of both is more than [`OWN`].
    #[inline(always)]
    fn start(&mut self, len: usize, reply: usize) -> Result<&mut [u8]> {
        self.len = len;
        let room = len.max(reply);
        if room > OWN {
            // Charged, as it may stay for as long as the daemon likes when its caller was killed.
            let flags = if moduleparam::killable() {
                GFP_KERNEL_ACCOUNT
            } else {
                GFP_KERNEL
            };
            let mut heap = KVec::with_capacity(room, flags)?;
            heap.resize(room, 0, GFP_KERNEL)?;
            self.heap = Some(heap);
            return Ok(self.bytes_mut());
        }
        // Mostly a reply's length, which is a constant: no loop then.
        if room == reply {
            self.inline.clear(reply);
        } else {
            self.inline.clear(len);
        }
        self.inline.get_mut(len).ok_or(EIO)
    }

    /// Bytes that there is room for.
    #[inline]
    fn room(&self) -> usize {
        self.heap.as_ref().map_or(self.inline.valid(), KVec::len)
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        let bytes = match &self.heap {
            None => self.inline.get(self.len),
            Some(heap) => heap.get(..self.len),
        };
        bytes.unwrap_or_default()
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes = match &mut self.heap {
            None => self.inline.get_mut(self.len),
            Some(heap) => heap.get_mut(..self.len),
        };
        bytes.unwrap_or_default()
    }
}

/// What is sent: an operation on a node, on behalf of a caller.
pub(crate) struct Message<'a, O> {
    /// The node that it is about; `None` of an operation on the connection.
    pub(crate) node: Option<NodeId>,
    /// Who asks.
    pub(crate) caller: Creds,
    /// What is asked for.
    pub(crate) op: &'a O,
}

/// What a request carries.
pub(in crate::transport) struct Args {
    /// The message; from the moment that a reply is copied in, the reply's own part. Nobody reads
    /// the message again then, for a request whose reply has begun ends with it.
    bytes: Bytes,
    expect: Reply,
    minor: Minor,
    payload: Payload,
    /// Bytes of payload in the reply.
    payload_len: usize,
    /// The result: 0 or a negative errno.
    pub(in crate::transport) error: i32,
    /// Bytes of the reply, its header included; for the trace event.
    pub(in crate::transport) reply_len: usize,
    /// Who is told the end, of a background request.
    pub(in crate::transport) end: Option<KBox<dyn OnEnd>>,
}

/// How far a message has been copied.
#[derive(Default)]
pub(in crate::transport) struct Cursor {
    /// Bytes of the message's, or the reply's, own part.
    own: usize,
    payload: PayloadCursor,
}

impl Cursor {
    /// Bytes in all.
    pub(in crate::transport) fn bytes(&self) -> usize {
        self.own.saturating_add(self.payload.bytes())
    }
}

impl Args {
    /// Where in it the message is, and the reply's own part later, unless they have memory of their
    /// own.
    pub(in crate::transport) const MESSAGE: Range<usize> = {
        let start = offset_of!(Self, bytes) + offset_of!(Bytes, inline) + Room::<OWN>::OFFSET;
        start..start + OWN
    };

    /// Empty.
    pub(in crate::transport) fn new() -> impl Init<Self> {
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

    /// Encodes an operation; returns the length of the message, payload included.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, only if message or reply are longer than a request has room for; `EIO` if the
    /// message is longer than 32 bits can say.
    pub(in crate::transport) fn fill<O: Op>(
        &mut self,
        message: &Message<'_, O>,
        minor: Minor,
    ) -> Result<u32> {
        let &Message { node, caller, op } = message;
        let in_len = op.in_len(minor);
        let header = InHeader::new(O::OPCODE, node, caller, in_len, op.payload_in())
            .and_then(|header| header.with_ext(op.ext_len()))
            .map_err(|_| EIO)?;

        let len = in_len.checked_add(InHeader::SIZE).ok_or(EIO)?;
        self.expect = op.reply(minor);
        // A reply is longest in our version, and that length is a constant.
        let message = self.bytes.start(len, op.reply(Minor::OURS).space())?;
        let mut writer = Writer::new(message);
        writer.put(&header).map_err(|_| EIO)?;
        op.encode(&mut writer, minor).map_err(|_| EIO)?;

        self.minor = minor;
        Ok(header.len)
    }

    /// Exchanges the payload; what is sent must be as long as the operation said.
    #[inline]
    pub(in crate::transport) fn swap_payload(&mut self, payload: &mut Payload) {
        // Most requests have none, and moving nothing costs something.
        if !self.payload.is_none() || !payload.is_none() {
            core::mem::swap(&mut self.payload, payload);
        }
    }

    /// Takes the payload out.
    pub(super) fn take_payload(&mut self) -> Payload {
        core::mem::replace(&mut self.payload, Payload::None)
    }

    /// See [`Payload::take_own`].
    pub(in crate::transport) fn take_own(&mut self) -> (Payload, bool) {
        self.payload.take_own()
    }

    /// See [`Payload::sends_own`].
    pub(in crate::transport) fn sends_own(&self) -> bool {
        self.payload.sends_own()
    }

    /// Copies the message out under this number as far as that goes without a fault; how far, if
    /// that is not all.
    #[inline(always)]
    pub(in crate::transport) fn start_copy_out(
        &mut self,
        unique: u64,
        to: &mut impl CopyOut,
    ) -> Result<(), Cursor> {
        let message = self.bytes.bytes_mut();
        if let Some(place) = message.get_mut(InHeader::UNIQUE) {
            place.copy_from_slice(unique.as_bytes());
        }
        let own = to.put(message);
        if own == message.len() && self.payload.is_none() {
            return Ok(());
        }
        self.copy_payload_out(own, to)
    }

    /// The rest of it, if there is any.
    #[inline(never)]
    fn copy_payload_out(&self, own: usize, to: &mut impl CopyOut) -> Result<(), Cursor> {
        let mut cursor = Cursor {
            own,
            ..Cursor::default()
        };
        if own == self.bytes.len && self.payload.copy_out(&mut cursor.payload, to) {
            return Ok(());
        }
        Err(cursor)
    }

    /// Copies more of the message out. True if all has been copied.
    pub(in crate::transport) fn copy_out(
        &self,
        cursor: &mut Cursor,
        to: &mut impl CopyOut,
    ) -> bool {
        let message = self.bytes.bytes();
        if let Some(rest @ [_, ..]) = message.get(cursor.own..) {
            cursor.own = cursor.own.saturating_add(to.put(rest));
            if cursor.own < message.len() {
                return false;
            }
        }
        self.payload.is_none() || self.payload.copy_out(&mut cursor.payload, to)
    }

    /// Prepares for a reply without an error, with `body_len` bytes after the header.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a reply of the wrong length.
    #[inline(always)]
    pub(in crate::transport) fn start_reply(&mut self, body_len: usize) -> Result {
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

    /// Copies the reply in as far as that goes without a fault; how far, if that is not all.
    #[inline(always)]
    pub(in crate::transport) fn start_copy_in(
        &mut self,
        from: &mut impl CopyIn,
    ) -> Result<(), Cursor> {
        let place = self.bytes.bytes_mut();
        let own = if place.is_empty() { 0 } else { from.get(place) };
        if own == place.len() && self.payload.is_none() {
            return Ok(());
        }
        self.copy_payload_in(own, from)
    }

    /// The rest of it, if there is any.
    #[inline(never)]
    fn copy_payload_in(&mut self, own: usize, from: &mut impl CopyIn) -> Result<(), Cursor> {
        let mut cursor = Cursor {
            own,
            ..Cursor::default()
        };
        let len = self.payload_len;
        if own == self.bytes.len && self.payload.copy_in(len, &mut cursor.payload, from) {
            return Ok(());
        }
        Err(cursor)
    }

    /// Copies more of the reply in. True if all has been copied.
    pub(in crate::transport) fn copy_in(
        &mut self,
        cursor: &mut Cursor,
        from: &mut impl CopyIn,
    ) -> bool {
        let own = self.bytes.bytes_mut();
        if let Some(rest @ [_, ..]) = own.get_mut(cursor.own..) {
            cursor.own = cursor.own.saturating_add(from.get(rest));
            if cursor.own < own.len() {
                return false;
            }
        }
        self.payload.is_none()
            || self
                .payload
                .copy_in(self.payload_len, &mut cursor.payload, from)
    }

    /// The request's error, or bytes of payload in the reply.
    pub(in crate::transport) fn result(&self) -> Result<usize> {
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
    pub(in crate::transport) fn decode<O: Op>(&self, op: &O) -> Result<O::Out> {
        self.parse(|body, minor| op.decode(body, minor))
    }

    /// The request's error, or what `parse` makes of the reply.
    ///
    /// # Errors
    ///
    /// Also `EIO` for a malformed reply.
    pub(in crate::transport) fn parse<R>(
        &self,
        parse: impl FnOnce(Body<'_>, Minor) -> Result<R, BadReply>,
    ) -> Result<R> {
        let payload = self.result()?;
        parse(Body::new(self.bytes.bytes(), payload), self.minor)
            .map_err(|bad| Error::from_errno(bad.errno().to_negative()))
    }
}
