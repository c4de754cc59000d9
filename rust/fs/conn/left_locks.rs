// SPDX-License-Identifier: GPL-2.0

//! Locks of files that callers which have left had asked for: who owns what the daemon grants then.
//!
//! C counterpart: none; there a killed caller that waits for a lock keeps its open files, which own
//! the lock, until the daemon has answered. Here the files may be closed before: then nobody owns
//! the lock, and it is given back. Takes "LeftLocks::inner", which is a leaf.
//!
//! A POSIX lock is not the task's but that of its open files (`files_struct`), which other tasks
//! may share, and of an inode. Whoever has the same open files has the lock, too, as in C. It goes
//! when any of them closes a file of the inode: by FLUSH. So what is granted before such a FLUSH
//! goes by it; what is granted after the last one is to be given back. Unless the same open files
//! have asked for a lock of the inode since: then it would be theirs that goes, and another FLUSH
//! will come.

use super::records;
use crate::{
    abi::NodeId,
    kapi::vfs::file::FlOwner, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        SpinLock, //
    },
};

/// What a caller that has left, by its number, has to do with locks.
#[derive(Clone, Copy)]
struct LeftLock {
    id: u64,
    owner: FlOwner,
    node: NodeId,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The daemon may still grant one.
    Asked,
    /// The same, and its owner has closed the file since.
    Closed,
    /// It is being given back, or all of the owner's are.
    Dropping,
}

/// The locks of a connection that callers which have left may yet be granted, or drop.
#[pin_data]
pub(in crate::fs) struct LeftLocks {
    #[pin]
    inner: SpinLock<KVec<LeftLock>>,
    count: Atomic<u32>,
}

impl LeftLocks {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- new_spinlock!(KVec::new(), "LeftLocks::inner"),
            count: Atomic::new(0),
        })
    }

    /// Whether there are none, as is usual.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Acquire) == 0
    }

    /// The caller with this number asks for a lock.
    ///
    /// # Errors
    ///
    /// ENOMEM; of the next, too.
    pub(in crate::fs) fn asks(&self, id: u64, owner: FlOwner, node: NodeId) -> Result {
        self.add(LeftLock {
            id,
            owner,
            node,
            state: State::Asked,
        })
    }

    /// The number stands for a FLUSH of a task that is gone: all locks that it had of the file go
    /// then.
    pub(in crate::fs) fn drops(&self, id: u64, owner: FlOwner, node: NodeId) -> Result {
        self.add(LeftLock {
            id,
            owner,
            node,
            state: State::Dropping,
        })
    }

    fn add(&self, lock: LeftLock) -> Result {
        loop {
            let all = {
                let mut locks = self.inner.lock();
                if locks.push_within_capacity(lock).is_ok() {
                    self.count_them(&locks);
                    return Ok(());
                }
                locks.len()
            };
            records::grow(&self.inner, |locks| locks, all)?;
        }
    }

    /// All is done that the number stands for.
    pub(super) fn remove(&self, id: u64) {
        if self.is_empty() {
            return;
        }
        let mut locks = self.inner.lock();
        if let Some(index) = locks.iter().position(|l| l.id == id) {
            let _ = locks.remove(index);
        }
        self.count_them(&locks);
    }

    /// The owner closes a file, and FLUSH is about to be sent.
    #[inline]
    pub(in crate::fs) fn owner_closes(&self, owner: FlOwner, node: NodeId) {
        if !self.is_empty() {
            replace(
                &mut self.inner.lock(),
                owner,
                node,
                State::Asked,
                State::Closed,
            );
        }
    }

    /// The owner is about to ask for a lock of its own. False while one of the owner is being given
    /// back: that would take this one, too. Where it is a FLUSH of a task that is gone, somebody
    /// else has got the address of its open files.
    pub(super) fn owner_asks(&self, owner: FlOwner, node: NodeId) -> bool {
        let mut locks = self.inner.lock();
        let mut dropping = locks.iter().filter(|l| l.state == State::Dropping);
        if dropping.any(|l| l.owner == owner && l.node == node) {
            return false;
        }
        replace(&mut locks, owner, node, State::Closed, State::Asked);
        true
    }

    /// The daemon has granted the lock that the caller had asked for: whether it is to be given
    /// back.
    pub(in crate::fs) fn granted(&self, id: u64) -> bool {
        let mut locks = self.inner.lock();
        let Some(index) = locks.iter().position(|l| l.id == id) else {
            return false;
        };
        if let Some(lock) = locks.get_mut(index).filter(|l| l.state == State::Closed) {
            lock.state = State::Dropping;
            return true;
        }
        let _ = locks.remove(index);
        self.count_them(&locks);
        false
    }

    /// To be called with the lock held.
    fn count_them(&self, locks: &[LeftLock]) {
        self.count.store(locks.len() as u32, Release);
    }
}

/// Puts one state into the place of another.
fn replace(locks: &mut [LeftLock], owner: FlOwner, node: NodeId, old: State, new: State) {
    let of_owner = locks
        .iter_mut()
        .filter(|l| l.owner == owner && l.node == node);
    for lock in of_owner.filter(|l| l.state == old) {
        lock.state = new;
    }
}
