// SPDX-License-Identifier: GPL-2.0

//! Superblocks.
//!
//! C headers: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h),
//! [`include/linux/backing-dev.h`](srctree/include/linux/backing-dev.h).
//!
//! C rules encoded here:
//! - `s_fs_info` is set by `sget_fc()` before anyone can see the superblock. It is freed a grace
//!   period after the superblock was shut down, since RCU walk and `sget_fc()`'s test read it.
//! - A superblock makes inodes and dentries by the tables that it has at that moment. So a
//!   [`SuperBlock`] is one that has its tables; before, it is a
//!   [`NewSuperBlock`](super::new_super::NewSuperBlock).
//! - Whoever reaches a superblock from elsewhere than the VFS (a daemon's message) does so with the
//!   killsb semaphore held for reading ([`LiveSuper`]), which `kill_sb` takes for writing first.

use super::{
    dentry_tree::DentryTree,
    super_objects::SuperObjects,
    types::SuperTypes, //
};
use crate::{
    bindings,
    kapi::{
        mm::backing_dev::BackingDevInfo,
        sync::{
            rcu::RcuBox,
            rwsem::RwSem, //
        }, //
    },
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        LockClassKey,
        SetOnce, //
    },
    types::Opaque, //
};

/// `SB_RDONLY`: nothing may be written.
pub(super) const SB_RDONLY: usize = bindings::FUSE_CONST_SB_RDONLY;
/// `SB_MANDLOCK`: asked for by `mand`, which is no longer supported.
pub(crate) const SB_MANDLOCK: usize = bindings::FUSE_CONST_SB_MANDLOCK;
/// `SB_POSIXACL`: the filesystem applies the umask itself.
pub(crate) const SB_POSIXACL: usize = bindings::FUSE_CONST_SB_POSIXACL;
/// `SB_I_VERSION`: `i_version` is kept by the VFS.
pub(crate) const SB_I_VERSION: usize = bindings::FUSE_CONST_SB_I_VERSION;
/// `SB_NOSEC`: no file is set-id or has capabilities unless it says so.
pub(crate) const SB_NOSEC: usize = bindings::FUSE_CONST_SB_NOSEC;
/// `SB_ACTIVE`: neither being set up nor being unmounted.
pub(super) const SB_ACTIVE: usize = bindings::FUSE_CONST_SB_ACTIVE;

/// `SB_I_IMA_UNVERIFIABLE_SIGNATURE` of `s_iflags`.
pub(crate) const SB_I_IMA_UNVERIFIABLE_SIGNATURE: usize =
    bindings::SB_I_IMA_UNVERIFIABLE_SIGNATURE as usize;
/// `SB_I_UNTRUSTED_MOUNTER`.
pub(crate) const SB_I_UNTRUSTED_MOUNTER: usize = bindings::SB_I_UNTRUSTED_MOUNTER as usize;
/// `SB_I_NOIDMAP`: no idmapped mounts.
pub(crate) const SB_I_NOIDMAP: usize = bindings::SB_I_NOIDMAP as usize;
/// `SB_I_NO_DATA_INTEGRITY`: `sync()` guarantees nothing.
pub(crate) const SB_I_NO_DATA_INTEGRITY: usize = bindings::SB_I_NO_DATA_INTEGRITY as usize;

/// `MAX_LFS_FILESIZE`: the largest size that the page cache can hold.
pub(crate) const MAX_LFS_FILESIZE: i64 = bindings::FUSE_CONST_MAX_LFS_FILESIZE;

/// `SB_DYING`: it was shut down.
const SB_DYING: usize = bindings::FUSE_CONST_SB_DYING;

/// What `s_fs_info` points to.
#[pin_data]
pub(super) struct SuperObject<T: SuperTypes> {
    pub(super) data: T::Super,
    pub(super) live: Arc<LiveSuper<T>>,
    #[pin]
    pub(super) objects: SuperObjects,
    /// The count of superblocks of the cache that its inodes come from, once it has one.
    cache_users: SetOnce<&'static Atomic<usize>>,
}

impl<T: SuperTypes> SuperObject<T> {
    /// Wraps a filesystem's data for `s_fs_info`; `killsb` is the lock class of its semaphore.
    pub(super) fn new(data: T::Super, killsb: Pin<&'static LockClassKey>) -> Result<RcuBox<Self>> {
        let live = Arc::pin_init(LiveSuper::new(killsb), GFP_KERNEL)?;
        RcuBox::pin_init(
            pin_init!(Self {
                data,
                live,
                objects <- SuperObjects::new(),
                cache_users: SetOnce::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// From now on inodes come from a cache, of whose users this is the count.
    pub(super) fn use_cache(&self, users: &'static Atomic<usize>) {
        if self.cache_users.populate(users) {
            users.fetch_add(1, Relaxed);
        }
    }

    /// There are no inodes any more. To be called once.
    pub(super) fn leave_cache(&self) {
        if let Some(users) = self.cache_users.as_ref() {
            users.fetch_sub(1, Release);
        }
    }

    /// What `s_fs_info` of a superblock points to.
    ///
    /// # Safety
    ///
    /// `sb` is a superblock of a filesystem type registered for `T`, with `s_fs_info` set; it is
    /// not shut down during `'a`, or `'a` ends with an RCU read side critical section that began
    /// before.
    pub(super) unsafe fn of<'a>(sb: *mut bindings::super_block) -> &'a Self {
        // SAFETY: The caller promises that the pointer is to a live object of this type.
        unsafe { &*(*sb).s_fs_info.cast() }
    }
}

/// `SB_*` of a superblock. Some of them change at any time; C reads them without a lock too.
///
/// # Safety
///
/// A superblock whose memory is there.
pub(super) unsafe fn s_flags(sb: *mut bindings::super_block) -> usize {
    // SAFETY: By the contract; an aligned word is read at once.
    unsafe { (&raw const (*sb).s_flags).read_volatile() }
}

/// Whether a superblock was shut down: from then on `s_fs_info` may go.
///
/// # Safety
///
/// A superblock whose memory is there.
pub(super) unsafe fn is_dying(sb: *mut bindings::super_block) -> bool {
    // SAFETY: By the contract. The flag is set before the object is given to `call_rcu()`, so who
    // does not see it in an RCU read side critical section has the object until its end.
    unsafe { s_flags(sb) & SB_DYING != 0 }
}

/// A `struct super_block` of a filesystem with the private types `T`.
///
/// # Invariants
///
/// `s_fs_info` points to a live [`SuperObject<T>`]: it is set by `sget_fc()` before anyone sees the
/// superblock, and freed a grace period after `kill_sb`, so that RCU walk may read it. The tables
/// of operations on the superblock and its dentries are those for `T`.
#[repr(transparent)]
pub(crate) struct SuperBlock<T: SuperTypes>(Opaque<bindings::super_block>, PhantomData<T>);

// SAFETY: `struct super_block` is shared between threads by design; what this type offers takes
// the locks it needs or reads fields that do not change while the superblock is live.
unsafe impl<T: SuperTypes> Send for SuperBlock<T> {}
// SAFETY: As above.
unsafe impl<T: SuperTypes> Sync for SuperBlock<T> {}

impl<T: SuperTypes> SuperBlock<T> {
    /// Borrows a superblock.
    ///
    /// # Safety
    ///
    /// `ptr` is a superblock of a filesystem type registered for `T`, with `s_fs_info` and the
    /// tables of operations set, and stays alive for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::super_block) -> &'a Self {
        // SAFETY: The caller promises a live superblock of the right type; the layout is that of
        // `struct super_block`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::super_block {
        self.0.get()
    }

    /// What `s_fs_info` points to.
    fn object(&self) -> &SuperObject<T> {
        // SAFETY: By the type's invariant `s_fs_info` points to a `SuperObject<T>` that outlives
        // every borrow of the superblock.
        unsafe { SuperObject::of(self.as_ptr()) }
    }

    /// How many inodes and dentries there are.
    pub(super) fn objects(&self) -> &SuperObjects {
        &self.object().objects
    }

    /// The filesystem's own data (`s_fs_info`).
    pub(crate) fn data(&self) -> &T::Super {
        &self.object().data
    }

    /// A handle to reach this superblock with later, from outside of the VFS.
    pub(crate) fn live(&self) -> &Arc<LiveSuper<T>> {
        &self.object().live
    }

    /// The device number, unique among superblocks (`s_dev`).
    pub(crate) fn s_dev(&self) -> u32 {
        // SAFETY: Written by `sget_fc()` before anyone sees the superblock.
        unsafe { (*self.as_ptr()).s_dev }
    }

    /// The granularity of times, in nanoseconds (`s_time_gran`).
    pub(crate) fn set_s_time_gran(&self, nsec: u32) {
        // SAFETY: A live superblock. C writes this field without a lock when INIT is answered, and
        // reads it without.
        unsafe { (&raw mut (*self.as_ptr()).s_time_gran).write_volatile(nsec) };
    }

    /// From now on the VFS remembers of a file that it has neither set-id bits nor capabilities
    /// (`SB_NOSEC`). Other flags that change at the same time stay as they are.
    pub(crate) fn set_nosec(&self) {
        // SAFETY: A live superblock, of which this is an aligned word. Others write it with single
        // accesses, and read it so.
        let flags = unsafe { Atomic::from_ptr(&raw mut (*self.as_ptr()).s_flags) };
        let mut old = flags.load(Relaxed);
        while let Err(now) = flags.cmpxchg(old, old | SB_NOSEC, Relaxed) {
            old = now;
        }
    }

    /// From now on mounts of the superblock may map ids (`SB_I_NOIDMAP`).
    pub(crate) fn allow_idmap(&self) {
        // SAFETY: A live superblock, of which this is an aligned word. C changes it without a lock
        // too, when INIT is answered.
        let iflags = unsafe { Atomic::from_ptr(&raw mut (*self.as_ptr()).s_iflags) };
        let mut old = iflags.load(Relaxed);
        while let Err(now) = iflags.cmpxchg(old, old & !SB_I_NOIDMAP, Release) {
            old = now;
        }
    }

    /// Whether it is on a block device (`s_bdev`).
    pub(crate) fn has_bdev(&self) -> bool {
        // SAFETY: A live superblock; the field is set before it is filled, and does not change.
        unsafe { !(*self.as_ptr()).s_bdev.is_null() }
    }

    /// Bytes of a block (`s_blocksize`).
    pub(crate) fn s_blocksize(&self) -> usize {
        // SAFETY: A live superblock; the field is set before it has operations.
        unsafe { (*self.as_ptr()).s_blocksize }
    }

    /// Sees to it that the next mount of the block device makes a superblock of its own
    /// (`retire_super()`). Takes `s_umount`; does nothing to one without a device.
    pub(crate) fn retire(&self) {
        if self.has_bdev() {
            // SAFETY: A live superblock with a device.
            unsafe { bindings::retire_super(self.as_ptr()) };
        }
    }

    /// The backing device (`s_bdi`).
    pub(crate) fn bdi(&self) -> &BackingDevInfo {
        // SAFETY: `s_bdi` always points to a backing device, that of the superblock or one that
        // does nothing, which the superblock references until it is shut down; it does not change
        // before.
        unsafe { BackingDevInfo::from_raw((*self.as_ptr()).s_bdi) }
    }

    /// Writes back what is dirty (`sync_filesystem()`). Caller holds `s_umount`.
    pub(super) fn sync_filesystem(&self) -> Result {
        // SAFETY: Called from `reconfigure`, which holds `s_umount` for writing.
        to_result(unsafe { bindings::sync_filesystem(self.as_ptr()) })
    }
}

/// The way to a superblock for those that the VFS has not called: `with()` works until `kill_sb`.
///
/// C counterpart: `fuse_conn::killsb` with `fuse_mount::sb`.
///
/// # Invariants
///
/// The pointer, if any, is to a superblock that has a root and is not yet being shut down.
#[pin_data]
pub(crate) struct LiveSuper<T: SuperTypes> {
    #[pin]
    killsb: RwSem<SbPtr<T>>,
    /// Nobody gets to the superblock any more, though some may be there.
    closed: Atomic<bool>,
    #[pin]
    tree: DentryTree,
}

/// The pointer in a [`LiveSuper`]; null when there is no superblock.
struct SbPtr<T: SuperTypes>(*const SuperBlock<T>);

// SAFETY: A superblock is used by any thread; the semaphore keeps it alive for the borrower.
unsafe impl<T: SuperTypes> Send for SbPtr<T> {}
// SAFETY: As above.
unsafe impl<T: SuperTypes> Sync for SbPtr<T> {}

impl<T: SuperTypes> LiveSuper<T> {
    fn new(killsb: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            killsb <- RwSem::new(SbPtr(ptr::null()), c"LiveSuper::killsb", killsb),
            closed: Atomic::new(false),
            tree <- DentryTree::new(),
        })
    }

    /// The superblock's dentries by time.
    pub(super) fn tree(&self) -> &DentryTree {
        &self.tree
    }

    /// Calls `f` with the superblock, which is not shut down meanwhile; `None` if there is none,
    /// or not any more. Sleeps.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&SuperBlock<T>) -> R) -> Option<R> {
        if self.closed.load(Relaxed) {
            return None;
        }
        let sb = self.killsb.read();
        // SAFETY: By the type's invariant, and `clear()` waits for the semaphore.
        unsafe { sb.0.as_ref() }.map(f)
    }

    /// Makes a superblock reachable.
    ///
    /// # Safety
    ///
    /// It is this one's and has a root, and [`clear`](Self::clear) will be called before it is shut
    /// down.
    pub(super) unsafe fn set(&self, sb: &SuperBlock<T>) {
        // INVARIANT: The caller promises it.
        self.killsb.write().0 = sb;
    }

    /// From now on nobody gets to the superblock who is not there already.
    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// Takes the way to the superblock away, and waits until nobody is on it. Sleeps.
    pub(super) fn clear(&self) {
        self.killsb.write().0 = ptr::null();
    }
}
