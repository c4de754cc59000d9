// SPDX-License-Identifier: GPL-2.0

//! What we keep with an inode, and how it comes and goes.
//!
//! C counterpart: `struct fuse_inode`, `fuse_iget()`, `fuse_evict_inode()` (inode.c).
//!
//! # Locks
//!
//! `FuseInode::inner` (`fi->lock` in C) is a leaf: attributes, size and link count change under it.
//! `FuseInode::mutex` is held around LOOKUP and READDIR of daemons that cannot take them in
//! parallel.

use super::attr_cache;
use crate::{
    abi::{
        Attr,
        Entry,
        FileType,
        Generation,
        NodeId, //
    },
    fs::{
        conn::connection::Conn,
        data::readlink,
        ops::dir,
        Fuse,
        Inode,
        SuperBlock, //
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
            rcu::RcuArc,
            wait::{
                new_wait_queue,
                WaitQueue, //
            },
        },
        time::jiffies::Jiffies64,
        vfs::{
            iget::{
                Iget,
                InodeKey,
                NewInode, //
            },
            inode::{
                InodeLock,
                InodeLockShared, //
            },
            inode_cache::{
                Evicting,
                InodeCache,
                InodeCacheGuard,
                InodeLifecycle, //
            },
            stat::new_decode_dev, //
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
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        SpinLock, //
    },
};

/// Bits of [`FuseInode::state`] (`FUSE_I_*`).
pub(in crate::fs) struct State;

impl State {
    /// An operation that changes the size is under way: replies do not change attributes.
    pub(in crate::fs) const SIZE_UNSTABLE: u32 = 1 << 2;
    /// The daemon has said something impossible about this inode, or means another one by its node:
    /// everything on it fails with EIO.
    const BAD: u32 = 1 << 3;
    /// Someone uses the page cache, or waits to.
    pub(in crate::fs) const CACHE_IO_MODE: u32 = 1 << 5;
}

/// An inode's data, in its slab object.
#[pin_data]
pub(crate) struct FuseInode {
    /// The daemon's name for the inode; set by `iget5_locked` before anyone else sees it.
    nodeid: Atomic<u64>,
    /// [`State`]. Read in RCU walk.
    pub(in crate::fs) state: AtomicBits,
    /// `STATX_*` bits of what must be asked for again. Read in RCU walk.
    pub(in crate::fs) inval_mask: AtomicBits,
    /// In jiffies (64 bits): until when the attributes are valid. Read in RCU walk.
    pub(in crate::fs) i_time: Atomic<u64>,
    /// What callers that have left hold of its locks.
    pub(in crate::fs) occupied: Occupied,
    /// The mode as the daemon gave it, sticky bit included; written under `inner`.
    pub(in crate::fs) orig_mode: Atomic<u32>,
    /// The inode number as the daemon gave it; written under `inner`.
    pub(in crate::fs) orig_ino: Atomic<u64>,
    /// log2 of the block size that the daemon gave; written under `inner`.
    pub(in crate::fs) blkbits: Atomic<u32>,
    /// Those who wait until no direct writes run in parallel.
    #[pin]
    pub(in crate::fs) direct_io_waitq: WaitQueue,
    /// Serialises LOOKUP and READDIR for daemons without PARALLEL_DIROPS.
    #[pin]
    mutex: KillableMutex,
    #[pin]
    pub(in crate::fs) inner: SpinLock<Inner>,
}

/// What `fi->lock` protects in C.
pub(in crate::fs) struct Inner {
    /// How many FORGETs the daemon is owed.
    nlookup: u64,
    /// The memory for this inode's FORGET, taken by evict.
    forget: Option<Forget>,
    /// The connection's counter when the attributes last changed: a reply to what was asked before
    /// that is stale.
    pub(in crate::fs) attr_version: u64,
    /// Open files that use the page cache; below zero, parallel direct writes (see
    /// [`iomode`](super::iomode)).
    pub(in crate::fs) io_cache_ctr: i32,
}

impl FuseInode {
    fn new(forget: Forget) -> impl PinInit<Self> {
        pin_init!(Self {
            nodeid: Atomic::new(0),
            state: AtomicBits::new(0),
            inval_mask: AtomicBits::new(u32::MAX),
            i_time: Atomic::new(0),
            occupied: Occupied::new(),
            orig_mode: Atomic::new(0),
            orig_ino: Atomic::new(0),
            blkbits: Atomic::new(0),
            direct_io_waitq <- new_wait_queue!("FuseInode::direct_io_waitq"),
            mutex <- new_killable_mutex!("FuseInode::mutex"),
            inner <- kernel::new_spinlock!(
                Inner {
                    nlookup: 0,
                    forget: Some(forget),
                    attr_version: 0,
                    io_cache_ctr: 0,
                },
                "FuseInode::inner"
            ),
        })
    }

    /// The daemon's name for the inode.
    pub(in crate::fs) fn nodeid(&self) -> NodeId {
        // Never 0 once the inode can be found.
        NodeId::new(self.nodeid.load(Relaxed)).unwrap_or(NodeId::ROOT)
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
    /// invalidated.
    pub(in crate::fs) fn is_outdated(&self, mask: u32) -> bool {
        self.inval_mask.test(mask) || Jiffies64::from_u64(self.i_time.load(Relaxed)).has_passed()
    }

    /// Counts a reference that the daemon has given us with an entry.
    pub(in crate::fs) fn inc_nlookup(&self) {
        let mut inner = self.inner.lock();
        inner.nlookup = inner.nlookup.wrapping_add(1);
    }
}

impl Inode {
    /// The connection.
    pub(in crate::fs) fn conn(&self) -> &RcuArc<Conn> {
        &self.sb().data().conn
    }

    /// The daemon's name for the inode.
    pub(in crate::fs) fn nodeid(&self) -> NodeId {
        self.data().nodeid()
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
        if self.conn().parallel_dirops() {
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

    /// Takes `i_rwsem` together with others who do, and waits until no caller that has left holds it
    /// exclusively (`inode_lock_shared()`). Sleeps.
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

/// An inode's number.
struct Key(NodeId);

impl InodeKey<Fuse> for Key {
    fn test(&self, inode: &FuseInode) -> bool {
        inode.nodeid.load(Relaxed) == self.0.get()
    }

    fn set(&self, inode: &FuseInode) {
        inode.nodeid.store(self.0.get(), Relaxed);
    }
}

/// When an entry was asked for, in the connection's counters; to tell whether it is stale by now.
#[derive(Clone, Copy)]
pub(in crate::fs) struct AskedAt {
    /// [`Conn::attr_version`](crate::fs::conn::connection::Conn::attr_version); 0: nothing can be newer.
    pub(in crate::fs) attr_version: u64,
    /// [`Conn::evict_ctr`](crate::fs::conn::connection::Conn::evict_ctr); 0: no eviction can matter.
    pub(in crate::fs) evict_ctr: u64,
}

impl AskedAt {
    /// For an object that was made by the very request.
    pub(in crate::fs) const CREATED: Self = Self {
        attr_version: 0,
        evict_ctr: 0,
    };
}

impl SuperBlock {
    /// The inode of an entry, with the entry's attributes, and one more reference of the daemon's
    /// counted (`fuse_iget()`). May sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM; the reference is to be given back by a FORGET then.
    pub(in crate::fs) fn iget(&self, entry: &Entry, asked: AskedAt) -> Result<ARef<Inode>> {
        let key = Key(entry.node);

        let found = loop {
            match self.iget5_locked(entry.node.get(), &key)? {
                Iget::Old(inode) if inode.is_stale(entry.generation, entry.attr()) => {
                    // The node was given to another object: I/O on the old one is to fail.
                    inode.data().make_bad();
                    if entry.node.is_root() {
                        break Iget::Old(inode);
                    }
                    // The next round finds a new one, unless someone else was faster.
                    inode.remove_inode_hash();
                }
                Iget::New(mut new) => {
                    init_inode(&mut new, entry);
                    break Iget::New(new);
                }
                old => break old,
            }
        };

        let inode: &Inode = match &found {
            Iget::Old(inode) => inode,
            Iget::New(new) => new,
        };
        inode.data().inc_nlookup();
        attr_cache::change(
            inode,
            entry.attr(),
            attr_cache::valid_until(entry.attr_valid),
            asked,
        );
        Ok(match found {
            Iget::Old(inode) => inode,
            Iget::New(new) => new.unlock_new_inode(),
        })
    }
}

impl SuperBlock {
    /// As [`iget`](Self::iget), and gives the reference back by itself where it fails.
    pub(in crate::fs) fn iget_or_forget(
        &self,
        entry: &Entry,
        asked: AskedAt,
    ) -> Result<ARef<Inode>> {
        self.iget(entry, asked)
            .inspect_err(|_| self.data().conn.chan.forget_one(entry.node))
    }

    /// The inode of the root, of which nothing but what the mounter says (`rootmode`) is known yet
    /// (`fuse_get_root_inode()`).
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(in crate::fs) fn root_inode(&self, kind: FileType, perm: u16) -> Result<ARef<Inode>> {
        self.iget(&Entry::root(kind, perm), AskedAt::CREATED)
    }
}

/// Sets a new inode up, by its type (`fuse_init_inode()`).
fn init_inode(new: &mut NewInode<Fuse>, entry: &Entry) {
    let attr = entry.attr();

    new.set_noatime();
    new.set_nocmtime();
    new.set_generation(entry.generation.get());
    new.set_type(attr.mode() as u16);
    new.i_size_write(attr.size());
    new.inode_set_mtime(attr.mtime().into());
    new.inode_set_ctime(attr.ctime().into());
    match attr.kind() {
        FileType::Regular => {
            new.set_iops(&dir::COMMON_INODE_OPERATIONS);
            crate::fs::file::open::init_file_inode(new);
        }
        FileType::Directory => {
            new.set_iops(&dir::DIR_INODE_OPERATIONS);
            new.set_fops(&dir::DIR_OPERATIONS);
        }
        FileType::Symlink => new.set_iops(&readlink::SYMLINK_INODE_OPERATIONS),
        FileType::CharDevice | FileType::BlockDevice | FileType::Fifo | FileType::Socket => {
            new.set_iops(&dir::COMMON_INODE_OPERATIONS);
            new.init_special_inode(new_decode_dev(attr.rdev().get()));
        }
    }
    // Daemons without POSIX_ACL, which is not offered, keep their ACLs to themselves.
    new.set_acl_dont_cache();
}

static INODE_CACHE: InodeCache<Fuse> = InodeCache::new();

/// Makes the cache of inodes. The guard must outlive all superblocks.
///
/// # Errors
///
/// ENOMEM.
pub(crate) fn init() -> Result<InodeCacheGuard<Fuse>> {
    INODE_CACHE.create(c"fuse_inode")
}

/// The life of our inodes.
pub(in crate::fs) enum Lifecycle {}

impl InodeLifecycle<Fuse> for Lifecycle {
    fn cache() -> &'static InodeCache<Fuse> {
        &INODE_CACHE
    }

    fn alloc_inode(_sb: &SuperBlock) -> Result<impl PinInit<FuseInode>> {
        Ok(FuseInode::new(Forget::new(GFP_KERNEL)?))
    }

    /// Gives the daemon's references back; at unmount it knows without being told.
    fn evict_inode(inode: Evicting<'_, Fuse>) {
        if !inode.sb_active() {
            return;
        }
        let fi = inode.data();
        let conn = &inode.sb().data().conn;

        let (nlookup, forget) = {
            let mut inner = fi.inner.lock();
            match inner.nlookup {
                0 => (0, None),
                nlookup => (nlookup, inner.forget.take()),
            }
        };
        if let Some(forget) = forget {
            conn.chan.forget(forget, fi.nodeid(), nlookup);
        }
        // A LOOKUP under way may bring attributes that are older than those which go now, and with
        // the inode goes the version that would tell.
        if inode.i_nlink() > 0 {
            conn.bump_evict_ctr();
        }
    }
}
