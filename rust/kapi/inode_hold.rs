// SPDX-License-Identifier: GPL-2.0

//! References to inodes that may be dropped anywhere, by the daemon too.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`iput()`),
//! [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h).
//!
//! C rule encoded here: `iput()` of the last reference evicts the inode, which sleeps and takes
//! locks, so it has no place where a request ends. `iput_if_not_last()` is safe anywhere; the last
//! reference goes to a workqueue of the module, which must be empty before a superblock goes
//! ([`flush`]) and before the module does ([`InodeHoldQueue`]).

use super::{fs::Types, inode::Inode};
use crate::bindings;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::{ARef, AlwaysRefCounted},
        SetOnce,
    },
    types::Opaque,
};

struct Queue(NonNull<bindings::workqueue_struct>);

// SAFETY: Workqueues may be used from any thread.
unsafe impl Send for Queue {}
// SAFETY: As above.
unsafe impl Sync for Queue {}

static QUEUE: SetOnce<Queue> = SetOnce::new();

/// The workqueue, while this lives.
pub(crate) struct InodeHoldQueue(());

impl InodeHoldQueue {
    /// Makes the workqueue. To be called once, when the module is loaded.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: A valid name.
        let wq = unsafe { bindings::alloc_unbound_workqueue(c"fuse-iput".as_char_ptr()) };
        if !QUEUE.populate(Queue(NonNull::new(wq).ok_or(ENOMEM)?)) {
            // Not reached: the module is loaded once.
            // SAFETY: We have just made it.
            unsafe { bindings::destroy_workqueue(wq) };
            return Err(EEXIST);
        }
        Ok(Self(()))
    }
}

impl Drop for InodeHoldQueue {
    fn drop(&mut self) {
        if let Some(queue) = QUEUE.as_ref() {
            // SAFETY: The queue is valid, and at module exit there are no more holds, so nothing
            // is queued afterwards. This waits for what is queued.
            unsafe { bindings::destroy_workqueue(queue.0.as_ptr()) };
        }
    }
}

/// Waits until what has been dropped so far is gone. Sleeps.
pub(crate) fn flush() {
    if let Some(queue) = QUEUE.as_ref() {
        // SAFETY: The queue is valid until module exit.
        unsafe { bindings::flush_workqueue(queue.0.as_ptr()) };
    }
}

/// The memory of a hold, so that dropping it allocates nothing.
struct Object<T: Types> {
    work: Opaque<bindings::work_struct>,
    inode: SetOnce<ManuallyDrop<ARef<Inode<T>>>>,
}

/// A reference to an inode, or room for one, that may be dropped in any context.
///
/// # Invariants
///
/// The pointer is to memory from a `KBox`, which this owns.
pub(crate) struct InodeHold<T: Types>(NonNull<Object<T>>, PhantomData<T>);

// SAFETY: References to inodes may be passed between threads.
unsafe impl<T: Types> Send for InodeHold<T> {}
// SAFETY: `SetOnce` and `Inode` may be shared.
unsafe impl<T: Types> Sync for InodeHold<T> {}

impl<T: Types> InodeHold<T> {
    /// Room for a reference.
    pub(crate) fn new() -> Result<Self> {
        let object = KBox::new(
            Object {
                work: Opaque::uninit(),
                inode: SetOnce::new(),
            },
            GFP_KERNEL,
        )?;
        // INVARIANT: From a `KBox`.
        // SAFETY: A box is not null.
        let object = unsafe { NonNull::new_unchecked(KBox::into_raw(object)) };
        Ok(Self(object, PhantomData))
    }

    fn object(&self) -> &Object<T> {
        // SAFETY: By the type's invariant.
        unsafe { self.0.as_ref() }
    }

    /// Takes a reference; nothing if there is one already.
    pub(crate) fn set(&self, inode: &Inode<T>) {
        inode.inc_ref();
        // SAFETY: Derived from a reference, whose count was taken above.
        let held = unsafe { ARef::from_raw(NonNull::from(inode)) };
        if !self.object().inode.populate(ManuallyDrop::new(held)) {
            // SAFETY: Taken above and not kept. The caller's reference is left.
            unsafe { Inode::dec_ref(NonNull::from(inode)) };
        }
    }

    /// The inode.
    pub(crate) fn get(&self) -> Option<&Inode<T>> {
        self.object().inode.as_ref().map(|inode| &***inode)
    }
}

impl<T: Types> Drop for InodeHold<T> {
    fn drop(&mut self) {
        let put_here = match self.get() {
            None => true,
            // SAFETY: The reference is ours, and given up if the function says so.
            Some(inode) => unsafe { bindings::iput_if_not_last(inode.as_ptr()) },
        };
        if put_here {
            // SAFETY: By the type's invariant. `ManuallyDrop` leaves the reference alone.
            drop(unsafe { KBox::from_raw(self.0.as_ptr()) });
            return;
        }
        let work = self.object().work.get();
        if let Some(queue) = QUEUE.as_ref() {
            // SAFETY: The memory passes to the work item, which is queued this once.
            unsafe {
                bindings::init_work(work, Some(put::<T>));
                bindings::queue_work(queue.0.as_ptr(), work);
            }
        }
    }
}

/// # Safety
///
/// `work` is that of an [`Object<T>`] with the last reference to an inode, from a `KBox`, and
/// nobody else uses it.
unsafe extern "C" fn put<T: Types>(work: *mut bindings::work_struct) {
    // SAFETY: By the contract above.
    let object = unsafe { kernel::container_of!(Opaque::cast_from(work), Object<T>, work) };
    // SAFETY: As above.
    let object = unsafe { KBox::from_raw(object.cast_mut()) };
    if let Some(inode) = object.inode.as_ref() {
        // SAFETY: The reference is the object's. Task context, no locks held.
        unsafe { bindings::iput(inode.as_ptr()) };
    }
}
