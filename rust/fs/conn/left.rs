// SPDX-License-Identifier: GPL-2.0

//! Callers that have left: how many there are of a connection, and the tasks that wait
//! for them.
//!
//! C counterpart: none; there a killed caller sleeps on with all it holds. What one that has left
//! still holds is in [`held`](crate::fs::request::held), the waits for that are in
//! [`occupied`](crate::fs::request::occupied).
//!
//! Takes "LeftTable::inner" and "LeftTable::rest", which are leaves.

use super::{
    left_locks::LeftLocks,
    records,
    rest::Rest, //
};
use crate::{
    abi::NodeId,
    kapi::{
        fuse::{
            lockdep,
            moduleparam, //
        },
        sync::wait::{
            new_wait_queue,
            Signals,
            WaitQueue, //
        },
        task::{
            cred::{
                capable,
                current_fsuid,
                CAP_SYS_ADMIN, //
            },
            sched::{
                current_pid,
                TaskId, //
            },
        },
        time::jiffies::Jiffies64,
        vfs::file::FlOwner, //
    },
    transport::may_leave, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SpinLock, //
    },
    task::Kuid, //
};

/// Tasks whose time to wait for FLUSHes is remembered. With more at once, some wait for less; and
/// for longer if their time has passed and others have needed the place.
const DYING: usize = 64;

/// One caller that has left.
struct Record {
    id: u64,
    user: Kuid,
    /// Its open files, as the owner of locks; `None` for a task without any.
    owner: Option<FlOwner>,
    /// Of a LOOKUP with the directory locked together with others: which name.
    name: Option<(NodeId, u32)>,
}

/// What the lock protects.
struct Inner {
    records: KVec<Record>,
    last_id: u64,
    /// Tasks that die of a signal, and until when they wait.
    dying: [(TaskId, Jiffies64); DYING],
}

/// The callers of a connection that have left.
#[pin_data]
pub(in crate::fs) struct LeftTable {
    #[pin]
    inner: SpinLock<Inner>,
    /// Those that wait until some of them are done.
    #[pin]
    pub(in crate::fs) waiters: WaitQueue,
    /// Locks of files that they may yet be granted.
    #[pin]
    pub(in crate::fs) locks: LeftLocks,
    /// How many of them hold the superblock's rename lock.
    pub(in crate::fs) renames: Atomic<u32>,
    /// A directory was moved to another one since the caller of the rename had left.
    moved: Atomic<bool>,
    /// The task that does what callers have left, or 0.
    doing: Atomic<i32>,
    /// Pages that it could not wait for, of the answer that it has at hand.
    #[pin]
    rest: SpinLock<Option<Rest>>,
}

impl LeftTable {
    /// Of a new connection.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(in crate::fs) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                inner <- new_spinlock!(
                    Inner {
                        records: KVec::new(),
                        last_id: 0,
                        dying: [(TaskId::NONE, Jiffies64::ZERO); DYING],
                    },
                    "LeftTable::inner"
                ),
                waiters <- new_wait_queue!("LeftTable::waiters"),
                locks <- LeftLocks::new(),
                renames: Atomic::new(0),
                moved: Atomic::new(false),
                doing: Atomic::new(0),
                rest <- new_spinlock!(None, "LeftTable::rest"),
            }),
            GFP_KERNEL,
        )
    }

    /// Enters the current task as one that leaves.
    ///
    /// # Errors
    ///
    /// EAGAIN if as many have left as may, ENOMEM.
    pub(in crate::fs) fn enter(&self) -> Result<u64> {
        let user = current_fsuid();
        let max = moduleparam::max_left();
        // Asked before the lock is taken, and only where it matters, as it is noted that it was.
        let few = {
            let inner = self.inner.lock();
            let of_user = of_user(&inner.records, user);
            may_leave(inner.records.len() as u32, of_user, max, false)
        };
        let privileged = !few && capable(CAP_SYS_ADMIN);
        loop {
            let all = {
                let mut inner = self.inner.lock();
                let all = inner.records.len();
                if !may_leave(all as u32, of_user(&inner.records, user), max, privileged) {
                    return Err(EAGAIN);
                }
                let id = inner.last_id.wrapping_add(1);
                let record = Record {
                    id,
                    user,
                    owner: FlOwner::current_files(),
                    name: None,
                };
                if inner.records.push_within_capacity(record).is_ok() {
                    inner.last_id = id;
                    return Ok(id);
                }
                all
            };
            records::grow(&self.inner, |inner| &mut inner.records, all)?;
        }
    }

    /// One of them is done.
    pub(in crate::fs) fn leave(&self, id: u64) {
        {
            let mut inner = self.inner.lock();
            if let Some(index) = inner.records.iter().position(|r| r.id == id) {
                let _ = inner.records.remove(index);
            }
        }
        self.locks.remove(id);
        self.waiters.wake_up_all();
    }

    /// One of them holds nothing any more, and what its process sends is not to be waited for.
    pub(in crate::fs) fn released(&self, id: u64) {
        {
            let mut inner = self.inner.lock();
            if let Some(record) = inner.records.iter_mut().find(|r| r.id == id) {
                record.owner = None;
                record.name = None;
            }
        }
        self.waiters.wake_up_all();
    }

    /// The record of one of them looks up this name.
    pub(in crate::fs) fn set_name(&self, id: u64, name: (NodeId, u32)) {
        let mut inner = self.inner.lock();
        if let Some(record) = inner.records.iter_mut().find(|r| r.id == id) {
            record.name = Some(name);
        }
    }

    /// Whether one of them looks up this name.
    pub(in crate::fs) fn has_name(&self, name: (NodeId, u32)) -> bool {
        let inner = self.inner.lock();
        inner.records.iter().any(|r| r.name == Some(name))
    }

    /// Whether one of them had these open files.
    pub(in crate::fs) fn has_owner(&self, owner: FlOwner) -> bool {
        let inner = self.inner.lock();
        inner.records.iter().any(|r| r.owner == Some(owner))
    }

    /// Sleeps until `condition` holds.
    ///
    /// # Errors
    ///
    /// EINTR if killed, unless callers wait whether they are killed or not.
    pub(in crate::fs) fn wait(&self, condition: impl FnMut() -> bool) -> Result {
        let signals = if moduleparam::killable() {
            Signals::Fatal
        } else {
            Signals::None
        };
        self.waiters
            .wait_event(signals, condition)
            .map_err(|_| EINTR)
    }

    /// Waits until all of them are done.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    pub(in crate::fs) fn await_all(&self) -> Result {
        lockdep::might_wait_for_left();
        self.wait(|| self.inner.lock().records.is_empty())
    }

    /// Waits until none of them had these open files, or until a time; whether that is so. No
    /// signal ends it.
    pub(in crate::fs) fn wait_owner(&self, owner: FlOwner, until: Jiffies64) -> bool {
        self.waiters
            .wait_event_until(Signals::None, until, || !self.has_owner(owner))
    }

    /// Waits until the current task may ask for a lock with this owner
    /// ([`LeftLocks::owner_asks`]).
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    #[inline]
    pub(in crate::fs) fn await_lock(&self, owner: FlOwner, node: NodeId) -> Result {
        if self.locks.is_empty() {
            return Ok(());
        }
        lockdep::might_wait_for_left();
        self.wait(|| self.locks.owner_asks(owner, node))
    }

    /// Whether one of them that left before `id` did had these open files.
    pub(in crate::fs) fn has_earlier(&self, owner: FlOwner, id: u64) -> bool {
        let inner = self.inner.lock();
        let mut records = inner.records.iter();
        records.any(|r| r.owner == Some(owner) && r.id < id)
    }

    /// Until when the current task, which dies of a signal, waits for its FLUSHes.
    pub(in crate::fs) fn deadline(&self) -> Jiffies64 {
        let task = TaskId::current();
        let mut inner = self.inner.lock();
        if let Some((_, until)) = inner.dying.iter().find(|(other, _)| *other == task) {
            return *until;
        }
        let until = Jiffies64::after_secs(moduleparam::flush_wait());
        match inner.dying.iter_mut().find(|(_, until)| until.has_passed()) {
            Some(place) => {
                *place = (task, until);
                until
            }
            // Sooner than its own time would be.
            None => (inner.dying.iter()).fold(until, |first, (_, other)| first.earlier(*other)),
        }
    }

    /// Whether any rename of a directory to another directory was done since its caller had left.
    pub(in crate::fs) fn has_moved(&self) -> bool {
        self.moved.load(Relaxed)
    }

    /// From now on.
    pub(in crate::fs) fn set_moved(&self) {
        self.moved.store(true, Relaxed);
    }
}

/// The current task does what callers have left, for as long as this lives. It waits for nobody's
/// folios.
pub(in crate::fs) struct Doing<'a> {
    table: &'a LeftTable,
    _lockdep: lockdep::DoingLeft,
}

impl<'a> Doing<'a> {
    /// From now on. There is one such task of a connection at a time.
    pub(in crate::fs) fn new(table: &'a LeftTable) -> Self {
        table.doing.store(current_pid(), Relaxed);
        Self {
            table,
            _lockdep: lockdep::DoingLeft::new(),
        }
    }

    /// The pages that it would have had to wait for.
    pub(in crate::fs) fn take_rest(&self) -> Option<Rest> {
        self.table.rest.lock().take()
    }
}

impl Drop for Doing<'_> {
    fn drop(&mut self) {
        self.table.doing.store(0, Relaxed);
    }
}

impl LeftTable {
    /// Whether the current task does what callers have left.
    pub(in crate::fs) fn is_doing(&self) -> bool {
        self.doing.load(Relaxed) == current_pid()
    }

    /// Pages that the current task, which does that, could not wait for. False if there are those
    /// of another inode already.
    pub(in crate::fs) fn put_rest(&self, rest: Rest) -> bool {
        // Dropped after the lock, if it is merged.
        let mut rest = Some(rest);
        let mut place = self.rest.lock();
        match (&mut *place, &rest) {
            (Some(other), Some(more)) => other.merge(more),
            (place, _) => {
                *place = rest.take();
                true
            }
        }
    }

    /// Whether there are pages that the current task, which does what callers have left, could not
    /// wait for.
    pub(in crate::fs) fn has_rest(&self) -> bool {
        self.rest.lock().is_some()
    }
}

/// How many of them are of one user.
fn of_user(records: &[Record], user: Kuid) -> u32 {
    records.iter().filter(|r| r.user == user).count() as u32
}
