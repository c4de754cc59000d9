// SPDX-License-Identifier: GPL-2.0

//! Names of which nobody knows any more what they stand for.
//!
//! C counterpart: the calls of `fuse_invalidate_entry()` where a change of names has failed
//! (dir.c). Takes no locks.

use crate::fs::Dentry;
use kernel::prelude::*;

/// What a request does with a name.
#[derive(Clone, Copy)]
pub(in crate::fs) enum Change {
    /// It makes it.
    Makes,
    /// It removes it, or moves it.
    Removes,
}

impl Change {
    /// Whether nobody knows what the name stands for when the request has failed so.
    pub(in crate::fs) fn leaves_doubt(self, e: Error) -> bool {
        match self {
            // Somebody else has made it.
            Self::Makes => e == EEXIST,
            // It may have been done, or somebody else has done it.
            Self::Removes => e == EINTR || e == ENOENT,
        }
    }
}

impl Dentry {
    /// A request that changes the name has failed: if that leaves doubt, the name is dropped. May
    /// sleep.
    pub(in crate::fs) fn change_failed(&self, change: Change, e: Error) {
        if change.leaves_doubt(e) {
            self.invalidate_entry();
        }
    }

    /// The same in place of a caller that has left.
    pub(in crate::fs) fn change_failed_behind(&self, change: Change, e: Error) {
        if change.leaves_doubt(e) {
            self.drop_behind();
        }
    }

    /// Makes the name be looked up anew, in place of a caller that has left: nobody has it.
    pub(in crate::fs) fn drop_behind(&self) {
        self.unhash();
        self.invalidate_entry_cache();
    }
}
