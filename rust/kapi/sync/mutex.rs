// SPDX-License-Identifier: GPL-2.0

//! Mutexes in statics (`DEFINE_MUTEX()`), and mutexes whose waiters may be killed.
//!
//! C header: [`include/linux/mutex.h`](srctree/include/linux/mutex.h).
//!
//! The kernel crate's global locks must be initialised by an unsafe call before their first use;
//! [`StaticMutex`] does it at that use. A mutex that was initialised must not move: it is a
//! static, or pinned.
//! `kernel::sync::Mutex` has no `mutex_lock_killable()`: [`KillableMutex`].

use crate::bindings;
use core::{
    cell::UnsafeCell,
    ops::{
        Deref,
        DerefMut, //
    },
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic, //
        },
        LockClassKey, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// A value behind a `struct mutex`, both in a static.
///
/// # Invariants
///
/// `mutex` is initialised if `ready`, and not written by us any more. `data` is accessed with the
/// mutex held.
pub(crate) struct StaticMutex<T: 'static> {
    ready: Atomic<bool>,
    mutex: Opaque<bindings::mutex>,
    key: Opaque<bindings::lock_class_key>,
    name: &'static CStr,
    data: UnsafeCell<T>,
}

// SAFETY: The mutex lets one thread at a time access the data, and that may move out of it.
unsafe impl<T: Send> Sync for StaticMutex<T> {}

impl<T: Send> StaticMutex<T> {
    /// A mutex that lockdep knows by `name`.
    pub(crate) const fn new(name: &'static CStr, data: T) -> Self {
        Self {
            ready: Atomic::new(false),
            mutex: Opaque::uninit(),
            key: Opaque::zeroed(),
            name,
            data: UnsafeCell::new(data),
        }
    }

    /// Takes it; sleeps, not interruptibly (`mutex_lock()`).
    pub(crate) fn lock(&'static self) -> StaticMutexGuard<T> {
        if !self.ready.load(Acquire) {
            self.make();
        }
        // SAFETY: Initialised, by the type's invariant.
        unsafe { bindings::mutex_lock(self.mutex.get()) };
        StaticMutexGuard(self, NotThreadSafe)
    }

    /// Initialises it, unless another task has just done so.
    #[cold]
    fn make(&'static self) {
        // SAFETY: Nobody takes it before it is ready, which C sets afterwards, and initialises it
        // but here, where a mutex of C's lets one task at a time see to it. The memory does not
        // move, as it is a static's, and that is also what lockdep wants of a key.
        unsafe {
            bindings::mutex_init_once(
                self.mutex.get(),
                self.name.as_char_ptr(),
                self.key.get(),
                self.ready.as_ptr(),
            )
        };
    }
}

/// Held; dropping it is `mutex_unlock()`.
pub(crate) struct StaticMutexGuard<T: 'static>(&'static StaticMutex<T>, NotThreadSafe);

impl<T> Deref for StaticMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: The mutex is held: nobody else accesses the data.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> DerefMut for StaticMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As in `deref()`, and `self` is borrowed alone.
        unsafe { &mut *self.0.data.get() }
    }
}

impl<T> Drop for StaticMutexGuard<T> {
    fn drop(&mut self) {
        // SAFETY: The guard's existence means that this task holds it.
        unsafe { bindings::mutex_unlock(self.0.mutex.get()) };
    }
}

/// A `struct mutex` that stands for itself. Make it with [`new_killable_mutex!`].
#[pin_data]
pub(crate) struct KillableMutex {
    #[pin]
    mutex: Opaque<bindings::mutex>,
}

// SAFETY: A lock is made for this.
unsafe impl Send for KillableMutex {}
// SAFETY: As above.
unsafe impl Sync for KillableMutex {}

/// An initialiser for a [`KillableMutex`], with a lock class of its own named `$name`.
macro_rules! new_killable_mutex {
    ($name:literal) => {
        $crate::kapi::sync::mutex::KillableMutex::new(
            kernel::c_str!($name),
            kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_killable_mutex;

impl KillableMutex {
    /// See [`new_killable_mutex!`].
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is the mutex's final place; name and key are static.
            mutex <- Opaque::ffi_init(|slot| unsafe {
                bindings::__mutex_init(slot, name.as_char_ptr(), key.as_ptr())
            }),
        })
    }

    /// Takes it for as long as the guard lives (`mutex_lock()`). Sleeps.
    pub(crate) fn lock(&self) -> KillableMutexGuard<'_> {
        // SAFETY: Initialised, and pinned. A task that takes it twice waits for itself, which is
        // memory-safe.
        unsafe { bindings::mutex_lock(self.mutex.get()) };
        KillableMutexGuard(self, NotThreadSafe)
    }

    /// As [`lock`](Self::lock), unless killed (`mutex_lock_killable()`).
    ///
    /// # Errors
    ///
    /// `EINTR` if killed.
    pub(crate) fn lock_killable(&self) -> Result<KillableMutexGuard<'_>> {
        // SAFETY: As in `lock()`.
        to_result(unsafe { bindings::mutex_lock_unless_killed(self.mutex.get()) })?;
        Ok(KillableMutexGuard(self, NotThreadSafe))
    }
}

/// A [`KillableMutex`] that is held; dropping it is `mutex_unlock()`.
pub(crate) struct KillableMutexGuard<'a>(&'a KillableMutex, NotThreadSafe);

impl Drop for KillableMutexGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: Taken by this task.
        unsafe { bindings::mutex_unlock(self.0.mutex.get()) };
    }
}
