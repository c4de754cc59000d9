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
//! - Before the cache goes, the callbacks in flight must have run: `rcu_barrier()`.

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
        Release, //
    },
};

/// The part of `struct super_operations` that is about the life of inodes.
pub(crate) trait InodeLifecycle<T: Types>: 'static {
    /// The cache that this filesystem's inodes come from.
    fn cache() -> &'static InodeCache<T>;

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
/// A static; its memory exists while the guard from [`create`](Self::create) does.
pub(crate) struct InodeCache<T: Types> {
    /// `struct kmem_cache *`, as a number: null until created, and after the guard.
    cache: Atomic<usize>,
    _types: PhantomData<fn(T)>,
}

impl<T: Types> InodeCache<T> {
    /// A cache that does not exist yet.
    pub(crate) const fn new() -> Self {
        Self {
            cache: Atomic::new(0),
            _types: PhantomData,
        }
    }

    /// Makes the cache.
    ///
    /// Whoever registers the filesystem type keeps the guard until no superblock of it is left,
    /// which at module unload the module's own reference count guarantees.
    ///
    /// # Errors
    ///
    /// ENOMEM; EBUSY if it exists.
    pub(crate) fn create(&'static self, name: &'static CStr) -> Result<InodeCacheGuard<T>> {
        let size = u32::try_from(size_of::<InodeObject<T>>()).map_err(|_| EINVAL)?;
        let align = u32::try_from(align_of::<InodeObject<T>>()).map_err(|_| EINVAL)?;

        if self.cache.load(Acquire) != 0 {
            return Err(EBUSY);
        }
        // SAFETY: The name is static; the constructor, `inode_init_once()`, initialises a
        // `struct inode`, which is the first field of the objects.
        let cache = unsafe { bindings::kmem_cache_create_inodes(name.as_char_ptr(), size, align) };
        if cache.is_null() {
            return Err(ENOMEM);
        }
        self.cache.store(cache as usize, Release);
        Ok(InodeCacheGuard(self))
    }

    /// The C object, null if there is none.
    fn as_ptr(&self) -> *mut bindings::kmem_cache {
        self.cache.load(Acquire) as *mut bindings::kmem_cache
    }
}

/// Keeps an [`InodeCache`] in existence.
pub(crate) struct InodeCacheGuard<T: Types>(&'static InodeCache<T>);

impl<T: Types> Drop for InodeCacheGuard<T> {
    fn drop(&mut self) {
        kernel::sync::rcu::rcu_barrier();
        let cache = self.0.as_ptr();
        self.0.cache.store(0, Release);
        // SAFETY: No superblock is left, by the contract of `create()`, and after the barrier no
        // inode that waits to be freed. The pointer came from `kmem_cache_create()`.
        unsafe { bindings::kmem_cache_destroy(cache) };
    }
}

/// `super_operations::alloc_inode`.
///
/// # Safety
///
/// Called by the VFS with a live superblock of a filesystem type registered for `T`.
pub(super) unsafe extern "C" fn alloc_inode_callback<T: Types, I: InodeLifecycle<T>>(
    sb: *mut bindings::super_block,
) -> *mut bindings::inode {
    let cache = I::cache().as_ptr();
    if cache.is_null() {
        return ptr::null_mut();
    }

    // SAFETY: The VFS passes a live superblock.
    let Ok((data, inner)) = I::alloc_inode(unsafe { SuperBlock::from_raw(sb) }) else {
        return ptr::null_mut();
    };

    // SAFETY: The cache exists while there are superblocks; this is `alloc_inode_sb()`.
    let object = unsafe {
        bindings::kmem_cache_alloc_lru_noprof(
            cache,
            &raw mut (*sb).s_inode_lru,
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
    object.cast()
}

/// `super_operations::free_inode`.
///
/// # Safety
///
/// Called by the VFS, a grace period after nobody can find the inode any more, once.
pub(super) unsafe extern "C" fn free_inode_callback<T: Types, I: InodeLifecycle<T>>(
    inode: *mut bindings::inode,
) {
    let object = inode.cast::<InodeObject<T>>();

    // SAFETY: Both were initialised by `alloc_inode_callback()`, nobody uses them any more.
    unsafe {
        ptr::drop_in_place(&raw mut (*object).data);
        ptr::drop_in_place(&raw mut (*object).inner);
    }
    // SAFETY: The object came from this cache, which exists as long as inodes wait to be freed.
    unsafe { bindings::kmem_cache_free(I::cache().as_ptr(), object.cast()) };
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
