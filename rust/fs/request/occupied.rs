// SPDX-License-Identifier: GPL-2.0

//! Waiting for what callers that have left still hold.
//!
//! C counterpart: the waits of `down_write()` and `down_read()` for a killed caller that sleeps on
//! with the lock. Whoever has taken one of the locks since asks here before sending anything, and
//! waits, killably. These waits stand in the order of locks where the locks stand. Takes
//! "LeftTable::inner".

use crate::{
    abi::NodeId,
    fs::{
        conn::connection::Conn,
        Inode, //
    },
    kapi::{
        fuse::lockdep,
        sync::wait::Signals,
        time::jiffies::Jiffies64,
        vfs::dentry::full_name_hash, //
    },
    transport::Hold, //
};
use kernel::{
    prelude::*,
    sync::atomic::Acquire, //
};

impl Inode {
    /// Waits until no caller that has left excludes `hold`, for which the current task has the
    /// lock. What the VFS has looked at before, under that lock, is to be looked at again if it
    /// says true. An operation that the VFS calls with the lock held waits here before it looks at
    /// anything by itself, whether the inode is bad first of all.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    #[inline]
    pub(in crate::fs) fn await_hold(&self, hold: Hold) -> Result<bool> {
        lockdep::might_wait_for_left();
        if self.data().occupied.is_free() {
            return Ok(false);
        }
        self.await_occupied(hold)
    }

    #[cold]
    fn await_occupied(&self, hold: Hold) -> Result<bool> {
        let occupied = &self.data().occupied;
        if occupied.admits(hold) {
            self.settle();
            return Ok(false);
        }
        self.conn().left.wait(|| occupied.admits(hold))?;
        Ok(true)
    }

    /// Waits for answers that have come for callers that have left, and are just being applied, so
    /// that the daemon's write(2) comes before what is seen after it. For a moment, and if that was
    /// in vain, others do not: where pages are being read the rest may take as long as the daemon
    /// likes, and in C nobody waits for a caller that has woken up. Says whether it did.
    #[inline]
    pub(in crate::fs) fn settle(&self) -> bool {
        let settled = self.data().occupied.is_settled();
        if !settled {
            self.await_settled();
        }
        !settled
    }

    #[cold]
    fn await_settled(&self) {
        lockdep::might_wait_for_left();
        let occupied = &self.data().occupied;
        let left = &self.conn().left;
        let moment = Jiffies64::after_secs(1);
        let settled = left
            .waiters
            .wait_event_until(Signals::Fatal, moment, || occupied.is_settled());
        if !settled && moment.has_passed() {
            occupied.late();
        }
    }

    /// As [`await_hold`](Self::await_hold) of a directory in which a name is changed.
    ///
    /// # Errors
    ///
    /// ENOENT if the directory has been removed meanwhile.
    #[inline]
    pub(in crate::fs) fn await_names(&self) -> Result {
        self.await_hold(Hold::Exclusive)?;
        self.check_dead()
    }

    /// The VFS has looked at this before, but another wait with the lock held may have come
    /// between.
    fn check_dead(&self) -> Result {
        if self.is_deaddir() {
            return Err(ENOENT);
        }
        Ok(())
    }

    /// As [`await_hold`](Self::await_hold) of a directory in which a name is looked up, in
    /// whichever way the current task has locked it; with others, until nobody of those that have
    /// left looks up the same one.
    ///
    /// # Errors
    ///
    /// ENOENT if the directory has been removed meanwhile.
    #[inline]
    pub(in crate::fs) fn await_lookup(&self, name: &[u8]) -> Result {
        lockdep::might_wait_for_left();
        if !self.data().occupied.is_free() {
            self.await_lookup_occupied(name)?;
        }
        self.check_dead()
    }

    /// As [`await_lookup`](Self::await_lookup) of a directory that the current task has locked with
    /// others, and has waited for: until nobody of those that have left looks up the name.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    #[inline]
    pub(in crate::fs) fn await_name(&self, name: &[u8]) -> Result {
        if self.data().occupied.is_free() {
            return Ok(());
        }
        self.await_name_occupied(name)
    }

    #[cold]
    fn await_name_occupied(&self, name: &[u8]) -> Result {
        let name = self.name_id(name);
        let left = &self.conn().left;
        left.wait(|| !left.has_name(name))
    }

    /// A number for a name in this directory. Two names with the same one just wait for each other.
    pub(super) fn name_id(&self, name: &[u8]) -> (NodeId, u32) {
        (self.nodeid(), full_name_hash(self, name))
    }

    #[cold]
    fn await_lookup_occupied(&self, name: &[u8]) -> Result {
        if self.is_locked_by_current() {
            self.await_occupied(Hold::Exclusive)?;
        } else {
            self.await_occupied(Hold::Shared)?;
            self.await_name_occupied(name)?;
        }
        Ok(())
    }

    /// As [`await_hold`](Self::await_hold) where it is not known whether the current task has the
    /// directory locked: exclusively, it waits.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    #[inline]
    pub(in crate::fs) fn await_if_locked(&self) -> Result<bool> {
        if self.data().occupied.is_free() || !self.is_locked_by_current() {
            return Ok(false);
        }
        self.await_occupied(Hold::Exclusive)
    }

    /// As [`await_if_locked`](Self::await_if_locked), and [`settle`](Self::settle) otherwise;
    /// whether it has waited for either.
    #[inline]
    pub(in crate::fs) fn await_if_locked_or_settle(&self) -> Result<bool> {
        if self.data().occupied.is_free() {
            return Ok(false);
        }
        self.await_any()
    }

    #[cold]
    fn await_any(&self) -> Result<bool> {
        let waited = self.await_if_locked()?;
        Ok(self.settle() || waited)
    }
}

impl Conn {
    /// Waits until no caller that has left holds the superblock's rename lock, which the current
    /// task has taken.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    pub(in crate::fs) fn await_renames(&self) -> Result {
        lockdep::might_wait_for_left();
        let free = || self.left.renames.load(Acquire) == 0;
        if free() {
            return Ok(());
        }
        self.left.wait(free)
    }
}
