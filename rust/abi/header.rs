// SPDX-License-Identifier: GPL-2.0

//! What frames every message: a header before each request, another before each reply.
//!
//! C counterpart: `struct fuse_in_header` and `struct fuse_out_header`, `fuse_args_to_req` and the
//! first lines of `fuse_dev_do_write` (dev.c). Takes no locks.

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
    /// The filesystem uid, or [`Creds::INVALID_ID`].
    pub uid: u32,
    /// The filesystem gid, or [`Creds::INVALID_ID`].
    pub gid: u32,
    /// The process, 0 if the daemon's pid namespace does not have it.
    pub pid: u32,
}

impl Creds {
    /// No id that the daemon could make sense of (`FUSE_INVALID_UIDGID`).
    pub const INVALID_ID: u32 = u32::MAX;

    /// Of a request that is nobody's (`fuse_args::nocreds`).
    pub const NONE: Self = Self {
        uid: 0,
        gid: 0,
        pid: 0,
    };
}

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
        /// [`Errno::ENOSYS`]: send no more of them. [`Errno::EAGAIN`]: send this one again. Anything
        /// else means nothing.
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
