// SPDX-License-Identifier: GPL-2.0

//! Pages that are still to be dropped in place of a caller that has left.
//!
//! C counterpart: none; there a killed caller waits for the pages itself. Takes folio locks that
//! nobody has.

use crate::{
    fs::Inode,
    kapi::page_cache::truncate::invalidate_until_locked, //
};
use kernel::sync::aref::ARef;

/// Pages from the first to the last, included.
pub(in crate::fs) type Pages = (usize, usize);

/// Pages that were to be dropped, and that others had locked.
///
/// All that is clean of them is dropped, even if only their ends lie beyond the end of the file: a
/// page is read again, but what others have written to it since, and is just being sent, stays.
pub(in crate::fs) struct Rest {
    inode: ARef<Inode>,
    pages: Pages,
}

impl Rest {
    /// Of one inode.
    pub(in crate::fs) fn new(inode: &Inode, pages: Pages) -> Self {
        Self {
            inode: inode.into(),
            pages,
        }
    }

    /// The inode that they belong to.
    pub(in crate::fs) fn inode(&self) -> &Inode {
        &self.inode
    }

    /// Does as much as can be done without waiting for anybody; whether that was all. What has been
    /// done once is not done again, so that it ends even where others read all the time.
    pub(in crate::fs) fn go_on(&mut self) -> bool {
        let (first, last) = self.pages;
        match invalidate_until_locked(&self.inode, first, last) {
            None => true,
            Some(locked) => {
                self.pages = (locked.max(first), last);
                false
            }
        }
    }

    /// Takes in what another one is about; false if that is another inode.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        let ((first, last), (other_first, other_last)) = (self.pages, other.pages);
        let same = *self.inode == *other.inode;
        if same {
            self.pages = (first.min(other_first), last.max(other_last));
        }
        same
    }
}
