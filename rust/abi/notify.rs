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
//!
//! What comes out is a [`Notification`], which says how much is still to be read. Nothing is done
//! before all of that was read and is known to be right: a message is acted on as a whole, or not
//! at all, but for data that goes into pages.

use super::{
    error::Errno,
    ids::{
        NodeId,
        PollHandle, //
    },
    notify_out::*, //
};
use zerocopy::FromBytes;

/// The end of the largest file (`MAX_LFS_FILESIZE`), from which on there is no data.
const MAX_LFS_FILESIZE: u64 = i64::MAX as u64;

/// `FUSE_EXPIRE_ONLY`, of INVAL_ENTRY.
const EXPIRE_ONLY: u32 = 1 << 0;

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

    /// How many bytes to read of the `body_len` that follow the header, for [`parse`](Self::parse).
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
    pub fn parse(
        self,
        fixed: &[u8],
        body_len: usize,
        name_max: u32,
    ) -> Result<Notification, Errno> {
        let rest = body_len.checked_sub(fixed.len()).ok_or(Errno::EINVAL)?;
        Ok(match self {
            Self::Poll => {
                let out: FuseNotifyPollWakeupOut = read(fixed)?;
                Notification::Poll {
                    kh: PollHandle::from_raw(out.kh),
                }
            }
            Self::InvalInode => {
                let out: FuseNotifyInvalInodeOut = read(fixed)?;
                Notification::InvalInode {
                    node: NodeId::new(out.ino),
                    offset: out.off,
                    len: out.len,
                }
            }
            Self::InvalEntry => {
                let out: FuseNotifyInvalEntryOut = read(fixed)?;
                Notification::InvalEntry {
                    parent: NodeId::new(out.parent),
                    name_len: name_follows(out.namelen, rest, name_max)?,
                    expire_only: out.flags & EXPIRE_ONLY != 0,
                }
            }
            Self::Delete => {
                let out: FuseNotifyDeleteOut = read(fixed)?;
                Notification::Delete {
                    parent: NodeId::new(out.parent),
                    child: NodeId::new(out.child),
                    name_len: name_follows(out.namelen, rest, name_max)?,
                }
            }
            Self::Store => {
                let out: FuseNotifyStoreOut = read(fixed)?;
                follows(usize::try_from(out.size).ok(), rest)?;
                within_files(out.offset)?;
                Notification::Store {
                    node: NodeId::new(out.nodeid),
                    offset: out.offset,
                    size: out.size,
                }
            }
            Self::Retrieve => {
                let out: FuseNotifyRetrieveOut = read(fixed)?;
                within_files(out.offset)?;
                Notification::Retrieve {
                    notify_unique: out.notify_unique,
                    node: NodeId::new(out.nodeid),
                    offset: out.offset,
                    size: out.size,
                }
            }
            Self::Resend => Notification::Resend,
            Self::IncEpoch => Notification::IncEpoch,
            Self::Prune => {
                let out: FuseNotifyPruneOut = read(fixed)?;
                let count = usize::try_from(out.count).ok();
                let ids = count.and_then(|count| count.checked_mul(size_of::<u64>()));
                follows(ids, rest)?;
                Notification::Prune { count: out.count }
            }
        })
    }
}

/// A notification whose fixed part is well formed, and what that says. Node 0 is none: there is no
/// such inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notification {
    /// The file that is called so ([`Poll::kh`](super::op::Poll::kh)) is ready for something else.
    Poll {
        /// Whatever the daemon says: there need be no such file.
        kh: PollHandle,
    },
    /// Attributes of a node are out of date, and a range of its data.
    InvalInode {
        /// Which.
        node: Option<NodeId>,
        /// Where the range begins; before 0 there is none.
        offset: i64,
        /// How long it is; 0 or less for all that follows.
        len: i64,
    },
    /// A name, which follows, is out of date.
    InvalEntry {
        /// Where it is.
        parent: Option<NodeId>,
        /// Bytes of the name, without the NUL after it.
        name_len: usize,
        /// It is only to be looked up again, and stays until then.
        expire_only: bool,
    },
    /// Data for the page cache, which follow.
    Store {
        /// Whose.
        node: Option<NodeId>,
        /// Where they begin, within a file.
        offset: u64,
        /// Bytes that follow.
        size: u32,
    },
    /// Asks for data of the page cache.
    Retrieve {
        /// How the daemon will tell the answer.
        notify_unique: u64,
        /// Whose.
        node: Option<NodeId>,
        /// Where they begin, within a file.
        offset: u64,
        /// Bytes at most.
        size: u32,
    },
    /// A name, which follows, was removed.
    Delete {
        /// Where it was.
        parent: Option<NodeId>,
        /// What it was the name of, if that matters.
        child: Option<NodeId>,
        /// Bytes of the name, without the NUL after it.
        name_len: usize,
    },
    /// What was read and not answered is to be sent again.
    Resend,
    /// All names are out of date.
    IncEpoch,
    /// Nodes, which follow, that are not in use are to be forgotten.
    Prune {
        /// How many, 8 bytes each.
        count: u32,
    },
}

/// A fixed part that is there, since [`NotifyCode::fixed_len`] says so.
fn read<T: FromBytes>(fixed: &[u8]) -> Result<T, Errno> {
    T::read_from_bytes(fixed).map_err(|_| Errno::EINVAL)
}

/// The length of a name with a NUL after it, which is all the rest.
fn name_follows(namelen: u32, rest: usize, name_max: u32) -> Result<usize, Errno> {
    if namelen > name_max {
        return Err(Errno::ENAMETOOLONG);
    }
    let name = usize::try_from(namelen).map_err(|_| Errno::EINVAL)?;
    follows(name.checked_add(1), rest)?;
    Ok(name)
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
        code(number).parse(fixed, body_len, 1024).map(drop)
    }

    /// What the fixed part says, of the bytes that `wire` has.
    fn says(number: i32, wire: Wire, rest: usize) -> Notification {
        let body_len = wire.0.len() + rest;
        let parsed = code(number).parse(&wire.0, body_len, 1024);
        parsed.expect("well formed")
    }

    #[test]
    fn each_says_what_its_bytes_say() {
        let kh = PollHandle::from_raw(u64::MAX - 2);
        assert_eq!(says(1, wire().u64(kh.get()), 0), Notification::Poll { kh });
        let inode = Notification::InvalInode {
            node: NodeId::new(6),
            offset: -1,
            len: 9,
        };
        assert_eq!(says(2, wire().u64(6).u64(u64::MAX).u64(9), 0), inode);
        for (flags, expire_only) in [(0, false), (1, true), (u32::MAX - 1, false)] {
            let entry = Notification::InvalEntry {
                parent: NodeId::new(6),
                name_len: 2,
                expire_only,
            };
            assert_eq!(says(3, wire().u64(6).u32(2).u32(flags), 3), entry);
        }
        let store = Notification::Store {
            node: NodeId::new(6),
            offset: 4096,
            size: 5,
        };
        assert_eq!(says(4, wire().u64(6).u64(4096).u32(5).u32(9), 5), store);
        let retrieve = Notification::Retrieve {
            notify_unique: 77,
            node: NodeId::new(6),
            offset: 4096,
            size: 5,
        };
        let bytes = wire().u64(77).u64(6).u64(4096).u32(5).u32(9);
        assert_eq!(says(5, bytes, 0), retrieve);
        let delete = Notification::Delete {
            parent: NodeId::new(6),
            child: NodeId::new(7),
            name_len: 2,
        };
        assert_eq!(says(6, wire().u64(6).u64(7).u32(2).u32(9), 3), delete);
        assert_eq!(says(7, wire(), 5), Notification::Resend);
        assert_eq!(says(8, wire(), 5), Notification::IncEpoch);
        let prune = Notification::Prune { count: 2 };
        assert_eq!(says(9, wire().u32(2).u32(9).u64(9), 16), prune);
    }

    /// Where C finds no inode for it there is none to be found.
    #[test]
    fn node_0_is_none() {
        let none = |said| match said {
            Notification::InvalInode { node, .. }
            | Notification::Store { node, .. }
            | Notification::Retrieve { node, .. } => node.is_none(),
            Notification::InvalEntry { parent, .. } => parent.is_none(),
            Notification::Delete { parent, child, .. } => parent.is_none() && child.is_none(),
            _ => false,
        };
        for (number, len, rest) in [(2, 24, 0), (3, 16, 1), (4, 24, 0), (5, 32, 0), (6, 24, 1)] {
            assert!(none(says(number, Wire(vec![0; len]), rest)), "{number}");
        }
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
        let parse = |max| code(3).parse(entry.as_bytes(), body_len, max).map(drop);
        assert_eq!(parse(4095), Ok(()));
        assert_eq!(parse(4094), ENAMETOOLONG);
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
                match code.parse(&fixed[..len], body_len, 1024) {
                    Ok(_) => taken += 1,
                    Err(errno) => assert!([-22, -36].contains(&errno.to_negative())),
                }
                // What transport never asks.
                let other = &fixed[..random.below(33)];
                let _ = code.parse(other, body_len, random.next() as u32);
            }
        }
        assert!(taken > 1000, "nothing but refusals: {taken}");
    }
}
