// SPDX-License-Identifier: GPL-2.0

//! What we keep with a name: until when it is valid.
//!
//! C counterpart: `struct fuse_dentry` (dir.c). Takes no locks.
//!
//! # Names that go out of date while they are asked for
//!
//! A notification that a name is out of date (INVAL_ENTRY) does not wait for requests that are
//! about to bring that name, as it does in C, where it takes the directory's lock. So it counts in
//! the directory before it looks for the name ([`FuseInode::outdate_names`]). Each request that may
//! bring a name takes the count first ([`NamedAt`]); an answer by which the count has moved was
//! perhaps made before the notification, and its name is good for no time at all.
//!
//! The answer's time is set before the name can be found, for those who wait for it, so that
//! another notification may come between the two and find nothing. Therefore the dentry keeps the
//! count ([`FuseDentry::asked`]) and is good only while the directory has the same, until it is
//! hashed and the counts have been compared again ([`Dentry::set_findable`]): a notification that
//! counts later than that finds it. For a name that RENAME brings, that is when it is next looked
//! up.

use crate::{
    abi::Timeout,
    fs::{
        inode::{
            fuse_inode::FuseInode,
            times::valid_until, //
        },
        Dentry,
        Inode, //
    },
    kapi::{
        fuse::inval_wq,
        time::jiffies::Jiffies64, //
    },
};
use kernel::sync::{
    atomic::{
        Acquire,
        Atomic,
        Full,
        Relaxed,
        Release, //
    },
    barrier::smp_mb, //
};

/// A dentry's data. Read in RCU walk: atomics only.
pub(in crate::fs) struct FuseDentry {
    /// In jiffies (64 bits): until when the daemon vouches for the name.
    time: Atomic<u64>,
    /// [`NamedAt::epoch`].
    epoch: Atomic<u32>,
    /// [`NamedAt::outdated`] if the name may have gone out of date unnoticed, or [`FOUND`].
    asked: Atomic<u32>,
}

/// The name is found by whoever says that it is out of date.
const FOUND: u32 = 0;

/// When a name was asked for, in the connection's and the directory's counters; to tell whether
/// what it stands for is still what the daemon said.
#[derive(Clone, Copy)]
pub(in crate::fs) struct NamedAt {
    /// [`Conn::epoch`](crate::fs::conn::connection::Conn::epoch).
    epoch: u32,
    /// [`FuseInode::names_outdated`].
    outdated: u32,
}

impl NamedAt {
    /// For a request that is sent after this, and brings a name in `dir`.
    pub(in crate::fs) fn now(dir: &Inode) -> Self {
        Self {
            epoch: dir.conn().epoch(),
            outdated: dir.data().names_outdated(),
        }
    }
}

impl FuseDentry {
    /// Of a new dentry: not valid until looked up.
    pub(in crate::fs) fn new() -> Self {
        Self {
            time: Atomic::new(0),
            // Older than any epoch, of which the first is 1.
            epoch: Atomic::new(0),
            asked: Atomic::new(FOUND),
        }
    }

    /// Until when the daemon vouches for the name.
    pub(in crate::fs) fn time(&self) -> Jiffies64 {
        Jiffies64::from_u64(self.time.load(Relaxed))
    }

    /// Whether the name must be looked up again whatever its time: the connection has moved on.
    pub(super) fn is_from_before(&self, epoch: u32) -> bool {
        self.epoch.load(Relaxed) < epoch
    }

    /// Whether the daemon does not vouch for the name in this directory any more.
    #[inline]
    pub(super) fn is_outdated(&self, dir: &FuseInode) -> bool {
        // Before the time, which is set before it becomes FOUND.
        let asked = self.asked.load(Acquire);
        (asked != FOUND && asked != dir.names_outdated()) || self.time().has_passed()
    }
}

impl Dentry {
    /// Sets how long a name in `dir` is good from now on (`fuse_change_entry_timeout()`), and when
    /// it was asked for. The name is hashed.
    pub(in crate::fs) fn set_named(&self, dir: &Inode, asked: NamedAt, valid: Timeout) {
        self.will_be_named(asked, valid);
        self.set_findable(dir, asked);
    }

    /// The same before the name is hashed; [`set_findable`](Self::set_findable) follows.
    pub(in crate::fs) fn will_be_named(&self, asked: NamedAt, valid: Timeout) {
        let data = self.data();
        data.epoch.store(asked.epoch, Relaxed);
        data.asked.store(asked.outdated, Relaxed);
        self.set_time(valid_until(valid));
    }

    /// The name is hashed now.
    pub(in crate::fs) fn set_findable(&self, dir: &Inode, asked: NamedAt) {
        // Of the two, counting and then looking for the name, and hashing it and then looking at
        // the count, one sees what the other has done: see `FuseInode::outdate_names()`.
        smp_mb(Full);
        if dir.data().names_outdated() != asked.outdated {
            self.invalidate_entry_cache();
        }
        self.data().asked.store(FOUND, Release);
    }

    /// RENAME, for which the new directory was asked like this, brings the name there. The VFS
    /// hashes it later.
    pub(in crate::fs) fn will_be_renamed(&self, asked: NamedAt) {
        self.data().asked.store(asked.outdated, Relaxed);
    }

    /// Makes the name be looked up the next time (`fuse_invalidate_entry_cache()`).
    pub(in crate::fs) fn invalidate_entry_cache(&self) {
        self.set_time(Jiffies64::ZERO);
    }

    /// The same, and tries to drop the dentry at once (`fuse_invalidate_entry()`). May sleep.
    pub(in crate::fs) fn invalidate_entry(&self) {
        self.d_invalidate();
        self.invalidate_entry_cache();
    }

    /// `fuse_dentry_settime()`.
    fn set_time(&self, time: Jiffies64) {
        // The last dput() is faster if it need not ask; races do no harm.
        if self.has_op_delete() {
            self.set_op_delete(false);
        }
        self.data().time.store(time.to_u64(), Relaxed);
        if inval_wq::seconds() != 0 {
            self.drop_after(time);
        }
    }
}
