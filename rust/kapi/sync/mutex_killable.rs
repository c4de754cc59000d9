// SPDX-License-Identifier: GPL-2.0

//! Mutexes whose waiters may be killed.
//!
//! C header: [`include/linux/mutex.h`](srctree/include/linux/mutex.h). `kernel::sync::Mutex` has no
//! `mutex_lock_killable()`.

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*,
    sync::LockClassKey,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// A `struct mutex` that stands for itself. Make it with [`new_mutex!`].
#[pin_data]
pub(crate) struct Mutex {
    #[pin]
    mutex: Opaque<bindings::mutex>,
}

// SAFETY: A lock is made for this.
unsafe impl Send for Mutex {}
// SAFETY: As above.
unsafe impl Sync for Mutex {}

/// An initialiser for a [`Mutex`], with a lock class of its own named `$name`.
macro_rules! new_mutex {
    ($name:literal) => {
        $crate::kapi::sync::mutex_killable::Mutex::new(
            kernel::c_str!($name),
            kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_mutex;

impl Mutex {
    /// See [`new_mutex!`].
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is the mutex's final place; name and key are static.
            mutex <- Opaque::ffi_init(|slot| unsafe {
                bindings::__mutex_init(slot, name.as_char_ptr(), key.as_ptr())
            }),
        })
    }

    /// Takes it for as long as the guard lives. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINTR` if killed, unless [`killable`](crate::kapi::fuse::moduleparam::killable) is off.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_>> {
        // SAFETY: Initialised, and not held by this task, which has no other way to it.
        to_result(unsafe { bindings::mutex_lock_unless_killed(self.mutex.get()) })?;
        Ok(MutexGuard(self, NotThreadSafe))
    }
}

/// A mutex that is held.
pub(crate) struct MutexGuard<'a>(&'a Mutex, NotThreadSafe);

impl Drop for MutexGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: Taken by this task.
        unsafe { bindings::mutex_unlock(self.0.mutex.get()) };
    }
}
