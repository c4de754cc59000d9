// SPDX-License-Identifier: GPL-2.0

//! What a caller that has left still holds, and what is done in its place.
//!
//! C counterpart: none; there a killed caller sleeps on with all it holds. Here a caller that
//! SIGKILL frees hands it over, before it releases any lock of the VFS: [`Held`] goes with the
//! request, to be let go of when the request has ended and what the caller would have done is done.
//! Takes no locks.

use crate::{
    abi::InitFlags,
    fs::{
        conn::{
            connection::Conn,
            left::{
                Doing,
                LeftTable, //
            },
            rest::Rest, //
        },
        File,
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        fcntl::FMODE_EXEC,
        file::{
            FlOwner,
            HeldFile, //
        },
        write_access::KeptAccess, //
    },
    transport::{
        Hold,
        Left,
        Next,
        Outcome, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Full,
        Arc, //
    },
};

/// One thing that a caller which leaves hands over.
enum Keep {
    /// The inode stays, and with a hold, what the caller has of its locks.
    Inode(ARef<Inode>, Option<Hold>),
    /// The superblock's rename lock.
    Renames,
    /// The file stays open.
    File { _file: HeldFile<Fuse> },
    /// A hold on write access to an inode, or on its denial.
    Access { _access: KeptAccess<Fuse> },
    /// Anything else.
    Other { _other: KBox<dyn Send> },
}

/// How many things can be handed over. A RENAME has four inodes and the rename lock.
const KEEPS: usize = 6;

/// What a caller that has left still holds. Dropped, it is free for others.
pub(in crate::fs) struct Held {
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
    pub(in crate::fs) fn new(conn: &Conn) -> Result<Self> {
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
    pub(in crate::fs) fn id(&self) -> u64 {
        self.id
    }

    /// The current task does what the caller would have done.
    pub(in crate::fs) fn doing(&self) -> Doing<'_> {
        Doing::new(&self.table)
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

    /// The answer has come: until this is dropped, others take care that it is applied before they
    /// look.
    fn ending(&mut self) {
        if self.settling {
            return;
        }
        self.settling = true;
        for inode in self.inodes() {
            inode.data().occupied.settle();
        }
    }

    /// Each inode once.
    fn inodes(&self) -> impl Iterator<Item = &Inode> {
        let of = |keep: &Option<Keep>| match keep {
            Some(Keep::Inode(inode, _)) => Some(&raw const **inode),
            _ => None,
        };
        let keeps = &self.keeps;
        keeps.iter().enumerate().filter_map(move |(index, keep)| {
            let before = keeps.get(..index).unwrap_or_default();
            match keep {
                Some(Keep::Inode(inode, _)) if !before.iter().any(|k| of(k) == of(keep)) => {
                    Some(&**inode)
                }
                _ => None,
            }
        })
    }

    /// The inode stays; exclusively locked by the current task, it stays so.
    ///
    /// # Errors
    ///
    /// EAGAIN if there is no place for it; of all below.
    pub(in crate::fs) fn inode(&mut self, inode: &Inode) -> Result {
        let hold = inode.is_locked_by_current().then_some(Hold::Exclusive);
        self.keep(Keep::Inode(inode.into(), hold))
    }

    /// The inode stays locked as the current task has it locked, which is together with others if
    /// not alone.
    pub(in crate::fs) fn locked(&mut self, inode: &Inode) -> Result {
        let hold = if inode.is_locked_by_current() {
            Hold::Exclusive
        } else {
            Hold::Shared
        };
        self.keep(Keep::Inode(inode.into(), Some(hold)))
    }

    /// The turn among the LOOKUPs and READDIRs of a directory, if its daemon takes one at a time.
    pub(in crate::fs) fn turn(&mut self, dir: &Inode) -> Result {
        if dir.conn().agreed(InitFlags::PARALLEL_DIROPS) {
            return Ok(());
        }
        self.keep(Keep::Inode(dir.into(), Some(Hold::Turn)))
    }

    /// A name is being looked up.
    pub(in crate::fs) fn name(&mut self, dir: &Inode, name: &[u8]) {
        self.table.set_name(self.id, dir.name_id(name));
    }

    /// A lock is asked for, which the daemon may still grant.
    pub(in crate::fs) fn lock(&mut self, owner: FlOwner, inode: &Inode) -> Result {
        self.table.locks.asks(self.id, owner, inode.nodeid())
    }

    /// The superblock's rename lock.
    pub(in crate::fs) fn renames(&mut self) -> Result {
        self.keep(Keep::Renames)
    }

    /// The file stays open, and its inode as [`inode`](Self::inode) says. If it is executed, others
    /// are kept from writing to it.
    pub(in crate::fs) fn file(&mut self, file: &File) -> Result {
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
    pub(in crate::fs) fn other(&mut self, other: KBox<dyn Send>) -> Result {
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

impl Held {
    /// It is free for others. The caller still counts as one that has left, until this is dropped.
    fn release(&mut self) {
        if core::mem::take(&mut self.settling) {
            for inode in self.inodes() {
                inode.data().occupied.settled();
            }
        }
        for keep in self.keeps.iter_mut().filter_map(Option::take) {
            release(&self.table, keep);
        }
        self.table.released(self.id);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
        self.table.leave(self.id);
    }
}

/// What is done in place of a caller that has left: `then` is given the answer; what it returns is
/// what comes after that.
pub(super) struct LeftCall<T, A> {
    step: Step<T, A>,
    /// What the answer changes of pages that others had locked.
    rest: Option<Rest>,
    held: Held,
}

enum Step<T, A> {
    Answer(T),
    /// The caller holds all that it held.
    Before(A),
    /// What it held is free for others.
    After(A),
    Over,
}

impl<T, A> LeftCall<T, A> {
    pub(in crate::fs) fn new(then: T, held: Held) -> Self {
        Self {
            step: Step::Answer(then),
            rest: None,
            held,
        }
    }
}

/// What a caller that has left would have done after its operation. None of it waits for the
/// daemon.
pub(in crate::fs) trait Afterwards: Send + 'static {
    /// What it would have done before it released its locks; called until it says that it is done.
    fn before(&mut self) -> bool {
        true
    }

    /// Whether others have to wait until all is done.
    fn keeps(&self) -> bool {
        false
    }

    /// Called after that until it says that all is done.
    fn after(&mut self) -> Next {
        Next::Done
    }
}

impl Afterwards for () {}

impl<A: Afterwards> Afterwards for Option<A> {
    fn before(&mut self) -> bool {
        self.as_mut().is_none_or(A::before)
    }

    fn keeps(&self) -> bool {
        self.as_ref().is_some_and(A::keeps)
    }

    fn after(&mut self) -> Next {
        self.as_mut().map_or(Next::Done, A::after)
    }
}

impl<T: FnOnce(&mut Outcome<'_>) -> A + Send, A: Afterwards> LeftCall<T, A> {
    /// Whether all is done that comes before others go on, or has been before.
    fn finish_before(&mut self) -> bool {
        let Step::Before(after) = &mut self.step else {
            return true;
        };
        let doing = self.held.doing();
        loop {
            if self.rest.as_mut().is_some_and(|rest| !rest.go_on()) {
                return false;
            }
            if !after.before() {
                return false;
            }
            self.rest = doing.take_rest();
            if self.rest.is_none() {
                return true;
            }
        }
    }
}

impl<T: FnOnce(&mut Outcome<'_>) -> A + Send, A: Afterwards> Left for LeftCall<T, A> {
    fn ending(&mut self) {
        self.held.ending();
    }

    fn answered(&mut self, mut outcome: Outcome<'_>) {
        let step = core::mem::replace(&mut self.step, Step::Over);
        self.step = match step {
            Step::Answer(then) => {
                let doing = self.held.doing();
                let after = then(&mut outcome);
                self.rest = doing.take_rest();
                // Not with the request, which a thread of the daemon may keep for as long as it
                // faults: it has locked folios.
                outcome.payload().let_go();
                Step::Before(after)
            }
            // Nobody hears of errors.
            step => step,
        };
    }

    fn go_on(&mut self) -> Next {
        if !self.finish_before() {
            return Next::Again;
        }
        self.step = match core::mem::replace(&mut self.step, Step::Over) {
            Step::Before(after) => {
                if !after.keeps() {
                    self.held.release();
                }
                Step::After(after)
            }
            step => step,
        };
        match &mut self.step {
            Step::After(after) => after.after(),
            _ => Next::Done,
        }
    }
}
