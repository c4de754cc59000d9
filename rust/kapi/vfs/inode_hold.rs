// SPDX-License-Identifier: GPL-2.0

//! References to inodes that may be dropped anywhere, by the daemon too.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`iput()`),
//! [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h).
//!
//! C rule encoded here: `iput()` of the last reference evicts the inode, which sleeps and takes
//! locks, so it has no place where a request ends. `iput_if_not_last()` is safe anywhere; the last
//! reference goes to a workqueue of the module. A superblock waits for the inode
//! ([`SuperObjects`](super::super_objects::SuperObjects)), and so for the work; the module waits
//! for what then is left of that ([`super::unload`]). The work item lies beside the inode: there is
//! one last reference, so one is enough, and nothing has to be allocated.

use super::{
    inode::{
        Inode,
        InodeHead, //
    },
    types::Types, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::AlwaysRefCounted,
        SetOnce, //
    },
    types::Opaque, //
};

struct Queue(NonNull<bindings::workqueue_struct>);

// SAFETY: Workqueues may be used from any thread.
unsafe impl Send for Queue {}
// SAFETY: As above.
unsafe impl Sync for Queue {}

static QUEUE: SetOnce<Queue> = SetOnce::new();

/// Makes the workqueue.
///
/// # Errors
///
/// ENOMEM; EEXIST if there is one.
pub(super) fn create_queue(name: &'static CStr) -> Result {
    // SAFETY: A valid name.
    let wq = unsafe { bindings::alloc_unbound_workqueue(name.as_char_ptr()) };
    if !QUEUE.populate(Queue(NonNull::new(wq).ok_or(ENOMEM)?)) {
        // SAFETY: We have just made it.
        unsafe { bindings::destroy_workqueue(wq) };
        return Err(EEXIST);
    }
    Ok(())
}

/// Waits for what is queued, and destroys the workqueue, if there is one. Sleeps.
///
/// # Safety
///
/// Nobody queues anything any more. Called once, at unload.
pub(super) unsafe fn destroy_queue() {
    if let Some(queue) = QUEUE.as_ref() {
        // SAFETY: The queue is valid, and by the contract not used any more.
        unsafe { bindings::destroy_workqueue(queue.0.as_ptr()) };
    }
}

/// A reference to an inode, of whatever type, that may be dropped in any context.
///
/// # Invariants
///
/// The inode lies in an [`InodeHead`], and the reference is ours.
struct HeldInode(NonNull<bindings::inode>);

// SAFETY: References to inodes may be passed between threads.
unsafe impl Send for HeldInode {}
// SAFETY: Offers nothing but to be dropped.
unsafe impl Sync for HeldInode {}

impl HeldInode {
    /// Takes a reference.
    fn new<T: Types>(inode: &Inode<T>) -> Self {
        inode.inc_ref();
        // INVARIANT: By that of `Inode`; the reference was taken above.
        Self(NonNull::from(inode).cast())
    }
}

impl Drop for HeldInode {
    fn drop(&mut self) {
        let inode = self.0.as_ptr();
        // SAFETY: The reference is ours, and given up if the function says so.
        if unsafe { bindings::iput_if_not_last(inode) } {
            return;
        }
        // Ours is the only reference, so nobody else can be here with the same inode, and the work
        // item is not queued: if it were, a second reference would be with it.
        // SAFETY: By the type's invariant.
        let work = unsafe { Opaque::cast_into(&raw const (*inode.cast::<InodeHead>()).put) };
        if let Some(queue) = QUEUE.as_ref() {
            // SAFETY: The work item is not queued, see above. The reference passes to it, which
            // keeps its memory. That its function may still be returning from an earlier time does
            // no harm: it does not touch the work item any more.
            unsafe {
                bindings::init_work(work, Some(put));
                bindings::queue_work(queue.0.as_ptr(), work);
            }
        }
    }
}

/// A [`HeldInode`] of a known type, or none yet.
pub(crate) struct InodeHold<T: Types>(SetOnce<HeldInode>, PhantomData<fn(T)>);

impl<T: Types> InodeHold<T> {
    /// Without an inode.
    pub(crate) fn new() -> Self {
        Self(SetOnce::new(), PhantomData)
    }

    /// Takes a reference; nothing if there is one already.
    pub(crate) fn set(&self, inode: &Inode<T>) {
        if self.0.as_ref().is_none() {
            // If another was quicker, this reference is dropped.
            self.0.populate(HeldInode::new(inode));
        }
    }

    /// The inode.
    pub(crate) fn get(&self) -> Option<&Inode<T>> {
        let held = self.0.as_ref()?;
        // SAFETY: `set()` has made it of an inode of this type, and holds it.
        Some(unsafe { Inode::from_raw(held.0.as_ptr()) })
    }
}

/// # Safety
///
/// `work` is that of an [`InodeHead`], and brings a reference to the inode with it.
unsafe extern "C" fn put(work: *mut bindings::work_struct) {
    // SAFETY: By the contract above.
    let head = unsafe { kernel::container_of!(Opaque::cast_from(work), InodeHead, put) };
    // SAFETY: The reference is the work item's. Task context, no locks held.
    unsafe { bindings::iput(Opaque::cast_into(&raw const (*head).inode)) };
}
