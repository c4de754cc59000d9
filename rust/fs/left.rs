// SPDX-License-Identifier: GPL-2.0

//! Callers that have left: what they still hold, how many there are, and who waits for them.
//!
//! C counterpart: none; there a killed caller sleeps on with all it holds. Here a caller that SIGKILL frees hands
//! it over, before it releases any lock of the VFS: [`Held`] goes with the request, to be let go of when the
//! request has ended and what the caller would have done is done. Whoever has taken one of these locks since
//! asks ([`Inode::await_hold`] and the like) before sending anything, and waits, killably.
//!
//! Takes "LeftTable::inner", a leaf. The waits stand in the order of locks where the locks stand that are held.

use super::{
    conn::Conn,
    File,
    Fuse,
    Inode, //
};
use crate::{
    abi::NodeId,
    kapi::{
        cred::{
            capable,
            current_fsuid,
            CAP_SYS_ADMIN, //
        },
        fcntl::FMODE_EXEC,
        file::HeldFile,
        file_operations::FlOwner,
        jiffies::Jiffies64,
        lockdep, moduleparam,
        task::TaskId,
        uidgid::Kuid,
        wait::{
            new_wait_queue,
            Signals,
            WaitQueue, //
        },
        write_access::KeptAccess,
    },
    transport::{
        may_leave,
        Done,
        Hold,
        Left, //
    },
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        SpinLock, //
    },
};

/// Tasks whose time to wait for FLUSHes is remembered. With more at once, some may wait for longer.
const DYING: usize = 16;

/// One caller that has left.
struct Record {
    id: u64,
    user: Kuid,
    /// Its open files, as the owner of locks; `None` for a task without any.
    owner: Option<FlOwner>,
    /// Of a LOOKUP with the directory locked together with others: which name.
    name: Option<(NodeId, u64)>,
}

/// What the lock protects.
struct Inner {
    records: KVec<Record>,
    last_id: u64,
    /// Tasks that die of a signal, and until when they wait; the oldest is replaced first.
    dying: [(TaskId, Jiffies64); DYING],
    oldest: usize,
}

/// The callers of a connection that have left.
#[pin_data]
pub(crate) struct LeftTable {
    #[pin]
    inner: SpinLock<Inner>,
    /// Who waits until some of them are done.
    #[pin]
    waiters: WaitQueue,
    /// How many of them hold the superblock's rename lock.
    renames: Atomic<u32>,
    /// A directory was moved to another one since the caller of the rename had left.
    moved: Atomic<bool>,
}

impl LeftTable {
    /// Of a new connection.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                inner <- new_spinlock!(
                    Inner {
                        records: KVec::new(),
                        last_id: 0,
                        dying: [(TaskId::NONE, Jiffies64::ZERO); DYING],
                        oldest: 0,
                    },
                    "LeftTable::inner"
                ),
                waiters <- new_wait_queue!("LeftTable::waiters"),
                renames: Atomic::new(0),
                moved: Atomic::new(false),
            }),
            GFP_KERNEL,
        )
    }

    /// Enters the current task as one that leaves.
    ///
    /// # Errors
    ///
    /// EAGAIN if as many have left as may, ENOMEM.
    fn enter(&self) -> Result<u64> {
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
            let room = {
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
                all.saturating_mul(2).max(8)
            };
            let mut records = KVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
            let mut inner = self.inner.lock();
            if inner.records.capacity() < room {
                for record in inner.records.drain_all() {
                    // There is room for more.
                    let _ = records.push_within_capacity(record);
                }
                core::mem::swap(&mut inner.records, &mut records);
            }
            drop(inner);
        }
    }

    /// One of them is done.
    fn leave(&self, id: u64) {
        {
            let mut inner = self.inner.lock();
            if let Some(index) = inner.records.iter().position(|r| r.id == id) {
                let _ = inner.records.remove(index);
            }
        }
        self.waiters.wake_up_all();
    }

    /// The record of one of them looks up this name.
    fn set_name(&self, id: u64, name: (NodeId, u64)) {
        let mut inner = self.inner.lock();
        if let Some(record) = inner.records.iter_mut().find(|r| r.id == id) {
            record.name = Some(name);
        }
    }

    /// Whether one of them looks up this name.
    fn has_name(&self, name: (NodeId, u64)) -> bool {
        let inner = self.inner.lock();
        inner.records.iter().any(|r| r.name == Some(name))
    }

    /// Whether one of them had these open files.
    pub(super) fn has_owner(&self, owner: FlOwner) -> bool {
        let inner = self.inner.lock();
        inner.records.iter().any(|r| r.owner == Some(owner))
    }

    /// Sleeps until `condition` holds.
    ///
    /// # Errors
    ///
    /// EINTR if killed, unless callers wait whether they are killed or not.
    fn wait(&self, condition: impl FnMut() -> bool) -> Result {
        let signals = if moduleparam::killable() {
            Signals::Fatal
        } else {
            Signals::None
        };
        self.waiters
            .wait_event(signals, condition)
            .map_err(|_| EINTR)
    }

    /// Waits until none of them had these open files, or until a time; whether that is so. No signal ends it.
    pub(super) fn wait_owner(&self, owner: FlOwner, until: Jiffies64) -> bool {
        self.waiters
            .wait_event_until(Signals::None, until, || !self.has_owner(owner))
    }

    /// The same in a work item, without an end but `id`, which is the work's own.
    pub(super) fn wait_owner_idle(&self, owner: FlOwner, id: u64) {
        let others = || {
            let inner = self.inner.lock();
            inner
                .records
                .iter()
                .any(|r| r.owner == Some(owner) && r.id < id)
        };
        // Without signals there is no error.
        let _ = self.waiters.wait_event(Signals::Idle, || !others());
    }

    /// Until when the current task, which dies of a signal, waits for its FLUSHes.
    pub(super) fn deadline(&self) -> Jiffies64 {
        let task = TaskId::current();
        let mut inner = self.inner.lock();
        if let Some((_, until)) = inner.dying.iter().find(|(other, _)| *other == task) {
            return *until;
        }
        let until = Jiffies64::after_secs(moduleparam::flush_wait());
        let oldest = inner.oldest;
        if let Some(place) = inner.dying.get_mut(oldest) {
            *place = (task, until);
        }
        inner.oldest = oldest.wrapping_add(1) % DYING;
        until
    }

    /// Whether any rename of a directory to another directory was done since its caller had left.
    pub(super) fn has_moved(&self) -> bool {
        self.moved.load(Relaxed)
    }

    /// From now on.
    pub(super) fn set_moved(&self) {
        self.moved.store(true, Relaxed);
    }
}

/// How many of them are of one user.
fn of_user(records: &[Record], user: Kuid) -> u32 {
    records.iter().filter(|r| r.user == user).count() as u32
}

impl Conn {
    /// Waits until no caller that has left holds the superblock's rename lock, which the current task has taken.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    pub(super) fn await_renames(&self) -> Result {
        lockdep::might_wait_for_left();
        let free = || self.left.renames.load(Acquire) == 0;
        if free() {
            return Ok(());
        }
        self.left.wait(free)
    }
}

impl Inode {
    /// Waits until no caller that has left excludes `hold`, for which the current task has the lock. What
    /// the VFS has looked at before, under that lock, is to be looked at again if it says true.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    #[inline]
    pub(super) fn await_hold(&self, hold: Hold) -> Result<bool> {
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

    /// Waits for answers that have come for callers that have left, and are just being applied, so that the daemon's
    /// write(2) comes before what is seen after it. For a moment, as where pages are being read the rest may
    /// take as long as the daemon likes; in C nobody waits for a caller that has woken up.
    #[inline]
    pub(super) fn settle(&self) {
        if !self.data().occupied.is_settled() {
            self.await_settled();
        }
    }

    #[cold]
    fn await_settled(&self) {
        lockdep::might_wait_for_left();
        let occupied = &self.data().occupied;
        let left = &self.conn().left;
        let moment = Jiffies64::after_secs(1);
        // Whether it has come to that or not.
        let _ = left
            .waiters
            .wait_event_until(Signals::Fatal, moment, || occupied.is_settled());
    }

    /// As [`await_hold`](Self::await_hold) of a directory in which a name is changed.
    ///
    /// # Errors
    ///
    /// ENOENT if the directory has been removed meanwhile.
    #[inline]
    pub(super) fn await_names(&self) -> Result {
        if self.await_hold(Hold::Exclusive)? && self.is_deaddir() {
            return Err(ENOENT);
        }
        Ok(())
    }

    /// As [`await_hold`](Self::await_hold) of a directory in which a name is looked up, in whichever way the
    /// current task has locked it; with others, until nobody of those that have left looks up the same one.
    ///
    /// # Errors
    ///
    /// ENOENT if the directory has been removed meanwhile.
    #[inline]
    pub(super) fn await_lookup(&self, name: &[u8]) -> Result {
        lockdep::might_wait_for_left();
        if self.data().occupied.is_free() {
            return Ok(());
        }
        self.await_lookup_occupied(name)
    }

    #[cold]
    fn await_lookup_occupied(&self, name: &[u8]) -> Result {
        let waited = if self.is_locked_by_current() {
            self.await_occupied(Hold::Exclusive)?
        } else {
            let name = (self.nodeid(), hash(name));
            let left = &self.conn().left;
            let waited = self.await_occupied(Hold::Shared)?;
            left.wait(|| !left.has_name(name))?;
            waited
        };
        if waited && self.is_deaddir() {
            return Err(ENOENT);
        }
        Ok(())
    }

    /// As [`await_hold`](Self::await_hold) where it is not known whether the current task has the directory locked:
    /// exclusively, it waits.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    #[inline]
    pub(super) fn await_if_locked(&self) -> Result<bool> {
        if self.data().occupied.is_free() || !self.is_locked_by_current() {
            return Ok(false);
        }
        self.await_occupied(Hold::Exclusive)
    }
}

/// A number for a name (FNV-1a). Two names with the same one just wait for each other.
fn hash(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// One thing that a caller which leaves hands over.
enum Keep {
    /// The inode stays, and with a hold, what the caller has of its locks.
    Inode(ARef<Inode>, Option<Hold>),
    /// The superblock's rename lock.
    Renames,
    /// The file stays open.
    File { _file: HeldFile<Fuse> },
    /// Who may write to an inode.
    Access { _access: KeptAccess<Fuse> },
    /// Anything else.
    Other { _other: KBox<dyn Send> },
}

/// How many things can be handed over. A RENAME has four inodes and the rename lock.
const KEEPS: usize = 6;

/// What a caller that has left still holds. Dropped, it is free for others.
pub(crate) struct Held {
    table: Arc<LeftTable>,
    id: u64,
    keeps: [Option<Keep>; KEEPS],
    /// The answer has come, and the inodes count it as one that is being applied.
    settling: bool,
}

impl Held {
    /// Nothing yet, of the current task, which counts as one that has left.
    ///
    /// # Errors
    ///
    /// EAGAIN if as many have left as may, ENOMEM.
    pub(super) fn new(conn: &Conn) -> Result<Self> {
        let table = conn.left.clone();
        let id = table.enter()?;
        Ok(Self {
            table,
            id,
            keeps: [const { None }; KEEPS],
            settling: false,
        })
    }

    /// Its number; those that leave later have higher ones.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    fn keep(&mut self, keep: Keep) -> Result {
        if let Keep::Inode(inode, Some(hold)) = &keep {
            inode.data().occupied.occupy(*hold);
        } else if let Keep::Renames = keep {
            self.table.renames.fetch_add(1, Full);
        }
        match self.keeps.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(keep),
            None => {
                release(&self.table, keep);
                return Err(EAGAIN);
            }
        }
        Ok(())
    }

    /// The answer has come: until this is dropped, others take care that it is applied before they look.
    fn ending(&mut self) {
        if self.settling {
            return;
        }
        self.settling = true;
        for inode in self.inodes() {
            inode.data().occupied.settle();
        }
    }

    fn inodes(&self) -> impl Iterator<Item = &Inode> {
        self.keeps.iter().flatten().filter_map(|keep| match keep {
            Keep::Inode(inode, _) => Some(&**inode),
            _ => None,
        })
    }

    /// The inode stays; exclusively locked by the current task, it stays so.
    ///
    /// # Errors
    ///
    /// EAGAIN if there is no place for it; of all below.
    pub(super) fn inode(&mut self, inode: &Inode) -> Result {
        let hold = inode.is_locked_by_current().then_some(Hold::Exclusive);
        self.keep(Keep::Inode(inode.into(), hold))
    }

    /// The inode stays locked as the current task has it locked, which is together with others if not alone.
    pub(super) fn locked(&mut self, inode: &Inode) -> Result {
        let hold = if inode.is_locked_by_current() {
            Hold::Exclusive
        } else {
            Hold::Shared
        };
        self.keep(Keep::Inode(inode.into(), Some(hold)))
    }

    /// The turn among the LOOKUPs and READDIRs of a directory, if its daemon takes one at a time.
    pub(super) fn turn(&mut self, dir: &Inode) -> Result {
        if dir.conn().parallel_dirops() {
            return Ok(());
        }
        self.keep(Keep::Inode(dir.into(), Some(Hold::Turn)))
    }

    /// A name is being looked up.
    pub(super) fn name(&mut self, dir: &Inode, name: &[u8]) {
        self.table.set_name(self.id, (dir.nodeid(), hash(name)));
    }

    /// The superblock's rename lock.
    pub(super) fn renames(&mut self) -> Result {
        self.keep(Keep::Renames)
    }

    /// The file stays open, and its inode as [`inode`](Self::inode) says. Who executes it keeps others from writing
    /// to it.
    pub(super) fn file(&mut self, file: &File) -> Result {
        let inode = file.inode();
        self.inode(inode)?;
        let held = file.hold().ok_or(EAGAIN)?;
        let data = file.data();
        data.set_left_by(data.conn.caller_nocreds().pid);
        self.keep(Keep::File { _file: held })?;
        if file.flags() & FMODE_EXEC != 0 {
            if let Some(access) = KeptAccess::deny_write(inode) {
                self.keep(Keep::Access { _access: access })?;
            }
        }
        Ok(())
    }

    /// Whatever else is dropped when it is free for others.
    pub(super) fn other(&mut self, other: KBox<dyn Send>) -> Result {
        self.keep(Keep::Other { _other: other })
    }
}

/// Lets go of one thing.
fn release(table: &LeftTable, keep: Keep) {
    match &keep {
        Keep::Inode(inode, Some(hold)) => inode.data().occupied.vacate(*hold),
        Keep::Renames => {
            table.renames.fetch_sub(1, Full);
        }
        Keep::Inode(_, None) | Keep::File { .. } | Keep::Access { .. } | Keep::Other { .. } => {}
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.settling {
            for inode in self.inodes() {
                inode.data().occupied.settled();
            }
        }
        for keep in self.keeps.iter_mut().filter_map(Option::take) {
            release(&self.table, keep);
        }
        self.table.leave(self.id);
    }
}

/// What is done in place of a caller that has left: `then` is given the answer, after which it is free for others
/// what the caller held; what `then` returns comes after that.
pub(super) struct LeftCall<T> {
    pub(super) then: T,
    pub(super) held: Held,
}

/// What a caller that has left would have done after its operation.
pub(crate) trait Afterwards {
    /// Does it, in a work item. May sleep, for the daemon too.
    fn run(self);
}

impl Afterwards for () {
    fn run(self) {}
}

impl<A: Afterwards> Afterwards for Option<A> {
    fn run(self) {
        if let Some(after) = self {
            after.run();
        }
    }
}

impl<T: FnOnce(&mut Done<'_>) -> A + Send, A: Afterwards> Left for LeftCall<T> {
    fn ending(&mut self) {
        self.held.ending();
    }

    fn ended(self: KBox<Self>, mut done: Done<'_>) {
        let Self { then, held } = KBox::into_inner(self);
        let after = {
            let _doing = lockdep::DoingLeft::new();
            let after = then(&mut done);
            drop(held);
            after
        };
        after.run();
    }
}
