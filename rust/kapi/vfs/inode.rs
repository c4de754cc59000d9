// SPDX-License-Identifier: GPL-2.0

//! Inodes: identity, references, the fields that a filesystem keeps.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).
//!
//! Rules of C encoded here:
//!
//! - RCU walk reads inodes without a reference, so their memory, private data included, is freed
//!   by `free_inode`, a grace period after eviction ([`super::inode_cache`]).
//! - The attribute fields are read without locks all over the VFS, and written under the lock of
//!   [`super::inode_inner`]; both sides use single accesses. Where a field is wider than a machine
//!   word (`i_ino`, `i_blocks` and the seconds of times on 32 bits), that is two of them, and a
//!   reader may see half of each, as in C: a number that is wrong for once. `i_size` has a sequence
//!   count there, which [`Inode::i_size_read`] and `i_size_write()` take care of.
//! - A new inode (`I_NEW`) is set up by the task that allocated it and by nobody else:
//!   [`super::iget`].

use super::{
    mnt_idmapping::MntIdmap,
    stat,
    super_block::{
        SuperBlock,
        SB_RDONLY, //
    },
    types::Types, //
};
use crate::{
    bindings,
    kapi::{
        task::uidgid::Kgid,
        time::time64::Timespec64, //
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        aref::AlwaysRefCounted,
        SpinLock, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// What all slab objects begin with: `struct inode` first, as `alloc_inode_sb()` and
/// `container_of()` in C have it.
#[repr(C)]
pub(super) struct InodeHead {
    pub(super) inode: Opaque<bindings::inode>,
    /// Drops the last reference, where that may not be done at once (`inode_hold`).
    pub(super) put: Opaque<bindings::work_struct>,
}

/// The slab object, with the filesystem's own data.
#[repr(C)]
pub(super) struct InodeObject<T: Types> {
    head: InodeHead,
    pub(super) data: T::Inode,
    /// See [`super::inode_inner`].
    pub(super) inner: SpinLock<T::InodeInner>,
}

/// A `struct inode` of a filesystem with the private types `T`.
///
/// # Invariants
///
/// The inode is the first field of an [`InodeObject<T>`], the rest of which is initialised by
/// `alloc_inode` and dropped by `free_inode`, after a grace period.
#[repr(transparent)]
pub(crate) struct Inode<T: Types>(Opaque<bindings::inode>, PhantomData<T>);

// SAFETY: `struct inode` is shared between threads by design, `T::Inode` is `Send` and `Sync`,
// `T::InodeInner` is `Send` and behind a lock, and what this type offers takes the locks it needs.
unsafe impl<T: Types> Send for Inode<T> {}
// SAFETY: As above.
unsafe impl<T: Types> Sync for Inode<T> {}

// SAFETY: `ihold()` and `iput()` count references; an inode with a reference stays alive.
unsafe impl<T: Types> AlwaysRefCounted for Inode<T> {
    fn inc_ref(&self) {
        // SAFETY: The existence of `&self` means that the reference count is not zero.
        unsafe { bindings::ihold(self.as_ptr()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference that it owns.
        unsafe { bindings::iput(obj.as_ref().as_ptr()) };
    }
}

impl<T: Types> PartialEq for Inode<T> {
    /// The same inode?
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

/// One read of a field that others may write (`READ_ONCE()`).
macro_rules! read_once {
    ($inode:expr, $field:ident) => {
        // SAFETY: The inode is alive by the type's invariant; the field is a number that is read
        // and written by single accesses, see above.
        unsafe { (&raw const (*$inode.as_ptr()).$field).read_volatile() }
    };
}

impl<T: Types> Inode<T> {
    /// Borrows an inode.
    ///
    /// # Safety
    ///
    /// `ptr` is an inode of a superblock of a filesystem type registered for `T`, past
    /// `alloc_inode`, and stays alive for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::inode) -> &'a Self {
        // SAFETY: The caller promises a live inode of the right type; the layout is that of
        // `struct inode`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(in crate::kapi) fn as_ptr(&self) -> *mut bindings::inode {
        self.0.get()
    }

    /// The filesystem's own data (`container_of()` in C).
    pub(crate) fn data(&self) -> &T::Inode {
        // SAFETY: By the type's invariant the inode lies in an `InodeObject<T>`, initialised and
        // alive as long as the inode.
        unsafe { &(*self.as_ptr().cast::<InodeObject<T>>()).data }
    }

    /// The lock beside that data.
    pub(super) fn inner(&self) -> &SpinLock<T::InodeInner> {
        // SAFETY: As for `data()`; the slab object does not move.
        unsafe { &(*self.as_ptr().cast::<InodeObject<T>>()).inner }
    }

    /// The superblock (`i_sb`).
    pub(crate) fn sb(&self) -> &SuperBlock<T> {
        // SAFETY: `i_sb` does not change, and the superblock outlives its inodes.
        unsafe { SuperBlock::from_raw((*self.as_ptr()).i_sb) }
    }

    /// Type and permissions (`i_mode`).
    pub(crate) fn i_mode(&self) -> u16 {
        read_once!(self, i_mode)
    }

    /// `S_ISDIR(i_mode)`. An inode's type does not change once it is set up.
    pub(crate) fn is_dir(&self) -> bool {
        stat::s_isdir(self.i_mode())
    }

    /// `S_ISREG(i_mode)`.
    pub(crate) fn is_reg(&self) -> bool {
        stat::s_isreg(self.i_mode())
    }

    /// `inode_wrong_type()`: whether `mode` names another type than this inode's.
    pub(crate) fn inode_wrong_type(&self, mode: u16) -> bool {
        (self.i_mode() ^ mode) & stat::S_IFMT != 0
    }

    /// `i_generation`.
    pub(crate) fn i_generation(&self) -> u32 {
        read_once!(self, i_generation)
    }

    /// `i_nlink`.
    pub(crate) fn i_nlink(&self) -> u32 {
        // SAFETY: The inode is alive; the link count is 32 bits, read at once.
        unsafe {
            (&raw const (*self.as_ptr()).__bindgen_anon_1.i_nlink)
                .cast::<u32>()
                .read_volatile()
        }
    }

    /// `i_gid`.
    pub(crate) fn i_gid(&self) -> Kgid {
        Kgid::from_raw(read_once!(self, i_gid))
    }

    /// Whether it may get a name although it has none (`I_LINKABLE`). A hint, unless its `i_rwsem`
    /// is held.
    pub(crate) fn is_linkable(&self) -> bool {
        // SAFETY: The inode is alive; the field is 32 bits, read at once.
        let state = unsafe { (&raw const (*self.as_ptr()).i_state.__state).read_volatile() };
        state & bindings::inode_state_flags_enum_I_LINKABLE != 0
    }

    /// `i_rdev`, in the kernel's own encoding.
    pub(crate) fn i_rdev(&self) -> u32 {
        read_once!(self, i_rdev)
    }

    /// The size in bytes (`i_size_read()`).
    pub(crate) fn i_size_read(&self) -> i64 {
        // SAFETY: The inode is alive.
        unsafe { bindings::i_size_read(self.as_ptr()) }
    }

    /// log2 of the superblock's block size (`i_blkbits`).
    pub(crate) fn i_blkbits(&self) -> u8 {
        read_once!(self, i_blkbits)
    }

    /// `i_flags` (`S_*`).
    pub(super) fn i_flags(&self) -> u32 {
        read_once!(self, i_flags)
    }

    /// `IS_NOCMTIME()`: the VFS leaves mtime and ctime to the filesystem.
    pub(crate) fn is_nocmtime(&self) -> bool {
        self.i_flags() & bindings::S_NOCMTIME != 0
    }

    /// `IS_DEADDIR()`: the directory has been removed.
    pub(crate) fn is_deaddir(&self) -> bool {
        self.i_flags() & bindings::S_DEAD != 0
    }

    /// Marks a directory as removed (`S_DEAD`), as `vfs_rmdir()` does.
    pub(crate) fn set_dead(&self) {
        // SAFETY: The inode is alive; the flag is set by an atomic operation.
        unsafe { bindings::inode_set_dead(self.as_ptr()) };
    }

    /// Whether the current task holds `i_rwsem` exclusively.
    pub(crate) fn is_locked_by_current(&self) -> bool {
        // SAFETY: The inode is alive; the owner is read once, and cannot become or cease to be this
        // task meanwhile.
        unsafe { bindings::inode_is_locked_by_current(self.as_ptr()) }
    }

    /// `IS_AUTOMOUNT()`.
    pub(crate) fn is_automount(&self) -> bool {
        self.i_flags() & bindings::S_AUTOMOUNT != 0
    }

    /// `IS_RDONLY()`: whether the superblock is read-only.
    pub(crate) fn is_rdonly(&self) -> bool {
        self.s_flags() & SB_RDONLY != 0
    }

    /// `s_flags` of the superblock.
    pub(super) fn s_flags(&self) -> usize {
        // SAFETY: The superblock outlives its inodes; the field is a machine word.
        unsafe { (&raw const (*(*self.as_ptr()).i_sb).s_flags).read_volatile() }
    }

    /// `inode_set_ctime_current()`.
    pub(crate) fn inode_set_ctime_current(&self) {
        // SAFETY: The inode is alive; the function writes the time fields only.
        unsafe { bindings::inode_set_ctime_current(self.as_ptr()) };
    }

    /// `mark_inode_dirty_sync()`.
    pub(crate) fn mark_inode_dirty_sync(&self) {
        // SAFETY: The inode is alive and referenced.
        unsafe { bindings::mark_inode_dirty_sync(self.as_ptr()) };
    }

    /// Writes the inode's metadata and waits (`sync_inode_metadata(inode, 1)`). May sleep.
    pub(crate) fn sync_inode_metadata(&self) -> Result {
        // SAFETY: The inode is alive and referenced.
        to_result(unsafe { bindings::sync_inode_metadata(self.as_ptr(), 1) })
    }

    /// Remembers a change of the directory's contents (`inode_maybe_inc_iversion(inode, false)`).
    pub(crate) fn inode_maybe_inc_iversion(&self) {
        // SAFETY: The inode is alive; `i_version` is atomic.
        unsafe { bindings::inode_maybe_inc_iversion(self.as_ptr(), false) };
    }

    /// The number of the contents' changes, so that the next one changes it
    /// (`inode_query_iversion()`).
    pub(crate) fn inode_query_iversion(&self) -> u64 {
        // SAFETY: The inode is alive; `i_version` is atomic.
        unsafe { bindings::inode_query_iversion(self.as_ptr()) }
    }

    /// The same, for comparison alone (`inode_peek_iversion()`).
    pub(crate) fn inode_peek_iversion(&self) -> u64 {
        // SAFETY: As above.
        unsafe { bindings::inode_peek_iversion(self.as_ptr()) }
    }

    /// `inode_get_mtime()`.
    pub(crate) fn inode_get_mtime(&self) -> Timespec64 {
        Timespec64 {
            sec: read_once!(self, i_mtime_sec),
            nsec: read_once!(self, i_mtime_nsec),
        }
    }

    /// Takes the inode out of the inode hash (`remove_inode_hash()`), so that its number can be
    /// taken by another one.
    pub(crate) fn remove_inode_hash(&self) {
        // SAFETY: The inode is alive; the function takes the locks it needs, and does nothing for
        // an inode that is not hashed.
        unsafe { bindings::remove_inode_hash(self.as_ptr()) };
    }

    /// Checks by mode, owner and ACL whether the current task may do what `mask` (`MAY_*`) says
    /// (`generic_permission()`). May sleep.
    ///
    /// # Errors
    ///
    /// EACCES, EPERM.
    pub(crate) fn generic_permission(&self, idmap: &MntIdmap, mask: u32) -> Result {
        // SAFETY: Both are alive.
        to_result(unsafe {
            bindings::generic_permission(idmap.as_ptr(), self.as_ptr(), mask as i32)
        })
    }

    /// The lock behind `inode_lock()`.
    fn i_rwsem(&self) -> *mut bindings::rw_semaphore {
        // SAFETY: The inode is alive.
        unsafe { &raw mut (*self.as_ptr()).i_rwsem }
    }

    /// Takes `i_rwsem` exclusively for as long as the guard lives (`inode_lock()`). Sleeps.
    pub(crate) fn inode_lock(&self) -> InodeLock<'_, T> {
        // SAFETY: The inode is alive, its lock initialised.
        unsafe { bindings::down_write(self.i_rwsem()) };
        InodeLock(self, NotThreadSafe)
    }

    /// As [`inode_lock`](Self::inode_lock), unless killed (`inode_lock_killable()`).
    ///
    /// # Errors
    ///
    /// `EINTR` if killed.
    pub(crate) fn inode_lock_killable(&self) -> Result<InodeLock<'_, T>> {
        // SAFETY: The inode is alive, its lock initialised.
        to_result(unsafe { bindings::down_write_killable(self.i_rwsem()) })?;
        Ok(InodeLock(self, NotThreadSafe))
    }

    /// As [`inode_lock`](Self::inode_lock) of a directory, under which the locks of its inodes are
    /// taken (`inode_lock_nested(dir, I_MUTEX_PARENT)`).
    pub(crate) fn inode_lock_parent(&self) -> InodeLock<'_, T> {
        // SAFETY: The inode is alive, its lock initialised.
        unsafe { bindings::inode_lock_parent(self.as_ptr()) };
        InodeLock(self, NotThreadSafe)
    }

    /// As [`inode_lock_parent`](Self::inode_lock_parent), unless killed.
    ///
    /// # Errors
    ///
    /// `EINTR` if killed.
    pub(crate) fn inode_lock_parent_killable(&self) -> Result<InodeLock<'_, T>> {
        // SAFETY: The inode is alive, its lock initialised.
        to_result(unsafe { bindings::inode_lock_parent_killable(self.as_ptr()) })?;
        Ok(InodeLock(self, NotThreadSafe))
    }

    /// Takes `i_rwsem` together with others who do, for as long as the guard lives
    /// (`inode_lock_shared()`). Sleeps.
    pub(crate) fn inode_lock_shared(&self) -> InodeLockShared<'_, T> {
        // SAFETY: The inode is alive, its lock initialised.
        unsafe { bindings::down_read(self.i_rwsem()) };
        InodeLockShared(self, NotThreadSafe)
    }

    /// As [`inode_lock_shared`](Self::inode_lock_shared), unless killed
    /// (`inode_lock_shared_killable()`).
    ///
    /// # Errors
    ///
    /// `EINTR` if killed.
    pub(crate) fn inode_lock_shared_killable(&self) -> Result<InodeLockShared<'_, T>> {
        // SAFETY: The inode is alive, its lock initialised.
        to_result(unsafe { bindings::down_read_killable(self.i_rwsem()) })?;
        Ok(InodeLockShared(self, NotThreadSafe))
    }
}

/// An inode whose `i_rwsem` we hold exclusively; dropping it releases the lock. It stays with the
/// task that took it, as the lock's owner.
pub(crate) struct InodeLock<'a, T: Types>(&'a Inode<T>, NotThreadSafe);

impl<T: Types> Drop for InodeLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: Taken for writing when the guard was made, by this task (`inode_unlock()`).
        unsafe { bindings::up_write(self.0.i_rwsem()) };
    }
}

/// An inode whose `i_rwsem` we hold shared; dropping it releases the lock. It stays with the task
/// that took it, as lockdep and an `-rt` kernel expect.
pub(crate) struct InodeLockShared<'a, T: Types>(&'a Inode<T>, NotThreadSafe);

impl<T: Types> Drop for InodeLockShared<'_, T> {
    fn drop(&mut self) {
        // SAFETY: Taken for reading when the guard was made, by this task
        // (`inode_unlock_shared()`).
        unsafe { bindings::up_read(self.0.i_rwsem()) };
    }
}
