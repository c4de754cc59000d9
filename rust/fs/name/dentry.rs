// SPDX-License-Identifier: GPL-2.0

//! What we keep with a name: until when it is valid.
//!
//! C counterpart: `struct fuse_dentry` (dir.c). Takes no locks.

use crate::{
    abi::Timeout,
    fs::{
        conn::connection::Conn,
        inode::times::valid_until,
        Dentry, //
    },
    kapi::{
        fuse::inval_wq,
        time::jiffies::Jiffies64, //
    },
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// A dentry's data. Read in RCU walk: atomics only.
pub(in crate::fs) struct FuseDentry {
    /// In jiffies (64 bits): until when the daemon vouches for the name.
    time: Atomic<u64>,
    /// [`NamedAt::epoch`].
    epoch: Atomic<u32>,
}

/// When a name was asked for, in the connection's counter; to tell whether what it stands for is
/// still what the daemon said.
#[derive(Clone, Copy)]
pub(in crate::fs) struct NamedAt {
    /// [`Conn::epoch`].
    epoch: u32,
}

impl NamedAt {
    /// For a request that is sent after this.
    pub(in crate::fs) fn now(conn: &Conn) -> Self {
        Self {
            epoch: conn.epoch(),
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

    /// Whether the daemon does not vouch for the name any more.
    pub(super) fn is_outdated(&self) -> bool {
        self.time().has_passed()
    }
}

impl Dentry {
    /// Sets how long the name is good from now on (`fuse_change_entry_timeout()`), and when it was
    /// asked for.
    pub(in crate::fs) fn set_named(&self, asked: NamedAt, valid: Timeout) {
        self.data().epoch.store(asked.epoch, Relaxed);
        self.set_time(valid_until(valid));
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
