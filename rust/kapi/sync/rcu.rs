// SPDX-License-Identifier: GPL-2.0

//! Objects that are freed a grace period after their last use.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h).
//!
//! For what RCU walk reads through a pointer that it does not count. C rules encoded here: memory
//! handed to `call_rcu()` is touched by nobody but RCU readers until the callback; the callback
//! runs in softirq context, so **the payload's `drop` must not sleep**; `rcu_barrier()` before
//! code of callbacks may go (module exit, [`RcuBarrier`]).

use crate::bindings;
use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    alloc::Flags,
    prelude::*,
    sync::{
        rcu::rcu_barrier,
        Refcount, //
    },
    types::Opaque, //
};

/// When dropped, waits until all callbacks queued so far have run; sleeps. For module exit and the
/// error paths of module init: stands after what makes such callbacks, before what they need.
pub(crate) struct RcuBarrier;

impl Drop for RcuBarrier {
    fn drop(&mut self) {
        rcu_barrier();
    }
}

/// The memory around the payload.
struct RcuObject<T> {
    refs: Refcount,
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

/// Queues an object for dropping and freeing.
///
/// # Safety
///
/// `object` is from `KBox::into_raw()`, only RCU readers can still reach it, and this is called
/// once.
unsafe fn free_after_grace_period<T>(object: *mut RcuObject<T>) {
    // SAFETY: The head is valid and used for this alone, by the contract above.
    unsafe {
        bindings::call_rcu(
            Opaque::cast_into(&raw const (*object).head),
            Some(free::<T>),
        )
    };
}

/// A counted reference, like `Arc`, to an object that is dropped and freed a grace period after the
/// last reference has gone.
///
/// # Invariants
///
/// The pointer is to a live object, of which this owns one reference.
pub(crate) struct RcuArc<T: Send + Sync + 'static>(NonNull<RcuObject<T>>);

// SAFETY: As for `Arc`.
unsafe impl<T: Send + Sync> Send for RcuArc<T> {}
// SAFETY: As for `Arc`.
unsafe impl<T: Send + Sync> Sync for RcuArc<T> {}

impl<T: Send + Sync> RcuArc<T> {
    /// Allocates an object. The payload's `drop` must not sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(data: T) -> Result<Self> {
        Self::pin_init(data)
    }

    /// Allocates an object and initialises it in place. The payload's `drop` must not sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what `init` returns.
    fn pin_init<E>(init: impl PinInit<T, E>) -> Result<Self>
    where
        Error: From<E>,
    {
        let object = alloc(init, GFP_KERNEL)?;
        // INVARIANT: `refs` starts with the reference that this owns.
        Ok(Self(object))
    }
}

/// Memory for an object, its payload initialised in place.
fn alloc<T, E>(init: impl PinInit<T, E>, flags: Flags) -> Result<NonNull<RcuObject<T>>>
where
    Error: From<E>,
{
    let memory = KBox::<RcuObject<T>>::new_uninit(flags)?;
    let object: *mut RcuObject<T> = KBox::into_raw(memory).cast();
    // SAFETY: Fresh memory of the right layout; every field is written, and it is never moved.
    unsafe {
        (&raw mut (*object).refs).write(Refcount::new(1));
        (&raw mut (*object).head).write(Opaque::uninit());
        if let Err(e) = pin_init::raw_try_init(&raw mut (*object).data, init) {
            drop(KBox::<core::mem::MaybeUninit<RcuObject<T>>>::from_raw(
                object.cast(),
            ));
            return Err(e.into());
        }
        Ok(NonNull::new_unchecked(object))
    }
}

impl<T: Send + Sync> Clone for RcuArc<T> {
    fn clone(&self) -> Self {
        // SAFETY: Live by the type's invariant.
        unsafe { (*self.0.as_ptr()).refs.inc() };
        // INVARIANT: Owns the reference taken above.
        Self(self.0)
    }
}

impl<T: Send + Sync> Deref for RcuArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: Live by the type's invariant; shared access only.
        unsafe { &(*self.0.as_ptr()).data }
    }
}

impl<T: Send + Sync> Drop for RcuArc<T> {
    fn drop(&mut self) {
        // SAFETY: Live by the type's invariant.
        if unsafe { (*self.0.as_ptr()).refs.dec_and_test() } {
            // SAFETY: That was the last reference: only RCU readers may still look.
            unsafe { free_after_grace_period(self.0.as_ptr()) };
        }
    }
}

/// An owned object that is dropped and freed a grace period after its owner let go of it.
///
/// # Invariants
///
/// The pointer is to a live object that this owns.
pub(in crate::kapi) struct RcuBox<T: Send + Sync + 'static>(NonNull<RcuObject<T>>);

// SAFETY: As for `KBox`, RCU readers have shared access.
unsafe impl<T: Send + Sync> Send for RcuBox<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for RcuBox<T> {}

impl<T: Send + Sync> RcuBox<T> {
    /// Allocates an object. The payload's `drop` must not sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(in crate::kapi) fn new(data: T, flags: Flags) -> Result<Self> {
        // INVARIANT: Nobody else knows the object.
        Ok(Self(alloc(data, flags)?))
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
        // SAFETY: The owner lets go: only RCU readers may still look.
        unsafe { free_after_grace_period(self.0.as_ptr()) };
    }
}
