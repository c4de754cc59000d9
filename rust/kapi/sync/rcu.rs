// SPDX-License-Identifier: GPL-2.0

//! Objects that are freed a grace period after their last use.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h).
//!
//! For what RCU walk reads through a pointer that it does not count. C rules encoded here: memory
//! handed to `call_rcu()` is touched by nobody but RCU readers until the callback; the callback
//! runs in softirq context, so **the payload's `drop` must not sleep**; `rcu_barrier()` before
//! code of callbacks may go, which does not wait for what a callback queues
//! ([`unload`](crate::kapi::vfs::unload)).
//!
//! What is reached through such an object need not be one itself: it is kept by an ordinary
//! reference in that, which goes when no reader is left.

use crate::bindings;
use core::{
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    alloc::Flags,
    prelude::*,
    types::Opaque, //
};

/// The memory around the payload.
struct RcuObject<T> {
    head: Opaque<bindings::callback_head>,
    data: T,
}

/// Drops and frees an object after its grace period.
///
/// # Safety
///
/// `head` lies in an `RcuObject<T>` made from a `KBox`, which nobody can reach any more.
unsafe extern "C" fn free<T>(head: *mut bindings::callback_head) {
    // SAFETY: By the contract above; `head` is that field.
    let object = unsafe { kernel::container_of!(Opaque::cast_from(head), RcuObject<T>, head) };
    // SAFETY: As above, the memory comes from `KBox::into_raw()`.
    drop(unsafe { KBox::from_raw(object.cast_mut()) });
}

/// An owned object that is dropped and freed a grace period after its owner let go of it.
///
/// For `kapi` alone, so that none is inside another: what owns one in its payload would queue a
/// callback from a callback.
///
/// # Invariants
///
/// The pointer is to a live object that this owns, and that does not move.
pub(in crate::kapi) struct RcuBox<T: Send + Sync + 'static>(NonNull<RcuObject<T>>);

// SAFETY: As for `KBox`, RCU readers have shared access.
unsafe impl<T: Send + Sync> Send for RcuBox<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for RcuBox<T> {}

impl<T: Send + Sync> RcuBox<T> {
    /// Allocates an object and initialises it in place. The payload's `drop` must not sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what `init` returns.
    pub(in crate::kapi) fn pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Self>
    where
        Error: From<E>,
    {
        let memory = KBox::<RcuObject<T>>::new_uninit(flags)?;
        let object: *mut RcuObject<T> = KBox::into_raw(memory).cast();
        // SAFETY: Fresh memory of the right layout; every field is written, and it is never moved.
        unsafe {
            (&raw mut (*object).head).write(Opaque::uninit());
            if let Err(e) = pin_init::raw_try_init(&raw mut (*object).data, init) {
                drop(KBox::<MaybeUninit<RcuObject<T>>>::from_raw(object.cast()));
                return Err(e.into());
            }
            // INVARIANT: Nobody else knows the object.
            Ok(Self(NonNull::new_unchecked(object)))
        }
    }

    /// Gives the object to C (`d_fsdata` and the like), which reads the payload there.
    pub(in crate::kapi) fn into_raw(self) -> *mut T {
        let this = ManuallyDrop::new(self);
        // SAFETY: Live by the type's invariant.
        unsafe { &raw mut (*this.0.as_ptr()).data }
    }

    /// Takes the object back, for instance to drop it.
    ///
    /// # Safety
    ///
    /// `ptr` comes from [`into_raw`](Self::into_raw), is taken back once, and from now on only RCU
    /// readers look at it through other pointers.
    pub(in crate::kapi) unsafe fn from_raw(ptr: *mut T) -> Self {
        // SAFETY: By the contract `ptr` is that field of a live object.
        let object = unsafe { kernel::container_of!(ptr, RcuObject<T>, data) };
        // SAFETY: Derived from a pointer to a live object.
        // INVARIANT: The contract hands over the object.
        Self(unsafe { NonNull::new_unchecked(object) })
    }
}

impl<T: Send + Sync> Deref for RcuBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: Live by the type's invariant; shared access only.
        unsafe { &(*self.0.as_ptr()).data }
    }
}

impl<T: Send + Sync> Drop for RcuBox<T> {
    fn drop(&mut self) {
        // SAFETY: The owner lets go: only RCU readers may still look. The head is used for this
        // alone, once.
        unsafe {
            bindings::call_rcu(
                Opaque::cast_into(&raw const (*self.0.as_ptr()).head),
                Some(free::<T>),
            )
        };
    }
}
