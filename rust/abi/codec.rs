// SPDX-License-Identifier: GPL-2.0

//! Writing a request's bytes and taking a reply's apart.
//!
//! C counterpart: `fuse_args::in_args` and `out_args`; [`Reply`] is `out_numargs`, `out_argvar`,
//! `out_pages` and `noreply` in one, and [`Reply::split`] the length check of `fuse_copy_out_args`
//! (dev.c). Takes no locks.

use super::error::{
    BadReply,
    Overflow, //
};
use core::mem;
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Fills a buffer from its start.
pub struct Writer<'a> {
    /// What is not written yet.
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    /// Into `buf`.
    #[inline]
    pub fn new(buf: &'a mut [u8]) -> Self {
        Self { rest: buf }
    }

    /// Appends bytes as they are.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if there is no room; the writer then takes no more.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        let (head, rest) = mem::take(&mut self.rest)
            .split_at_mut_checked(bytes.len())
            .ok_or(Overflow)?;
        head.copy_from_slice(bytes);
        self.rest = rest;
        Ok(())
    }

    /// Appends a struct.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes).
    #[inline]
    pub fn put<T: IntoBytes + Immutable>(&mut self, value: &T) -> Result<(), Overflow> {
        self.bytes(value.as_bytes())
    }

    /// Appends the first `len` bytes of a struct: what an older daemon knows of it.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes), also if the struct is shorter than that.
    #[inline]
    pub(super) fn put_short<T: IntoBytes + Immutable>(
        &mut self,
        value: &T,
        len: usize,
    ) -> Result<(), Overflow> {
        self.bytes(value.as_bytes().get(..len).ok_or(Overflow)?)
    }
}

/// What an operation expects after the header of a successful reply.
///
/// A reply with an error is a header and nothing else, whatever stands here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// No reply will come.
    None,
    /// Nothing.
    HeaderOnly,
    /// Just so many bytes, into the request's own space.
    Fixed(usize),
    /// At most so many bytes, into the request's own space.
    UpTo(usize),
    /// At most so many bytes, into the caller's pages or buffer.
    Payload(u32),
    /// Just so many bytes, into the request's own space, then at most so many into the caller's.
    FixedThen(usize, u32),
}

/// Where the bytes of a reply's body go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Split {
    /// The first so many into the request's own space.
    pub own: usize,
    /// The rest into the caller's pages or buffer.
    pub payload: usize,
}

impl Reply {
    /// Bytes of the request's own space that a reply can fill.
    #[inline]
    pub const fn space(self) -> usize {
        match self {
            Self::Fixed(len) | Self::UpTo(len) | Self::FixedThen(len, _) => len,
            Self::None | Self::HeaderOnly | Self::Payload(_) => 0,
        }
    }

    /// Divides the body of a reply without an error.
    ///
    /// # Errors
    ///
    /// [`BadReply::Length`] if it is too short or too long: the daemon's write fails with EINVAL,
    /// the request ends with EIO.
    #[inline(always)]
    pub fn split(self, body_len: usize) -> Result<Split, BadReply> {
        let fits = match self {
            Self::None => false,
            Self::HeaderOnly => body_len == 0,
            Self::Fixed(len) => body_len == len,
            Self::UpTo(max) => body_len <= max,
            Self::Payload(max) => u32::try_from(body_len).is_ok_and(|len| len <= max),
            Self::FixedThen(len, max) => body_len
                .checked_sub(len)
                .is_some_and(|rest| u32::try_from(rest).is_ok_and(|rest| rest <= max)),
        };
        match self {
            _ if !fits => Err(BadReply::Length),
            Self::FixedThen(len, _) => Ok(Split {
                own: len,
                payload: body_len.saturating_sub(len),
            }),
            Self::Payload(_) => Ok(Split {
                own: 0,
                payload: body_len,
            }),
            _ => Ok(Split {
                own: body_len,
                payload: 0,
            }),
        }
    }
}

/// The body of a reply without an error, as it has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    own: &'a [u8],
    payload: usize,
}

impl<'a> Body<'a> {
    /// What [`Reply::split`] has put into the request's own space, and how long its payload is.
    #[inline]
    pub const fn new(own: &'a [u8], payload: usize) -> Self {
        Self { own, payload }
    }

    /// For an operation whose reply has no body.
    #[inline]
    pub(super) fn empty(self) -> Result<(), BadReply> {
        match (self.own, self.payload) {
            ([], 0) => Ok(()),
            _ => Err(BadReply::Length),
        }
    }

    /// For an operation whose reply is one struct.
    #[inline]
    pub(super) fn fixed<T: FromBytes>(self) -> Result<T, BadReply> {
        let mut reader = self.reader()?;
        let value = reader.take()?;
        reader.end()?;
        Ok(value)
    }

    /// For an operation whose reply is one struct, of which older daemons know the first `len`
    /// bytes.
    #[inline]
    pub(super) fn short<T: FromBytes + IntoBytes>(self, len: usize) -> Result<T, BadReply> {
        let mut reader = self.reader()?;
        let value = reader.take_short(len)?;
        reader.end()?;
        Ok(value)
    }

    /// One struct where it lies, if that is all there is, and its first `len` bytes are all of it.
    #[inline]
    pub(super) fn whole<T>(self, len: usize) -> Option<&'a T>
    where
        T: FromBytes + KnownLayout + Immutable,
    {
        match T::ref_from_bytes(self.own) {
            Ok(value) if self.payload == 0 && len == size_of::<T>() => Some(value),
            _ => None,
        }
    }

    /// For an operation whose reply is all payload, at most `max` bytes.
    #[inline]
    pub(super) fn payload(self, max: u32) -> Result<u32, BadReply> {
        match (self.own, u32::try_from(self.payload)) {
            ([], Ok(len)) if len <= max => Ok(len),
            _ => Err(BadReply::Length),
        }
    }

    /// For an operation whose reply is one struct, and payload of at most `max` bytes.
    #[inline]
    pub(super) fn fixed_then<T: FromBytes>(self, max: u32) -> Result<(T, u32), BadReply> {
        let value = T::read_from_bytes(self.own).map_err(|_| BadReply::Length)?;
        match u32::try_from(self.payload) {
            Ok(len) if len <= max => Ok((value, len)),
            _ => Err(BadReply::Length),
        }
    }

    /// How many bytes have arrived in the request's own space.
    pub(super) const fn own_len(self) -> usize {
        self.own.len()
    }

    /// To take the body apart, struct by struct.
    #[inline]
    pub(super) fn reader(self) -> Result<Reader<'a>, BadReply> {
        match self.payload {
            0 => Ok(Reader { rest: self.own }),
            _ => Err(BadReply::Length),
        }
    }
}

/// Takes structs from the start of a body.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    /// The next struct.
    #[inline]
    pub(super) fn take<T: FromBytes>(&mut self) -> Result<T, BadReply> {
        let (value, rest) = T::read_from_prefix(self.rest).map_err(|_| BadReply::Length)?;
        self.rest = rest;
        Ok(value)
    }

    /// The next struct, of which only the first `len` bytes are there; the others are zero.
    #[inline]
    pub(super) fn take_short<T: FromBytes + IntoBytes>(
        &mut self,
        len: usize,
    ) -> Result<T, BadReply> {
        if len == size_of::<T>() {
            return self.take();
        }
        let (head, rest) = self.rest.split_at_checked(len).ok_or(BadReply::Length)?;
        let mut value = T::new_zeroed();
        value
            .as_mut_bytes()
            .get_mut(..len)
            .ok_or(BadReply::Length)?
            .copy_from_slice(head);
        self.rest = rest;
        Ok(value)
    }

    /// Nothing may be left.
    #[inline]
    pub(super) fn end(self) -> Result<(), BadReply> {
        match self.rest {
            [] => Ok(()),
            _ => Err(BadReply::Length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Writer<'_> {
        /// How much room is left.
        pub fn remaining(&self) -> usize {
            self.rest.len()
        }
    }

    #[test]
    fn payloads_are_counted() {
        assert_eq!(Reply::Payload(0).split(0).map(|split| split.payload), Ok(0));
        assert_eq!(Reply::Payload(0).split(1), Err(BadReply::Length));
        assert_eq!(Reply::Payload(7).space(), 0);
        let payload = |len| Reply::FixedThen(16, u32::MAX).split(len).map(|s| s.payload);
        assert_eq!(payload(15), Err(BadReply::Length));
        assert_eq!(payload(16 + u32::MAX as usize), Ok(u32::MAX as usize));
        assert_eq!(payload(17 + u32::MAX as usize), Err(BadReply::Length));
    }

    #[test]
    fn no_reply_has_no_length() {
        for len in [0, 1, 100, usize::MAX] {
            assert_eq!(Reply::None.split(len), Err(BadReply::Length));
        }
        assert_eq!(Reply::None.space(), 0);
    }

    #[test]
    fn a_writer_that_is_full_takes_no_more() {
        let mut buf = [0xaa; 4];
        let mut writer = Writer::new(&mut buf);
        assert_eq!(writer.bytes(&[1, 2, 3]), Ok(()));
        assert_eq!(writer.remaining(), 1);
        assert_eq!(writer.bytes(&[4, 5]), Err(Overflow));
        assert_eq!(writer.bytes(&[4]), Err(Overflow));
        assert_eq!(buf, [1, 2, 3, 0xaa]);
    }
}
