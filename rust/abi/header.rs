// SPDX-License-Identifier: GPL-2.0

//! What frames every message: a header before each request, another before each reply.
//!
//! C counterpart: `struct fuse_in_header` and `struct fuse_out_header`, `fuse_args_to_req` and the
//! first lines of `fuse_dev_do_write` (dev.c). Takes no locks.
//!
//! A request, and the daemon's answer that there is no such file, on a little-endian machine:
//!
//! ```text
//! 2b 00 00 00  len: 43          01 00 00 00  opcode: LOOKUP
//! 2a 00 00 00 00 00 00 00       unique: 42
//! 01 00 00 00 00 00 00 00       nodeid: the root
//! e8 03 00 00  uid              e8 03 00 00  gid
//! 4d 00 00 00  pid              00 00  total_extlen    00 00  padding
//! 61 62 00     what is LOOKUP's own: a name, "ab"
//!
//! 10 00 00 00  len: 16          fe ff ff ff  error: -ENOENT
//! 2a 00 00 00 00 00 00 00       unique: 42
//! ```

use super::{
    error::{
        BadHeader,
        Errno,
        Overflow, //
    },
    ids::{
        NodeId,
        Unique, //
    },
    opcode::Opcode, //
};
use core::{
    mem::offset_of,
    ops::Range, //
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Who asks, in the daemon's namespaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Creds {
    /// The filesystem uid; all ones (`FUSE_INVALID_UIDGID`) if the daemon could make no sense of
    /// it.
    pub uid: u32,
    /// The filesystem gid, likewise.
    pub gid: u32,
    /// The process, 0 if the daemon's pid namespace does not have it.
    pub pid: u32,
}

impl Creds {
    /// Of a request that is nobody's (`fuse_args::nocreds`).
    pub const NONE: Self = Self {
        uid: 0,
        gid: 0,
        pid: 0,
    };
}

/// In place of a user and a group that are nobody's (`FUSE_INVALID_UIDGID`).
pub const INVALID_UIDGID: u32 = u32::MAX;

/// C: `struct fuse_in_header`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InHeader {
    /// Of the message, this header included.
    pub len: u32,
    /// [`Opcode::get`].
    pub opcode: u32,
    /// [`Unique::get`]; 0 until the request is queued.
    pub unique: u64,
    /// [`NodeId::get`]; 0 where the request is about no node.
    pub nodeid: u64,
    /// [`Creds::uid`].
    pub uid: u32,
    /// [`Creds::gid`].
    pub gid: u32,
    /// [`Creds::pid`].
    pub pid: u32,
    /// Length of the extensions, which end the message, in units of 8 bytes.
    pub total_extlen: u16,
    /// Zero.
    pub padding: u16,
}

const _: () = assert!(size_of::<InHeader>() == InHeader::SIZE);

impl InHeader {
    /// Bytes on the wire.
    pub const SIZE: usize = 40;

    /// Where [`unique`](Self::unique) lies: it is set last.
    pub const UNIQUE: Range<usize> = {
        let start = offset_of!(Self, unique);
        start..start.saturating_add(size_of::<u64>())
    };

    /// The header of a request that is not queued yet: its unique is still to be set.
    ///
    /// `in_len` and `payload_in` are the operation's own; see [`Op`](super::op::Op).
    ///
    /// # Errors
    ///
    /// [`Overflow`] if the message would be longer than 32 bits can say.
    pub fn new(
        opcode: Opcode,
        node: Option<NodeId>,
        creds: Creds,
        in_len: usize,
        payload_in: u32,
    ) -> Result<Self, Overflow> {
        let len = u32::try_from(in_len)
            .ok()
            .and_then(|len| len.checked_add(Self::SIZE as u32))
            .and_then(|len| len.checked_add(payload_in))
            .ok_or(Overflow)?;
        Ok(Self {
            len,
            opcode: opcode.get(),
            unique: Unique::ZERO.get(),
            nodeid: node.map_or(0, NodeId::get),
            uid: creds.uid,
            gid: creds.gid,
            pid: creds.pid,
            total_extlen: 0,
            padding: 0,
        })
    }

    /// The same of a message of which so many bytes at the end are extensions.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if they are more than 16 bits can say, in units of eight.
    #[inline]
    pub fn with_ext(mut self, ext_len: usize) -> Result<Self, Overflow> {
        self.total_extlen = u16::try_from(ext_len / 8).map_err(|_| Overflow)?;
        Ok(self)
    }

    /// The header of a message of `len` bytes that no caller waits for: it is nobody's, and has its
    /// unique at once.
    pub(super) const fn of_message(opcode: Opcode, unique: Unique, nodeid: u64, len: u32) -> Self {
        Self {
            len,
            opcode: opcode.get(),
            unique: unique.get(),
            nodeid,
            uid: Creds::NONE.uid,
            gid: Creds::NONE.gid,
            pid: Creds::NONE.pid,
            total_extlen: 0,
            padding: 0,
        }
    }
}

/// C: `struct fuse_out_header`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OutHeader {
    /// Of the message, this header included.
    pub len: u32,
    /// A negative errno, or 0; in a notification its code.
    pub error: i32,
    /// Which request this answers; 0 in a notification.
    pub unique: u64,
}

const _: () = assert!(size_of::<OutHeader>() == OutHeader::SIZE);

/// What a daemon has written, as far as its header tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Not an answer at all, but a notification.
    Notify {
        /// Which; any number.
        code: i32,
        /// Bytes after the header.
        body_len: usize,
    },
    /// To an INTERRUPT.
    Interrupt {
        /// The request that was to be interrupted. That it exists is still to be seen: the daemon's
        /// write fails with ENOENT if not, and only then with EINVAL if `body_len` is not 0.
        request: Unique,
        /// [`Errno::ENOSYS`]: send no more of them. [`Errno::EAGAIN`]: send this one again.
        /// Anything else means nothing.
        error: Option<Errno>,
        /// Bytes after the header.
        body_len: usize,
    },
    /// To a request.
    Request {
        /// The request. That it exists is still to be seen: the daemon's write fails with ENOENT if
        /// not, and only then are lengths looked at.
        unique: Unique,
        /// With an error `body_len` must be 0, else the daemon's write fails with EINVAL and the
        /// request ends with EIO. Without one see [`Reply::split`](super::codec::Reply::split).
        error: Option<Errno>,
        /// Bytes after the header.
        body_len: usize,
    },
}

impl OutHeader {
    /// Bytes on the wire. A write shorter than this fails with EINVAL.
    pub const SIZE: usize = 16;

    /// Tells what a message of `nbytes` bytes is, this header included.
    ///
    /// # Errors
    ///
    /// [`BadHeader`]: the daemon's write fails with EINVAL, and nothing else happens.
    pub fn parse(self, nbytes: usize) -> Result<Answer, BadHeader> {
        if usize::try_from(self.len) != Ok(nbytes) {
            return Err(BadHeader::Length);
        }
        let body_len = nbytes.checked_sub(Self::SIZE).ok_or(BadHeader::Length)?;
        let unique = Unique::from_raw(self.unique);

        if unique == Unique::ZERO {
            return Ok(Answer::Notify {
                code: self.error,
                body_len,
            });
        }
        let error = match self.error {
            0 => None,
            1.. => return Err(BadHeader::Error),
            negative => Some(Errno::new(negative.unsigned_abs()).ok_or(BadHeader::Error)?),
        };
        Ok(if unique.is_interrupt() {
            Answer::Interrupt {
                request: unique.request(),
                error,
                body_len,
            }
        } else {
            Answer::Request {
                unique,
                error,
                body_len,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::{
        FromBytes,
        IntoBytes, //
    };

    fn out(len: u32, error: i32, unique: u64) -> OutHeader {
        OutHeader { len, error, unique }
    }

    fn request(unique: u64, error: Option<Errno>, body_len: usize) -> Answer {
        Answer::Request {
            unique: Unique::from_raw(unique),
            error,
            body_len,
        }
    }

    #[test]
    fn a_length_must_be_that_of_the_message() {
        for nbytes in 16..300 {
            for len in 0..300 {
                let parsed = out(len, 0, 2).parse(nbytes);
                if len as usize == nbytes {
                    assert_eq!(parsed, Ok(request(2, None, nbytes - 16)));
                } else {
                    assert_eq!(parsed, Err(BadHeader::Length));
                }
            }
        }
        // Too short to have a header, though the daemon says so itself; too long for the field.
        for nbytes in 0..16 {
            assert_eq!(
                out(nbytes as u32, 0, 2).parse(nbytes),
                Err(BadHeader::Length)
            );
        }
        assert_eq!(out(16, 0, 2).parse((1 << 32) + 16), Err(BadHeader::Length));
        assert_eq!(
            out(u32::MAX, 0, 2).parse(u32::MAX as usize),
            Ok(request(2, None, u32::MAX as usize - 16))
        );
        // The length is looked at before the error.
        assert_eq!(out(17, 5, 2).parse(16), Err(BadHeader::Length));
    }

    #[test]
    fn an_error_is_one_of_minus_511_to_0() {
        let edges = [i32::MIN, i32::MIN + 1, -65_536 - 5, i32::MAX];
        for error in (-70_000..70_000).chain(edges) {
            let parsed = out(16, error, 2).parse(16);
            match error {
                0 => assert_eq!(parsed, Ok(request(2, None, 0))),
                -511..=-1 => {
                    let errno = Errno::new(error.unsigned_abs()).expect("an errno");
                    assert_eq!(errno.to_negative(), error);
                    assert_eq!(parsed, Ok(request(2, Some(errno), 0)));
                }
                _ => assert_eq!(parsed, Err(BadHeader::Error), "{error}"),
            }
        }
    }

    #[test]
    fn unique_0_is_a_notification_with_any_code() {
        for code in [i32::MIN, -512, -1, 0, 1, 9, 511, 512, i32::MAX] {
            assert_eq!(
                out(40, code, 0).parse(40),
                Ok(Answer::Notify { code, body_len: 24 })
            );
        }
        assert_eq!(out(16, 1, 0).parse(40), Err(BadHeader::Length));
    }

    #[test]
    fn an_odd_unique_answers_an_interrupt() {
        for (error, errno) in [
            (0, None),
            (-38, Some(Errno::ENOSYS)),
            (-11, Some(Errno::EAGAIN)),
        ] {
            assert_eq!(
                out(20, error, 43).parse(20),
                Ok(Answer::Interrupt {
                    request: Unique::from_raw(42),
                    error: errno,
                    body_len: 4,
                })
            );
        }
        // The range of errors is the same, and comes first.
        assert_eq!(out(16, -512, 43).parse(16), Err(BadHeader::Error));
        // There is no request 0: it will not be found.
        assert_eq!(
            out(16, 0, 1).parse(16),
            Ok(Answer::Interrupt {
                request: Unique::ZERO,
                error: None,
                body_len: 0,
            })
        );
    }

    #[test]
    fn a_resent_request_is_another() {
        assert_eq!(
            out(16, 0, Unique::RESEND | 2).parse(16),
            Ok(request((1 << 63) | 2, None, 0))
        );
    }

    #[test]
    fn every_header_parses_or_is_refused() {
        for seed in seeds() {
            let mut random = Random::new(seed);
            for _ in 0..rounds() {
                let header = OutHeader::read_from_bytes(&random.bytes(16)).expect("16 bytes");
                let nbytes = match random.below(2) {
                    0 => header.len as usize,
                    _ => random.next() as usize,
                };
                if let Ok(Answer::Request { body_len, .. } | Answer::Interrupt { body_len, .. }) =
                    header.parse(nbytes)
                {
                    assert_eq!(body_len + 16, nbytes);
                    assert!((-511..=0).contains(&header.error));
                }
            }
        }
    }

    #[test]
    fn a_request_says_who_asks_for_what() {
        let creds = Creds {
            uid: 1000,
            gid: 1001,
            pid: 77,
        };
        let mut header = InHeader::new(Opcode::Write, Some(NodeId::ROOT), creds, 40, 4096)
            .expect("short enough");
        header.unique = Unique::from_raw(42).get();

        let mut wire = Vec::new();
        wire.extend(4176u32.to_ne_bytes());
        wire.extend(16u32.to_ne_bytes());
        wire.extend(42u64.to_ne_bytes());
        wire.extend(1u64.to_ne_bytes());
        wire.extend(1000u32.to_ne_bytes());
        wire.extend(1001u32.to_ne_bytes());
        wire.extend(77u32.to_ne_bytes());
        wire.extend([0; 4]);
        assert_eq!(header.as_bytes(), wire);

        assert_eq!(header.with_ext(24).map(|h| h.total_extlen), Ok(3));
        assert_eq!(header.with_ext(0), Ok(header));
        let most = 8 * usize::from(u16::MAX);
        assert_eq!(header.with_ext(most).map(|h| h.total_extlen), Ok(u16::MAX));
        assert_eq!(header.with_ext(most + 8), Err(Overflow));
        let forget = InHeader::new(Opcode::BatchForget, None, Creds::NONE, 8, 0).expect("short");
        assert_eq!((forget.nodeid, forget.unique, forget.len), (0, 0, 48));
    }

    #[test]
    fn a_request_is_shorter_than_4_gib() {
        let header = |in_len, payload| {
            InHeader::new(Opcode::Write, None, Creds::NONE, in_len, payload)
                .map(|header| header.len)
        };
        assert_eq!(header(40, u32::MAX - 80), Ok(u32::MAX));
        assert_eq!(header(40, u32::MAX - 79), Err(Overflow));
        assert_eq!(header(u32::MAX as usize - 40, 0), Ok(u32::MAX));
        assert_eq!(header(u32::MAX as usize - 39, 0), Err(Overflow));
        assert_eq!(header(1 << 32, 0), Err(Overflow));
        assert_eq!(header(usize::MAX, u32::MAX), Err(Overflow));
    }

    #[test]
    fn a_message_of_nobodys() {
        let unique = Unique::from_raw(42);
        let message = InHeader::of_message(Opcode::Forget, unique, 6, 48);
        assert_eq!(message.as_bytes(), header(48, 2, 42, 6).0);
        assert_eq!(message.as_bytes()[InHeader::UNIQUE], 42u64.to_ne_bytes());
    }
}
