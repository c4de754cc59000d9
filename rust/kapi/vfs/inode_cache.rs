// SPDX-License-Identifier: GPL-2.0

//! The memory of inodes: from `alloc_inode` through eviction to `free_inode`.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`alloc_inode_sb()`),
//! [`include/linux/slab.h`](srctree/include/linux/slab.h).
//!
//! Rules of C encoded here:
//!
//! - The slab constructor runs once per object, not once per inode: only `inode_init_once()`.
//! - An inode may be destroyed without ever having been set up or evicted (a lost race in
//!   `iget5_locked()`). So the private data is complete when `alloc_inode` returns, and
//!   `free_inode` drops it in any case.
//! - `free_inode` runs a grace period after eviction, in softirq context: what it drops must not
//!   sleep (porting.rst: inodes must be freed by RCU). What may sleep belongs into `evict_inode`.
//! - `destroy_inode` follows eviction, or an allocation that failed halfway: what does not use the
//!   superblock any more is counted there.
//! - Before the cache goes, the callbacks in flight must have run: [`super::unload`]. `kfree()`
//!   takes objects of any cache.

use super::{
    inode::{
        Inode,
        InodeObject, //
    },
    inode_inner::{
        new_inner,
        InodeInner, //
    },
    super_block::{
        SuperBlock,
        SB_ACTIVE, //
    },
    types::Types, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};

/// The part of `struct super_operations` that is about the life of inodes.
pub(crate) trait InodeLifecycle<T: Types>: 'static {
    /// Makes the private data of an inode that is being allocated, and what its lock is for. May
    /// sleep.
    ///
    /// Dropping either must not sleep, see the rules above.
    ///
    /// # Errors
    ///
    /// Any; the VFS makes it ENOMEM.
    fn alloc_inode(sb: &SuperBlock<T>) -> Result<(impl PinInit<T::Inode>, T::InodeInner)>;

    /// The last thing that happens to an inode in process context: its page cache is gone, nobody
    /// can find it any more. May sleep.
    fn evict_inode(inode: Evicting<'_, T>);
}

/// An inode that is being evicted: no reference can be taken any more.
pub(crate) struct Evicting<'a, T: Types>(&'a Inode<T>);

impl<'a, T: Types> Evicting<'a, T> {
    /// The filesystem's own data.
    pub(crate) fn data(&self) -> &'a T::Inode {
        self.0.data()
    }

    /// Takes the inode's lock for as long as the guard lives.
    pub(crate) fn lock_inner(&self) -> InodeInner<'a, T> {
        self.0.lock_inner()
    }

    /// The superblock.
    pub(crate) fn sb(&self) -> &'a SuperBlock<T> {
        self.0.sb()
    }

    /// Whether the superblock is live: not being set up, not being unmounted (`SB_ACTIVE`).
    pub(crate) fn sb_active(&self) -> bool {
        self.0.s_flags() & SB_ACTIVE != 0
    }

    /// `i_nlink`.
    pub(crate) fn i_nlink(&self) -> u32 {
        self.0.i_nlink()
    }
}

/// A slab cache of inodes with a filesystem's own data around them.
///
/// A static; its memory exists while an [`Unload`](super::unload::Unload) for it does.
pub(crate) struct InodeCache<T: Types> {
    /// Null until created, and after it was destroyed.
    cache: Atomic<*mut bindings::kmem_cache>,
    /// How many superblocks there are whose inodes come from it.
    users: Atomic<usize>,
    _types: PhantomData<fn(T)>,
}

impl<T: Types> InodeCache<T> {
    /// A cache that does not exist yet.
    pub(crate) const fn new() -> Self {
        Self {
            cache: Atomic::new(ptr::null_mut()),
            users: Atomic::new(0),
            _types: PhantomData,
        }
    }

    /// Makes the cache.
    ///
    /// # Errors
    ///
    /// ENOMEM; EEXIST if it exists.
    pub(super) fn create(&'static self, name: &'static CStr) -> Result {
        let size = u32::try_from(size_of::<InodeObject<T>>()).map_err(|_| EINVAL)?;
        let align = u32::try_from(align_of::<InodeObject<T>>()).map_err(|_| EINVAL)?;

        // SAFETY: The name is static; the constructor, `inode_init_once()`, initialises a
        // `struct inode`, which is the first field of the objects.
        let cache = unsafe { bindings::kmem_cache_create_inodes(name.as_char_ptr(), size, align) };
        if cache.is_null() {
            return Err(ENOMEM);
        }
        if self.cache.cmpxchg(ptr::null_mut(), cache, Release).is_err() {
            // SAFETY: Just created, no object of it exists.
            unsafe { bindings::kmem_cache_destroy(cache) };
            return Err(EEXIST);
        }
        Ok(())
    }

    /// Destroys the cache.
    ///
    /// # Safety
    ///
    /// No superblock uses it, nor will, and no inode waits to be freed.
    pub(super) unsafe fn destroy(&self) {
        let cache = self.cache.xchg(ptr::null_mut(), Relaxed);
        // SAFETY: The pointer is null or came from `kmem_cache_create()`; the caller promises that
        // there is no object.
        unsafe { bindings::kmem_cache_destroy(cache) };
    }

    /// How many superblocks there are whose inodes come from it.
    pub(super) const fn users(&self) -> &Atomic<usize> {
        &self.users
    }

    /// The C object, null if there is none.
    fn as_ptr(&self) -> *mut bindings::kmem_cache {
        self.cache.load(Acquire)
    }
}

/// A `struct super_operations`, and the cache that its `alloc_inode` takes inodes from.
#[repr(C)]
pub(super) struct OperationsWithCache<T: Types> {
    pub(super) table: bindings::super_operations,
    pub(super) cache: &'static InodeCache<T>,
}

/// `super_operations::alloc_inode`.
///
/// # Safety
///
/// Called by the VFS with a live superblock for `T`, whose table lies in an
/// [`OperationsWithCache`].
pub(super) unsafe extern "C" fn alloc_inode_callback<T: Types, I: InodeLifecycle<T>>(
    ptr: *mut bindings::super_block,
) -> *mut bindings::inode {
    // SAFETY: The VFS passes a live superblock with such a table, which is the first field.
    let with_cache = unsafe { &*(*ptr).s_op.cast::<OperationsWithCache<T>>() };
    let cache = with_cache.cache.as_ptr();
    if cache.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: A live superblock, which has its tables, as the VFS has called one.
    let sb = unsafe { SuperBlock::from_raw(ptr) };
    let Ok((data, inner)) = I::alloc_inode(sb) else {
        return ptr::null_mut();
    };

    // SAFETY: The cache exists while there are superblocks; this is `alloc_inode_sb()`.
    let object = unsafe {
        bindings::kmem_cache_alloc_lru_noprof(
            cache,
            &raw mut (*ptr).s_inode_lru,
            bindings::GFP_KERNEL,
        )
    }
    .cast::<InodeObject<T>>();
    if object.is_null() {
        return ptr::null_mut();
    }

    // SAFETY: Both slots are valid for writes, lie in a slab object that does not move, and are
    // dropped by `free_inode_callback()` only.
    unsafe {
        pin_init::raw_init(&raw mut (*object).data, data);
        pin_init::raw_init(&raw mut (*object).inner, new_inner::<T>(inner));
    }
    sb.objects().add();
    object.cast()
}

/// `super_operations::destroy_inode`: the superblock may go now.
///
/// # Safety
///
/// Called by the VFS, once, for an inode from `alloc_inode_callback()` that nobody can find any
/// more, which does not use its superblock any more.
pub(super) unsafe extern "C" fn destroy_inode_callback<T: Types>(inode: *mut bindings::inode) {
    // SAFETY: The superblock waits for this inode.
    let sb: &SuperBlock<T> = unsafe { SuperBlock::from_raw((*inode).i_sb) };
    sb.objects().remove();
}

/// `super_operations::free_inode`.
///
/// # Safety
///
/// Called by the VFS, a grace period after nobody can find the inode any more, once.
pub(super) unsafe extern "C" fn free_inode_callback<T: Types>(inode: *mut bindings::inode) {
    let object = inode.cast::<InodeObject<T>>();

    // SAFETY: Both were initialised by `alloc_inode_callback()`, nobody uses them any more.
    unsafe {
        ptr::drop_in_place(&raw mut (*object).data);
        ptr::drop_in_place(&raw mut (*object).inner);
    }
    // SAFETY: The object came from a cache, which exists as long as inodes wait to be freed.
    unsafe { bindings::kfree(object.cast()) };
}

/// `super_operations::evict_inode`: drops the page cache, as every filesystem must, then calls
/// [`InodeLifecycle::evict_inode`].
///
/// # Safety
///
/// Called by the VFS for an inode with `I_FREEING` set, once.
pub(super) unsafe extern "C" fn evict_inode_callback<T: Types, I: InodeLifecycle<T>>(
    inode: *mut bindings::inode,
) {
    // SAFETY: The inode is alive, nobody else uses it.
    unsafe { bindings::truncate_inode_pages_final(&raw mut (*inode).i_data) };
    // SAFETY: The page cache is empty, as `clear_inode()` demands.
    unsafe { bindings::clear_inode(inode) };
    // SAFETY: The inode is alive until this returns and a grace period has passed.
    I::evict_inode(Evicting(unsafe { Inode::from_raw(inode) }));
}
