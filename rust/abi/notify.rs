// SPDX-License-Identifier: GPL-2.0

//! What a daemon says unasked: a message whose unique is 0, and whose error field is a code.
//!
//! C counterpart: `enum fuse_notify_code`, and the checks of each `fuse_notify_*()` (notify.c), whose
//! order is kept: first what the length alone tells, then the fixed part is read, then what that says
//! of the rest. Takes no locks.
//!
//! | code | fixed part | then |
//! |---|---|---|
//! | POLL | `fuse_notify_poll_wakeup_out` | nothing |
//! | INVAL_INODE | `fuse_notify_inval_inode_out` | nothing |
//! | INVAL_ENTRY | `fuse_notify_inval_entry_out` | a name of `namelen` bytes, and a NUL |
//! | STORE | `fuse_notify_store_out` | `size` bytes of data |
//! | RETRIEVE | `fuse_notify_retrieve_out` | nothing |
//! | DELETE | `fuse_notify_delete_out` | a name of `namelen` bytes, and a NUL |
//! | RESEND, INC_EPOCH | none | anything: it is not looked at |
//! | PRUNE | `fuse_notify_prune_out` | `count` node ids |
//!
//! What stands where the NUL should be does not matter, nor what bytes a name has.

use super::error::Errno;
use zerocopy::FromBytes;
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident: $len:literal { $($field:ident: $int:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone,
                Copy,
                PartialEq,
                Eq,
                Default,
                Debug,
                FromBytes,
                IntoBytes,
                Immutable,
                KnownLayout,
            )]
            #[repr(C)]
            #[allow(missing_docs, reason = "the header's names")]
            pub struct $name {
                $(pub $field: $int,)*
            }

            const _: () = assert!(size_of::<$name>() == $len);
        )*
    };
}

parts! {
    /// C: `struct fuse_notify_poll_wakeup_out`.
    FuseNotifyPollWakeupOut: 8 {
        kh: u64,
    }
    /// C: `struct fuse_notify_inval_inode_out`.
    FuseNotifyInvalInodeOut: 24 {
        ino: u64,
        off: i64,
        len: i64,
    }
    /// C: `struct fuse_notify_inval_entry_out`.
    FuseNotifyInvalEntryOut: 16 {
        parent: u64,
        namelen: u32,
        flags: u32,
    }
    /// C: `struct fuse_notify_delete_out`.
    FuseNotifyDeleteOut: 24 {
        parent: u64,
        child: u64,
        namelen: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_store_out`.
    FuseNotifyStoreOut: 24 {
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_retrieve_out`.
    FuseNotifyRetrieveOut: 32 {
        notify_unique: u64,
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_prune_out`.
    FuseNotifyPruneOut: 16 {
        count: u32,
        padding: u32,
        spare: u64,
    }
}

/// The end of the largest file (`MAX_LFS_FILESIZE`), from which on there is no data.
const MAX_LFS_FILESIZE: u64 = i64::MAX as u64;

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
    /// What was read and not answered is to be sent again.
    Resend,
    /// All names are out of date.
    IncEpoch,
    /// Nodes that are not in use are to be forgotten.
    Prune,
}

impl NotifyCode {
    /// Bytes of the longest fixed part.
    pub const MAX_FIXED: usize = size_of::<FuseNotifyRetrieveOut>();

    /// From [`Answer::Notify`](super::header::Answer::Notify); `None` for a number that 7.46 does
    /// not have: the daemon's write fails with EINVAL.
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

    /// How many bytes to read of the `body_len` that follow the header, for [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// EINVAL if the message cannot be of that length.
    pub fn fixed_len(self, body_len: usize) -> Result<usize, Errno> {
        let (len, more) = match self {
            Self::Poll => (size_of::<FuseNotifyPollWakeupOut>(), false),
            Self::InvalInode => (size_of::<FuseNotifyInvalInodeOut>(), false),
            Self::InvalEntry => (size_of::<FuseNotifyInvalEntryOut>(), true),
            Self::Store => (size_of::<FuseNotifyStoreOut>(), true),
            Self::Retrieve => (size_of::<FuseNotifyRetrieveOut>(), false),
            Self::Delete => (size_of::<FuseNotifyDeleteOut>(), true),
            Self::Resend | Self::IncEpoch => (0, true),
            Self::Prune => (size_of::<FuseNotifyPruneOut>(), true),
        };
        match body_len.checked_sub(len) {
            Some(0) => Ok(len),
            Some(_) if more => Ok(len),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Checks the fixed part, against the `body_len` bytes that follow the header and the longest
    /// name that INIT has settled.
    ///
    /// # Errors
    ///
    /// ENAMETOOLONG for a longer one; EINVAL if the rest is not as long as it is said to be, or an
    /// offset is beyond all files.
    pub fn check(self, fixed: &[u8], body_len: usize, name_max: u32) -> Result<(), Errno> {
        let rest = body_len.checked_sub(fixed.len()).ok_or(Errno::EINVAL)?;
        match self {
            Self::Poll | Self::InvalInode | Self::Resend | Self::IncEpoch => Ok(()),
            Self::InvalEntry => {
                let out: FuseNotifyInvalEntryOut = read(fixed)?;
                name_follows(out.namelen, rest, name_max)
            }
            Self::Delete => {
                let out: FuseNotifyDeleteOut = read(fixed)?;
                name_follows(out.namelen, rest, name_max)
            }
            Self::Store => {
                let out: FuseNotifyStoreOut = read(fixed)?;
                follows(usize::try_from(out.size).ok(), rest)?;
                within_files(out.offset)
            }
            Self::Retrieve => {
                let out: FuseNotifyRetrieveOut = read(fixed)?;
                within_files(out.offset)
            }
            Self::Prune => {
                let out: FuseNotifyPruneOut = read(fixed)?;
                let count = usize::try_from(out.count).ok();
                let ids = count.and_then(|count| count.checked_mul(size_of::<u64>()));
                follows(ids, rest)
            }
        }
    }
}

/// A fixed part that is there, since [`NotifyCode::fixed_len`] says so.
fn read<T: FromBytes>(fixed: &[u8]) -> Result<T, Errno> {
    T::read_from_bytes(fixed).map_err(|_| Errno::EINVAL)
}

fn name_follows(namelen: u32, rest: usize, name_max: u32) -> Result<(), Errno> {
    if namelen > name_max {
        return Err(Errno::ENAMETOOLONG);
    }
    let name = usize::try_from(namelen).ok();
    follows(name.and_then(|name| name.checked_add(1)), rest)
}

fn follows(said: Option<usize>, rest: usize) -> Result<(), Errno> {
    if said == Some(rest) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

fn within_files(offset: u64) -> Result<(), Errno> {
    if offset < MAX_LFS_FILESIZE {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}
