// SPDX-License-Identifier: GPL-2.0

//! What a daemon says unasked: a message whose unique is 0, and whose error field is a code.
//!
//! C counterpart: `enum fuse_notify_code`. Takes no locks.

/// Which notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotifyCode {
    /// A file that is polled is ready.
    Poll,
    /// Attributes, or a range of the data, of a node are out of date.
    InvalInode,
    /// A name is out of date.
    InvalEntry,
    /// Data for the page cache.
    Store,
    /// Asks for data of the page cache.
    Retrieve,
    /// A name was removed.
    Delete,
    /// What was read and not answered is to be sent again. Whatever follows the header is ignored.
    Resend,
    /// All names are out of date. Whatever follows the header is ignored.
    IncEpoch,
    /// Nodes that are not in use are to be forgotten.
    Prune,
}

impl NotifyCode {
    /// From [`Answer::Notify`](super::header::Answer::Notify); `None` for a number that 7.46 does
    /// not have.
    pub const fn from_raw(code: i32) -> Option<Self> {
        Some(match code {
            1 => Self::Poll,
            2 => Self::InvalInode,
            3 => Self::InvalEntry,
            4 => Self::Store,
            5 => Self::Retrieve,
            6 => Self::Delete,
            7 => Self::Resend,
            8 => Self::IncEpoch,
            9 => Self::Prune,
            _ => return None,
        })
    }
}
