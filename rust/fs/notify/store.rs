// SPDX-License-Identifier: GPL-2.0

//! STORE: data for the page cache.
//!
//! C counterpart: `fuse_notify_store()`. It waits for the lock of a folio uninterruptibly, under
//! killsb, and faults the daemon's memory in with that lock held: so the daemon waits for itself if
//! the folio is being read, or if its memory is a mapping of the very page. Here nothing of the
//! filesystem is held where something must be waited for: not killsb, so that no unmount waits, not
//! the inode, not the folio's lock. Then the node is looked for again. Takes killsb for reading,
//! "Inode::inner", folio locks that are free; sleeps until a fatal signal.
//!
//! A page gets its part of the data as a whole, under one lock: it might be read into in between,
//! and would lose the first half. So where the daemon's memory ends to be resident in the middle of
//! a page, what has come so far is taken back, and the page gets all of it at once later.

use super::reach::on_regular;
use crate::{
    abi::NodeId,
    fs::{
        inode::{
            attr_cache,
            pages::signals, //
        },
        Fuse,
        Inode, //
    },
    kapi::{
        page_cache::{
            folio::Folio,
            folio_copy::copy_from_slice,
            folio_store::{
                FolioStore,
                Grabbed, //
            },
        },
        task::sched::{
            cond_resched,
            fatal_signal_pending, //
        },
        vfs::super_block::{
            LiveSuper,
            MAX_LFS_FILESIZE, //
        },
    },
    transport::Incoming, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// Pages that are filled before killsb is given up for a moment: a message may have half a million.
const AT_ONCE: usize = 256;

/// A STORE that is under way.
struct Store {
    /// What follows goes there.
    pos: i64,
    /// Bytes that follow.
    left: usize,
    /// Where all of it ends.
    end: i64,
    /// Whether the file ends there, too; `None` before that has been looked at.
    to_eof: Option<bool>,
    /// What the next page gets, if it was taken from the message already.
    taken: KVec<u8>,
}

/// Why a STORE cannot go on as it is.
enum Stop {
    /// It is complete.
    Done,
    /// Others may be waiting for killsb.
    Pause,
    /// Somebody has the lock of the next folio.
    Busy(ARef<Folio>),
    /// The daemon's memory is not resident, or the pipe's next page not looked at: in what is taken
    /// for a page so many bytes are missing, or nothing was taken.
    Short(usize),
}

/// Puts `size` bytes into the page cache of a node.
///
/// # Errors
///
/// `ENOENT`, `EINVAL` without such a file; `ENOMEM`; `EINTR` if killed; those of [`Incoming`]. What
/// was put there until then stays.
pub(super) fn store(
    live: &LiveSuper<Fuse>,
    node: NodeId,
    offset: u64,
    size: u32,
    data: &mut dyn Incoming,
) -> Result {
    let pos = i64::try_from(offset).map_err(|_| EINVAL)?;
    let room = MAX_LFS_FILESIZE.checked_sub(pos).ok_or(EINVAL)?;
    let len = room.min(size.into());
    let mut store = Store {
        pos,
        left: usize::try_from(len).map_err(|_| EINVAL)?,
        end: pos.saturating_add(len),
        to_eof: None,
        taken: KVec::new(),
    };
    loop {
        match on_regular(live, node, |inode| store.go_on(inode, data))? {
            Stop::Done => return Ok(()),
            Stop::Pause if fatal_signal_pending() => return Err(EINTR),
            Stop::Pause => cond_resched(),
            Stop::Busy(folio) => folio.wait_locked(signals()).map_err(|_| EINTR)?,
            Stop::Short(0) => data.fault_in(store.left)?,
            Stop::Short(missing) => store.take(missing, data)?,
        }
    }
}

impl Store {
    /// Goes on as far as that goes without waiting for anybody.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn go_on(&mut self, inode: &Inode, data: &mut dyn Incoming) -> Result<Stop> {
        let to_eof = self.extend(inode);
        for _ in 0..AT_ONCE {
            if self.left == 0 {
                return Ok(Stop::Done);
            }
            let mut folio = match FolioStore::grab(inode, self.pos, self.left)? {
                Grabbed::Locked(folio) => folio,
                Grabbed::Busy(folio) => return Ok(Stop::Busy(folio)),
            };
            let len = folio.len();
            let copied = if self.taken.is_empty() {
                data.copy_to(&mut folio)
            } else {
                copy_from_slice(&mut folio, &self.taken)
            };
            if copied < len {
                return self.take_back(&folio, len);
            }
            folio.finish(to_eof);
            self.taken.clear();
            self.pos = self.pos.saturating_add(len as i64);
            self.left = self.left.saturating_sub(len);
            cond_resched();
        }
        Ok(Stop::Pause)
    }

    /// The first time, makes the file as long as it has to be. Says whether it ends where the data
    /// ends.
    fn extend(&mut self, inode: &Inode) -> bool {
        *self.to_eof.get_or_insert_with(|| {
            let size = inode.i_size_read();
            if self.end > size {
                attr_cache::written(inode, self.end, self.left > 0);
            }
            self.end >= size
        })
    }

    /// A folio has got less than its `len` bytes: takes those back.
    fn take_back(&mut self, folio: &FolioStore, len: usize) -> Result<Stop> {
        let filled = folio.filled();
        if filled == 0 {
            return Ok(Stop::Short(0));
        }
        self.taken.reserve(len, GFP_KERNEL)?;
        self.taken.resize(filled, 0, GFP_KERNEL)?;
        folio.copy_back(&mut self.taken);
        Ok(Stop::Short(len.saturating_sub(filled)))
    }

    /// Takes the rest of what the next page gets from the message.
    fn take(&mut self, missing: usize, data: &mut dyn Incoming) -> Result {
        let have = self.taken.len();
        let all = have.checked_add(missing).ok_or(EIO)?;
        self.taken.resize(all, 0, GFP_KERNEL)?;
        data.copy_all(self.taken.get_mut(have..).unwrap_or_default())
    }
}
