// SPDX-License-Identifier: GPL-2.0

//! What callers that have left still hold of an inode, in place of its locks.
//!
//! No counterpart in C, whose callers keep the locks themselves until the answer comes. A task that
//! has the lock that such a hold stands for takes the hold before it releases the lock; a task that
//! has just taken the lock looks at it. So it needs no more than a count: while a task has the
//! lock, holds that exclude this task can only go. One word; takes no lock.

use super::waiting::Count;

/// In which way something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Hold {
    /// `i_rwsem`, together with others.
    Shared,
    /// `i_rwsem`, alone.
    Exclusive,
    /// The turn among the LOOKUPs and READDIRs of a directory whose daemon takes one at a time.
    Turn,
}

/// The word counts in four places: exclusive holds (all of one lock's owner), turns (likewise),
/// answers that are being applied, and shared holds. Besides, it says whether the answers take too
/// long to be waited for.
const EXCLUSIVE: u32 = 1;
const TURN: u32 = 1 << 3;
const LATE: u32 = 1 << 7;
const SETTLING: u32 = 1 << 8;
const SHARED: u32 = 1 << 20;

const EXCLUSIVES: u32 = TURN - EXCLUSIVE;
const TURNS: u32 = LATE - TURN;
const SETTLINGS: u32 = SHARED - SETTLING;
const SHAREDS: u32 = !(SHARED - 1);

/// The most that may have left: these places can count them.
const MOST: u32 = 2000;

impl Hold {
    const fn unit(self) -> u32 {
        match self {
            Hold::Shared => SHARED,
            Hold::Exclusive => EXCLUSIVE,
            Hold::Turn => TURN,
        }
    }

    /// What keeps it out.
    const fn excluded_by(self) -> u32 {
        match self {
            Hold::Shared => EXCLUSIVES,
            Hold::Exclusive => EXCLUSIVES | SHAREDS,
            Hold::Turn => TURNS,
        }
    }
}

/// What is held of one inode by callers that have left.
#[derive(Debug)]
pub(crate) struct Occupied<C: Count = core::sync::atomic::AtomicU32>(C);

impl<C: Count> Occupied<C> {
    /// Nothing.
    pub(crate) fn new() -> Self {
        Occupied(C::new())
    }

    /// Nothing is held.
    #[inline]
    pub(crate) fn is_free(&self) -> bool {
        self.0.load() == 0
    }

    /// Whether a task that has just taken the lock that `hold` stands for may go on.
    pub(crate) fn admits(&self, hold: Hold) -> bool {
        self.0.load() & hold.excluded_by() == 0
    }

    /// A caller that has the lock leaves it behind. To be called before it releases the lock.
    pub(crate) fn occupy(&self, hold: Hold) {
        self.0.fetch_add(hold.unit());
    }

    /// Whether no answer for a caller that has left is being applied, so that what others see of
    /// the inode is up to date; or nobody waits for that any more.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        let word = self.0.load();
        word & SETTLINGS == 0 || word & LATE != 0
    }

    /// An answer for a caller that has left has come, and is to be applied.
    pub(crate) fn settle(&self) {
        self.0.fetch_add(SETTLING);
    }

    /// Somebody has waited for [`is_settled`](Self::is_settled) in vain; others do not, until all
    /// answers have been applied. One that comes meanwhile is not waited for either.
    pub(crate) fn late(&self) {
        self.0.update(|word| match word & SETTLINGS {
            0 => word,
            _ => word | LATE,
        });
    }

    /// It has been applied. Wake up all who wait for [`is_settled`](Self::is_settled).
    pub(crate) fn settled(&self) {
        self.0.update(|word| {
            let word = word.wrapping_sub(SETTLING);
            match word & SETTLINGS {
                0 => word & !LATE,
                _ => word,
            }
        });
    }

    /// What was left behind is done. Wake up all who wait for [`admits`](Self::admits).
    pub(crate) fn vacate(&self, hold: Hold) {
        self.0.fetch_add(hold.unit().wrapping_neg());
    }
}

impl<C: Count> Default for Occupied<C> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether one more caller may leave: `all` have left on this connection, `of_user` of them of the
/// same user.
pub(crate) fn may_leave(all: u32, of_user: u32, max: u32, privileged: bool) -> bool {
    let max = max.min(MOST);
    all < max && (privileged || of_user < max.div_ceil(4))
}
