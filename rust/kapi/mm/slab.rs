// SPDX-License-Identifier: GPL-2.0

//! Caches of objects of one type, and counted references to objects from them.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h).
//!
//! C rules encoded here: nobody allocates from a cache that is being destroyed; one with objects in
//! use is not freed (C warns and leaks it); `kfree()` takes objects of any cache; user memory is
//! copied to and from that part of an object only which its cache was created with, as far as
//! HARDENED_USERCOPY looks at it.

use super::gfp::Gfp;
use crate::bindings;
use core::{
    marker::PhantomData,
    mem::{
        align_of,
        offset_of,
        size_of, //
    },
    ops::{
        Deref,
        DerefMut,
        Range, //
    },
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        Refcount, //
    },
};

/// A cache that exists once, as a static, from [`create`](Self::create) until its guard is dropped.
/// Objects come from a [`KmemCacheUser`].
pub(crate) struct KmemCache<T> {
    name: &'static CStr,
    /// The bytes of a `T` that user memory is copied to and from.
    usercopy: Range<usize>,
    /// The C object, null before and after.
    cache: Atomic<*mut bindings::kmem_cache>,
    /// How many [`KmemCacheUser`]s there are.
    users: Atomic<usize>,
    _objects: PhantomData<fn() -> T>,
}

impl<T> KmemCache<T> {
    /// A cache of that name, not created yet. User memory is copied to and from those bytes of its
    /// objects alone that lie in `usercopy`.
    pub(crate) const fn new(name: &'static CStr, usercopy: Range<usize>) -> Self {
        build_assert!(usercopy.start <= usercopy.end && usercopy.end <= size_of::<T>());
        Self {
            name,
            usercopy,
            cache: Atomic::new(core::ptr::null_mut()),
            users: Atomic::new(0),
            _objects: PhantomData,
        }
    }

    /// Creates the cache (`kmem_cache_create()`), until the guard is dropped.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and `EEXIST` if it has been created already.
    pub(crate) fn create(&'static self) -> Result<KmemCacheGuard<T>> {
        let size = size_of::<SlabObject<T>>().try_into().map_err(|_| EINVAL)?;
        let mut args = bindings::kmem_cache_args {
            align: align_of::<SlabObject<T>>().try_into().map_err(|_| EINVAL)?,
            useroffset: offset_of!(SlabObject<T>, data)
                .checked_add(self.usercopy.start)
                .and_then(|offset| offset.try_into().ok())
                .ok_or(EINVAL)?,
            usersize: (self.usercopy.end - self.usercopy.start)
                .try_into()
                .map_err(|_| EINVAL)?,
            ..pin_init::zeroed()
        };

        // SAFETY: Name and arguments are valid; C copies what it keeps.
        let cache = unsafe {
            bindings::__kmem_cache_create_args(self.name.as_char_ptr(), size, &mut args, 0)
        };
        if cache.is_null() {
            return Err(ENOMEM);
        }
        if self
            .cache
            .cmpxchg(core::ptr::null_mut(), cache, Release)
            .is_err()
        {
            // SAFETY: Just created, no object of it exists.
            unsafe { bindings::kmem_cache_destroy(cache) };
            return Err(EEXIST);
        }
        Ok(KmemCacheGuard(self))
    }

    /// The right to allocate from it.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if it does not exist.
    pub(crate) fn user(&'static self) -> Result<KmemCacheUser<T>> {
        // First to be counted and then to look, while the guard takes the cache away first and then
        // looks at the count: one of both sees the other.
        self.users.fetch_add(1, Full);
        match NonNull::new(self.cache.load(Acquire)) {
            // INVARIANT: Counted, and the cache was there afterwards.
            Some(cache) => Ok(KmemCacheUser { of: self, cache }),
            None => {
                self.users.fetch_sub(1, Full);
                Err(ENOMEM)
            }
        }
    }
}

/// Destroys its cache when dropped, which is when nobody may allocate from it any more: at unload.
pub(crate) struct KmemCacheGuard<T: 'static>(&'static KmemCache<T>);

impl<T> Drop for KmemCacheGuard<T> {
    fn drop(&mut self) {
        let cache = self.0.cache.xchg(core::ptr::null_mut(), Full);
        if self.0.users.load(Acquire) != 0 {
            // Not reached, as users hold the module. They go on with what they have.
            pr_err!("{}: still in use\n", self.0.name);
            return;
        }
        // SAFETY: Made by `create()`, destroyed nowhere else. There are no users, nor will there
        // be, as the pointer is gone.
        unsafe { bindings::kmem_cache_destroy(cache) };
    }
}

/// The right to allocate from a [`KmemCache`].
///
/// # Invariants
///
/// `cache` is that of `of`, which counts this, so that it is not destroyed.
pub(crate) struct KmemCacheUser<T: 'static> {
    of: &'static KmemCache<T>,
    cache: NonNull<bindings::kmem_cache>,
}

// SAFETY: A cache may be used by any thread.
unsafe impl<T> Send for KmemCacheUser<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for KmemCacheUser<T> {}

impl<T> KmemCacheUser<T> {
    fn alloc(&self, gfp: Gfp) -> Option<NonNull<SlabObject<T>>> {
        // SAFETY: By the type's invariant the cache exists.
        let object =
            unsafe { bindings::kmem_cache_alloc_noprof(self.cache.as_ptr(), gfp.as_raw()) };
        NonNull::new(object.cast())
    }
}

impl<T> Drop for KmemCacheUser<T> {
    fn drop(&mut self) {
        self.of.users.fetch_sub(1, Full);
    }
}

/// An object in a cache.
struct SlabObject<T> {
    refs: Refcount,
    data: T,
}

/// A counted, pinned reference to an object from a [`KmemCache`].
///
/// # Invariants
///
/// The pointer is to a live object, of which this owns one reference.
pub(crate) struct SlabArc<T>(NonNull<SlabObject<T>>);

// SAFETY: As for `Arc`.
unsafe impl<T: Send + Sync> Send for SlabArc<T> {}
// SAFETY: As for `Arc`.
unsafe impl<T: Send + Sync> Sync for SlabArc<T> {}

impl<T> SlabArc<T> {
    /// Allocates an object and initialises it in place.
    ///
    /// # Errors
    ///
    /// `ENOMEM` (never with [`Gfp::NOFAIL`]) or what `init` returns.
    pub(crate) fn pin_init<E>(
        cache: &KmemCacheUser<T>,
        gfp: Gfp,
        init: impl PinInit<T, E>,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        let object = cache.alloc(gfp).ok_or(ENOMEM)?;
        // SAFETY: Fresh memory of the right layout, not visible to anyone else and never moved.
        unsafe {
            (&raw mut (*object.as_ptr()).refs).write(Refcount::new(1));
            if let Err(e) = pin_init::raw_try_init(&raw mut (*object.as_ptr()).data, init) {
                bindings::kfree(object.as_ptr().cast());
                return Err(e.into());
            }
        }
        // INVARIANT: Initialised above, with one reference.
        Ok(Self(object))
    }
}

impl<T> SlabArc<T> {
    /// Charges the object to the current task's memory cgroup (`kmem_cache_charge()`); true if it
    /// has been charged before. May sleep.
    ///
    /// False if the cgroup has no room.
    pub(crate) fn charge(this: &Self) -> bool {
        // SAFETY: A live object from a cache. Charging it twice does nothing.
        unsafe { bindings::kmem_cache_charge(this.0.as_ptr().cast(), Gfp::KERNEL.as_raw()) }
    }

    /// Exclusive access, if this is the only reference.
    #[inline]
    pub(crate) fn get_mut(this: &mut Self) -> Option<Pin<&mut T>> {
        // SAFETY: Live by the type's invariant; the count is shared.
        let refs = unsafe { &(*this.0.as_ptr()).refs };
        // Acquire: what was done through references given up since happens before.
        if refs.as_atomic().load(Acquire) != 1 {
            return None;
        }
        // SAFETY: The only reference is borrowed mutably, and others are made from it alone. The
        // object is never moved.
        Some(unsafe { Pin::new_unchecked(&mut (*this.0.as_ptr()).data) })
    }
}

impl<T> Clone for SlabArc<T> {
    fn clone(&self) -> Self {
        // SAFETY: Live by the type's invariant.
        unsafe { (*self.0.as_ptr()).refs.inc() };
        // INVARIANT: Owns the reference taken above.
        Self(self.0)
    }
}

impl<T> Deref for SlabArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: Live by the type's invariant; shared access only.
        unsafe { &(*self.0.as_ptr()).data }
    }
}

impl<T> Drop for SlabArc<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Live by the type's invariant.
        if unsafe { (*self.0.as_ptr()).refs.dec_and_test() } {
            // SAFETY: That was the last reference, so nobody else can reach the object.
            unsafe { free(self.0) };
        }
    }
}

/// The only reference to an object from a [`KmemCache`]; pinned, as with [`SlabArc`].
///
/// # Invariants
///
/// There is no other reference to the object.
pub(crate) struct UniqueSlabArc<T>(SlabArc<T>);

impl<T> UniqueSlabArc<T> {
    /// As [`SlabArc::pin_init`].
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn pin_init<E>(
        cache: &KmemCacheUser<T>,
        gfp: Gfp,
        init: impl PinInit<T, E>,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        // INVARIANT: The reference is new.
        Ok(Self(SlabArc::pin_init(cache, gfp, init)?))
    }

    /// The object, to be changed.
    #[inline]
    pub(crate) fn as_pin_mut(&mut self) -> Pin<&mut T> {
        // SAFETY: Live, as there is a reference; by the type's invariant that is the only one,
        // which is borrowed mutably here. The object is never moved.
        unsafe { Pin::new_unchecked(&mut (*self.0 .0.as_ptr()).data) }
    }

    /// Two counted references in place of this one. That is less than to count one more, as nobody
    /// else has any.
    #[inline]
    pub(crate) fn share(self) -> (SlabArc<T>, SlabArc<T>) {
        let Self(SlabArc(object)) = &self;
        let object = *object;
        core::mem::forget(self);
        // SAFETY: Live, as there was a reference, which is ours now.
        unsafe { (*object.as_ptr()).refs.set(2) };
        // INVARIANT: The two that are counted.
        (SlabArc(object), SlabArc(object))
    }
}

impl<T> From<UniqueSlabArc<T>> for SlabArc<T> {
    #[inline]
    fn from(unique: UniqueSlabArc<T>) -> Self {
        unique.0
    }
}

impl<T> Deref for UniqueSlabArc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Unpin> DerefMut for UniqueSlabArc<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.as_pin_mut().get_mut()
    }
}

/// Drops and frees an object. Apart, so that giving up a reference that is not the last costs
/// little.
///
/// # Safety
///
/// The object is live, and nobody else can reach it.
#[inline(never)]
unsafe fn free<T>(object: NonNull<SlabObject<T>>) {
    // SAFETY: By the contract. It came from a cache, for which `kfree()` is fine.
    unsafe {
        core::ptr::drop_in_place(&raw mut (*object.as_ptr()).data);
        bindings::kfree(object.as_ptr().cast());
    }
}
