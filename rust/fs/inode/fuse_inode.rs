// SPDX-License-Identifier: GPL-2.0

//! What we keep with an inode.
//!
//! C counterpart: `struct fuse_inode`, and the functions on it in fuse_i.h.
//!
//! # Locks
//!
//! `Inode::inner` (`fi->lock` in C) is a leaf: attributes, size and link count change under it, and
//! [`Inner`]. It lies beside a [`FuseInode`], in the same slab object ([`Inode::lock_inner`]).
//! `FuseInode::mutex` is held around LOOKUP and READDIR of daemons that cannot take them in
//! parallel.

use super::dir_cache::DirCache;
use crate::{
    abi::{
        Attr,
        Generation,
        InitFlags,
        NodeId, //
    },
    fs::{
        conn::connection::Conn,
        Fuse,
        Inode, //
    },
    kapi::{
        fuse::moduleparam::killable,
        lib::bitops::AtomicBits,
        sync::{
            mutex::{
                new_killable_mutex,
                KillableMutex,
                KillableMutexGuard, //
            },
            wait::{
                new_wait_queue,
                WaitQueue, //
            },
        },
        time::{
            jiffies::Jiffies64,
            time64::Timespec64, //
        },
        vfs::inode::{
            InodeLock,
            InodeLockShared, //
        },
    },
    transport::{
        Forget,
        Hold,
        Occupied, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    },
};

/// Bits of [`FuseInode::state`] (`FUSE_I_*`).
pub(in crate::fs) struct State;

impl State {
    /// Somebody has looked at a name of this directory: the next READDIR is to say more.
    pub(in crate::fs) const ADVISE_RDPLUS: u32 = 1 << 0;
    /// A READDIRPLUS has told of this inode, and nobody has looked at the name since.
    pub(in crate::fs) const INIT_RDPLUS: u32 = 1 << 1;
    /// An operation that changes the size is under way: replies do not change attributes.
    pub(in crate::fs) const SIZE_UNSTABLE: u32 = 1 << 2;
    /// The daemon has said something impossible about this inode, or means another one by its node:
    /// everything on it fails with EIO.
    const BAD: u32 = 1 << 3;
    /// Someone uses the page cache, or waits to.
    pub(in crate::fs) const CACHE_IO_MODE: u32 = 1 << 5;
    /// [`Inner::i_btime`] is known.
    pub(in crate::fs) const BTIME: u32 = 1 << 6;
}

/// An inode's data, in its slab object.
#[pin_data]
pub(in crate::fs) struct FuseInode {
    /// The daemon's name for the inode; set by `iget5_locked` before anyone else sees it.
    pub(super) nodeid: Atomic<u64>,
    /// [`State`]. Read in RCU walk.
    pub(in crate::fs) state: AtomicBits,
    /// `STATX_*` bits of what must be asked for again. Read in RCU walk.
    pub(super) inval_mask: AtomicBits,
    /// In jiffies (64 bits): until when the attributes are valid. Read in RCU walk.
    pub(super) i_time: Atomic<u64>,
    /// What callers that have left hold of its locks.
    pub(in crate::fs) occupied: Occupied,
    /// The mode as the daemon gave it, sticky bit included; written under `inner`.
    pub(in crate::fs) orig_mode: Atomic<u32>,
    /// The inode number as the daemon gave it; written under `inner`.
    pub(in crate::fs) orig_ino: Atomic<u64>,
    /// log2 of the block size that the daemon gave; written under `inner`.
    pub(in crate::fs) blkbits: Atomic<u32>,
    /// [`FuseInode::names_outdated`].
    names_outdated: Atomic<u32>,
    /// Those who wait until no direct writes run in parallel.
    #[pin]
    pub(super) direct_io_waitq: WaitQueue,
    /// Serialises LOOKUP and READDIR for daemons without PARALLEL_DIROPS.
    #[pin]
    mutex: KillableMutex,
}

/// What `fi->lock` protects in C.
pub(in crate::fs) struct Inner {
    /// How many FORGETs the daemon is owed.
    pub(super) nlookup: u64,
    /// The memory for this inode's FORGET, taken by evict.
    pub(super) forget: Option<Forget>,
    /// The connection's counter when the attributes last changed: a reply to what was asked before
    /// that is stale.
    pub(in crate::fs) attr_version: u64,
    /// Open files that use the page cache; below zero, parallel direct writes (see
    /// [`iomode`](super::iomode)).
    pub(super) io_cache_ctr: i32,
    /// The time of birth, with [`State::BTIME`].
    pub(in crate::fs) i_btime: Timespec64,
    /// Of a directory that somebody has opened to be cached.
    pub(super) dir_cache: Option<KBox<DirCache>>,
}

impl Inner {
    pub(super) fn new(forget: Forget) -> Self {
        Self {
            nlookup: 0,
            forget: Some(forget),
            attr_version: 0,
            io_cache_ctr: 0,
            i_btime: Timespec64::default(),
            dir_cache: None,
        }
    }
}

impl FuseInode {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            nodeid: Atomic::new(0),
            state: AtomicBits::new(0),
            inval_mask: AtomicBits::new(u32::MAX),
            i_time: Atomic::new(0),
            occupied: Occupied::new(),
            orig_mode: Atomic::new(0),
            orig_ino: Atomic::new(0),
            blkbits: Atomic::new(0),
            names_outdated: Atomic::new(1),
            direct_io_waitq <- new_wait_queue!("FuseInode::direct_io_waitq"),
            mutex <- new_killable_mutex!("FuseInode::mutex"),
        })
    }

    /// The daemon's name for the inode.
    pub(in crate::fs) fn nodeid(&self) -> NodeId {
        // Never 0 once the inode can be found.
        NodeId::new(self.nodeid.load(Relaxed)).unwrap_or(NodeId::ROOT)
    }

    /// How often names in this directory were said to be out of date; never 0. To be compared with
    /// itself alone.
    #[inline]
    pub(in crate::fs) fn names_outdated(&self) -> u32 {
        self.names_outdated.load(Relaxed)
    }

    /// A name in this directory is out of date. To be called before it is looked for: whoever is
    /// asking for it, and has not hashed it when it is looked for, sees this afterwards.
    pub(in crate::fs) fn outdate_names(&self) {
        if self.names_outdated.fetch_add(1, Full) == u32::MAX {
            self.names_outdated.fetch_add(1, Full);
        }
    }

    /// Whether everything on this inode fails.
    pub(in crate::fs) fn is_bad(&self) -> bool {
        self.state.test(State::BAD)
    }

    /// Makes everything on this inode fail, for good (`fuse_make_bad()`).
    pub(in crate::fs) fn make_bad(&self) {
        self.state.set(State::BAD);
    }

    /// Whether the attributes are to be asked for again: their time is over, or one of `mask` was
    /// invalidated. What is read of them after this is as new as it says.
    pub(in crate::fs) fn is_outdated(&self, mask: u32) -> bool {
        self.inval_mask.test_acquire(mask)
            || Jiffies64::from_u64(self.i_time.load(Acquire)).has_passed()
    }
}

impl Inode {
    /// The connection.
    pub(in crate::fs) fn conn(&self) -> &Arc<Conn> {
        &self.sb().data().conn
    }

    /// The daemon's name for the inode.
    pub(in crate::fs) fn nodeid(&self) -> NodeId {
        self.data().nodeid()
    }

    /// Counts a reference that the daemon has given us with an entry.
    pub(super) fn inc_nlookup(&self) {
        let mut inner = self.lock_inner();
        inner.nlookup = inner.nlookup.wrapping_add(1);
    }

    /// EIO for a bad inode (`fuse_is_bad()`).
    pub(in crate::fs) fn check_bad(&self) -> Result {
        if self.data().is_bad() {
            return Err(EIO);
        }
        Ok(())
    }

    /// Whether the daemon means another object by this inode's node (`fuse_stale_inode()`).
    pub(in crate::fs) fn is_stale(&self, generation: Generation, attr: Attr<'_>) -> bool {
        self.i_generation() != generation.get() || self.inode_wrong_type(attr.mode() as u16)
    }

    /// Keeps others out while a LOOKUP or READDIR of this directory is under way, if the daemon
    /// needs that (`fuse_lock_inode()`).
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    pub(in crate::fs) fn lock_dirops(&self) -> Result<Option<KillableMutexGuard<'_>>> {
        if self.conn().agreed(InitFlags::PARALLEL_DIROPS) {
            return Ok(None);
        }
        let mutex = &self.data().mutex;
        let guard = if killable() {
            mutex.lock_killable()?
        } else {
            mutex.lock()
        };
        self.await_hold(Hold::Turn)?;
        Ok(Some(guard))
    }

    /// Takes `i_rwsem` exclusively, and waits until no caller that has left holds it
    /// (`inode_lock()`). Sleeps.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    pub(in crate::fs) fn lock(&self) -> Result<InodeLock<'_, Fuse>> {
        let lock = if killable() {
            self.inode_lock_killable()?
        } else {
            self.inode_lock()
        };
        self.await_hold(Hold::Exclusive)?;
        Ok(lock)
    }

    /// As [`lock`](Self::lock) of a directory, under which the locks of its inodes are taken.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    pub(in crate::fs) fn lock_parent(&self) -> Result<InodeLock<'_, Fuse>> {
        let lock = if killable() {
            self.inode_lock_parent_killable()?
        } else {
            self.inode_lock_parent()
        };
        self.await_hold(Hold::Exclusive)?;
        Ok(lock)
    }

    /// Takes `i_rwsem` together with others who do, and waits until no caller that has left holds
    /// it exclusively (`inode_lock_shared()`). Sleeps.
    ///
    /// # Errors
    ///
    /// EINTR if killed.
    pub(in crate::fs) fn lock_shared(&self) -> Result<InodeLockShared<'_, Fuse>> {
        let lock = if killable() {
            self.inode_lock_shared_killable()?
        } else {
            self.inode_lock_shared()
        };
        self.await_hold(Hold::Shared)?;
        Ok(lock)
    }
}
