// SPDX-License-Identifier: GPL-2.0

//! Reader-writer semaphores: sleeping locks with many readers or one writer.
//!
//! C header: [`include/linux/rwsem.h`](srctree/include/linux/rwsem.h).

use crate::bindings;
use core::{
    cell::UnsafeCell,
    marker::PhantomPinned,
    ops::{
        Deref,
        DerefMut, //
    },
    pin::Pin, //
};
use kernel::{
    prelude::*,
    sync::LockClassKey,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// A value behind a `struct rw_semaphore`.
///
/// # Invariants
///
/// `sem` is initialised and does not move. `data` is read with it held for reading or writing, and
/// written with it held for writing.
#[pin_data]
pub(in crate::kapi) struct RwSem<T> {
    #[pin]
    sem: Opaque<bindings::rw_semaphore>,
    #[pin]
    _pin: PhantomPinned,
    data: UnsafeCell<T>,
}

// SAFETY: Ownership of the semaphore is ownership of the data.
unsafe impl<T: Send> Send for RwSem<T> {}
// SAFETY: Readers share the data (`Sync`), a writer has it alone and may replace it (`Send`).
unsafe impl<T: Send + Sync> Sync for RwSem<T> {}

impl<T> RwSem<T> {
    /// Makes a semaphore; lockdep knows it by `name` and tells it apart by `key`.
    pub(in crate::kapi) fn new(
        data: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            data: UnsafeCell::new(data),
            _pin: PhantomPinned,
            // SAFETY: `slot` is pinned memory for a semaphore; name and key are static.
            sem <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_rwsem(slot, name.as_char_ptr(), key.as_ptr())
            }),
        })
    }

    /// Takes it for reading; sleeps, not interruptibly (`down_read()`).
    pub(in crate::kapi) fn read(&self) -> ReadGuard<'_, T> {
        // SAFETY: Initialised, by the type's invariant.
        unsafe { bindings::down_read(self.sem.get()) };
        ReadGuard(self, NotThreadSafe)
    }

    /// Takes it for writing; sleeps, not interruptibly (`down_write()`).
    pub(in crate::kapi) fn write(&self) -> WriteGuard<'_, T> {
        // SAFETY: Initialised, by the type's invariant.
        unsafe { bindings::down_write(self.sem.get()) };
        WriteGuard(self, NotThreadSafe)
    }
}

/// Held for reading; dropping it is `up_read()`.
pub(in crate::kapi) struct ReadGuard<'a, T>(&'a RwSem<T>, NotThreadSafe);

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: Held for reading: nobody writes.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The guard's existence means that this task holds it for reading.
        unsafe { bindings::up_read(self.0.sem.get()) };
    }
}

/// Held for writing; dropping it is `up_write()`.
pub(in crate::kapi) struct WriteGuard<'a, T>(&'a RwSem<T>, NotThreadSafe);

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: Held for writing: nobody else reads or writes.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As in `deref()`, and `self` is borrowed alone.
        unsafe { &mut *self.0.data.get() }
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The guard's existence means that this task holds it for writing.
        unsafe { bindings::up_write(self.0.sem.get()) };
    }
}
