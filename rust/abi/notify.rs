// SPDX-License-Identifier: GPL-2.0

//! What a daemon says unasked: a message whose unique is 0, and whose error field is a code.
//!
//! C counterpart: `enum fuse_notify_code`, and the checks of each `fuse_notify_*()` (notify.c),
//! whose order is kept: first what the length alone tells, then the fixed part is read, then what
//! that says of the rest. Takes no locks.
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
//! INVAL_ENTRY of "ab" in node 6, with its header:
//!
//! ```text
//! 23 00 00 00  len: 35                 03 00 00 00  the code, where a reply has its error
//! 00 00 00 00 00 00 00 00              unique
//! 06 00 00 00 00 00 00 00              parent
//! 02 00 00 00  namelen                 00 00 00 00  flags
//! 61 62 00                             the name
//! ```
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    const ENAMETOOLONG: Result<(), Errno> = Err(Errno::ENAMETOOLONG);
    const EINVAL: Result<(), Errno> = Err(Errno::EINVAL);

    fn code(number: i32) -> NotifyCode {
        NotifyCode::from_raw(number).expect("a notification")
    }

    #[test]
    fn which_lengths() {
        // Its number, bytes of its fixed part, and whether more may follow.
        for (number, fixed, more) in [
            (1, 8, false),
            (2, 24, false),
            (3, 16, true),
            (4, 24, true),
            (5, 32, false),
            (6, 24, true),
            (7, 0, true),
            (8, 0, true),
            (9, 16, true),
        ] {
            for len in (0..100).chain([1 << 20, usize::MAX]) {
                let fits = len == fixed || (more && len > fixed);
                let expected = if fits { Ok(fixed) } else { Err(Errno::EINVAL) };
                assert_eq!(code(number).fixed_len(len), expected, "{number}: {len}");
            }
            assert!(fixed <= NotifyCode::MAX_FIXED);
        }
    }

    /// The whole of the body, as it is checked.
    fn check(number: i32, fixed: &[u8], rest: usize) -> Result<(), Errno> {
        let body_len = fixed.len().saturating_add(rest);
        assert_eq!(code(number).fixed_len(body_len), Ok(fixed.len()));
        code(number).check(fixed, body_len, 1024)
    }

    #[test]
    fn names_are_as_long_as_they_are_said_to_be() {
        for namelen in [0, 1, 255, 1023, 1024] {
            let entry = FuseNotifyInvalEntryOut {
                namelen,
                ..Default::default()
            };
            let delete = FuseNotifyDeleteOut {
                namelen,
                ..Default::default()
            };
            for (number, fixed) in [(3, entry.as_bytes()), (6, delete.as_bytes())] {
                for rest in 0..1100 {
                    // The NUL.
                    let fits = rest == namelen as usize + 1;
                    let expected = if fits { Ok(()) } else { EINVAL };
                    assert_eq!(check(number, fixed, rest), expected, "{number}: {rest}");
                }
            }
        }
    }

    /// Too long a name is one whether it is there or not.
    #[test]
    fn names_are_not_longer_than_was_agreed_on() {
        for namelen in [1025, 4095, u32::MAX - 1, u32::MAX] {
            let entry = FuseNotifyInvalEntryOut {
                namelen,
                ..Default::default()
            };
            let delete = FuseNotifyDeleteOut {
                namelen,
                ..Default::default()
            };
            for rest in [0, namelen as usize, namelen as usize + 1] {
                assert_eq!(check(3, entry.as_bytes(), rest), ENAMETOOLONG);
                assert_eq!(check(6, delete.as_bytes(), rest), ENAMETOOLONG);
            }
        }
        let entry = FuseNotifyInvalEntryOut {
            namelen: 4095,
            ..Default::default()
        };
        let body_len = 16 + 4096;
        assert_eq!(code(3).check(entry.as_bytes(), body_len, 4095), Ok(()));
        assert_eq!(
            code(3).check(entry.as_bytes(), body_len, 4094),
            ENAMETOOLONG
        );
    }

    #[test]
    fn data_is_within_a_file_and_all_there() {
        let end = i64::MAX as u64;
        for (offset, within) in [(0, true), (end - 1, true), (end, false), (u64::MAX, false)] {
            let expected = if within { Ok(()) } else { EINVAL };
            for size in [0, 1, 4096, u32::MAX] {
                let store = FuseNotifyStoreOut {
                    offset,
                    size,
                    ..Default::default()
                };
                let size_len = size as usize;
                assert_eq!(check(4, store.as_bytes(), size_len), expected);
                assert_eq!(check(4, store.as_bytes(), size_len + 1), EINVAL);
                if let Some(short) = size_len.checked_sub(1) {
                    assert_eq!(check(4, store.as_bytes(), short), EINVAL);
                }
                let retrieve = FuseNotifyRetrieveOut {
                    offset,
                    size,
                    ..Default::default()
                };
                assert_eq!(check(5, retrieve.as_bytes(), 0), expected);
            }
        }
    }

    #[test]
    fn nodes_to_forget_are_all_there() {
        for count in [0, 1, 2, 600, u32::MAX] {
            let prune = FuseNotifyPruneOut {
                count,
                ..Default::default()
            };
            let ids = count as usize * 8;
            assert_eq!(check(9, prune.as_bytes(), ids), Ok(()));
            for rest in [ids + 1, ids + 7, ids + 8] {
                assert_eq!(check(9, prune.as_bytes(), rest), EINVAL);
            }
        }
    }

    #[test]
    fn the_others_have_nothing_to_check() {
        let poll = FuseNotifyPollWakeupOut { kh: u64::MAX };
        assert_eq!(check(1, poll.as_bytes(), 0), Ok(()));
        let inode = FuseNotifyInvalInodeOut {
            ino: u64::MAX,
            off: i64::MIN,
            len: i64::MIN,
        };
        assert_eq!(check(2, inode.as_bytes(), 0), Ok(()));
        for number in [7, 8] {
            for rest in [0, 1, 100_000] {
                assert_eq!(check(number, &[], rest), Ok(()));
            }
        }
    }

    /// Whatever the bytes: no panic, and no error that C does not have.
    #[test]
    fn garbage_is_refused() {
        let mut taken = 0;
        for seed in seeds() {
            let mut random = Random::new(seed);
            for _ in 0..rounds() {
                let code = code(1 + random.below(9) as i32);
                let mut fixed = random.bytes(32);
                for at in [0, 8, 16, 24] {
                    if random.below(2) == 0 {
                        fixed[at..at + 8].copy_from_slice(&random.edgy().to_ne_bytes());
                    }
                }
                let body_len = match random.below(2) {
                    0 => random.below(5000),
                    _ => random.edgy() as usize,
                };
                let Ok(len) = code.fixed_len(body_len) else {
                    continue;
                };
                match code.check(&fixed[..len], body_len, 1024) {
                    Ok(()) => taken += 1,
                    Err(errno) => assert!([-22, -36].contains(&errno.to_negative())),
                }
                // What transport never asks.
                let other = &fixed[..random.below(33)];
                let _ = code.check(other, body_len, random.next() as u32);
            }
        }
        assert!(taken > 1000, "nothing but refusals: {taken}");
    }
}
