// SPDX-License-Identifier: GPL-2.0

//! What can be wrong with a message, and the errno of each.
//!
//! C counterpart: the `-EIO` and `-EINVAL` of `fuse_dev_do_write` (dev.c) and of the callers'
//! checks. Plain numbers, so that the host crate needs no kernel headers. Takes no locks.

use core::num::NonZeroU16;

/// An errno, from 1 to 511, as the daemon may answer it.
///
/// # Invariants
///
/// At most [`Errno::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(NonZeroU16);

impl Errno {
    /// The largest that a daemon may send: those above are the kernel's own (`ERESTARTSYS` and on).
    pub const MAX: u16 = 511;

    /// Input or output error: what a caller gets for any bad reply.
    pub const EIO: Self = Self::constant(5);
    /// Too large for the daemon's buffer.
    pub const E2BIG: Self = Self::constant(7);
    /// Try again: an INTERRUPT that the daemon wants to see again.
    pub const EAGAIN: Self = Self::constant(11);
    /// Invalid argument: what a daemon gets for a malformed message.
    pub const EINVAL: Self = Self::constant(22);
    /// A name longer than was agreed on.
    pub const ENAMETOOLONG: Self = Self::constant(36);
    /// The daemon lacks the operation.
    pub const ENOSYS: Self = Self::constant(38);

    const fn constant(errno: u16) -> Self {
        match NonZeroU16::new(errno) {
            Some(errno) => Self(errno),
            None => Self(NonZeroU16::MIN),
        }
    }

    /// From a positive number; `None` if it is not one of 1 to 511.
    pub fn new(errno: u32) -> Option<Self> {
        let errno = u16::try_from(errno).ok().and_then(NonZeroU16::new)?;
        // INVARIANT: checked here.
        (errno.get() <= Self::MAX).then_some(Self(errno))
    }

    /// The number as kernel functions return it, negative.
    pub fn to_negative(self) -> i32 {
        i32::from(self.0.get()).wrapping_neg()
    }
}

/// Why a reply is refused. The caller gets EIO for each ([`BadReply::errno`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadReply {
    /// Too short or too long. Found when the daemon writes, whose write then fails with EINVAL.
    Length,
    /// A new object with node 0 or the root's.
    Node,
    /// An impossible file type or size.
    Attr,
    /// An impossible kind of lock, or a range that no file has.
    Lock,
    /// Not the type of file that was asked for.
    Kind,
    /// Another major version in the reply to INIT.
    Version,
    /// More written than there was to write, or more data than was asked for.
    Count,
    /// A directory entry with an empty or overlong name, or with a slash in it; a list with an
    /// empty name, or with one that does not end.
    Name,
    /// An ioctl that is to be done again with other memory of the caller's, which a file's daemon
    /// may not ask for.
    Retry,
}

impl BadReply {
    /// What the caller of the operation gets.
    pub const fn errno(self) -> Errno {
        Errno::EIO
    }
}

/// An impossible file type or size in attributes; the caller gets EIO.
///
/// Separate from [`BadReply`] where it costs more than the one call: an inode whose attributes are
/// bad stays bad (`fuse_make_bad`), and a node that came with them has been looked up nevertheless.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadAttr;

impl From<BadAttr> for BadReply {
    fn from(_: BadAttr) -> Self {
        Self::Attr
    }
}

/// A malformed header in what a daemon writes; its write fails with EINVAL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadHeader {
    /// The length in the header is not that of the message.
    Length,
    /// The error is not one of -511 to 0.
    Error,
}

/// The buffer to encode into is too small: a mistake of the caller's, who did not ask for
/// [`in_len`](super::op::Op::in_len) bytes. Whoever called the operation gets EIO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_small_and_positive() {
        assert_eq!(Errno::new(0), None);
        assert_eq!(Errno::new(512), None);
        assert_eq!(Errno::new(65_536 + 5), None);
        assert_eq!(Errno::new(u32::MAX), None);
        assert_eq!(Errno::new(511).map(Errno::to_negative), Some(-511));
        assert_eq!(Errno::new(5), Some(Errno::EIO));
        assert_eq!(Errno::new(38), Some(Errno::ENOSYS));
    }

    #[test]
    fn a_bad_reply_is_an_io_error() {
        assert_eq!(BadReply::from(BadAttr), BadReply::Attr);
        assert_eq!(BadReply::Attr.errno(), Errno::EIO);
        assert_eq!(Errno::EIO.to_negative(), -5);
    }
}
