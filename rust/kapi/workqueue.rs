// SPDX-License-Identifier: GPL-2.0

//! What `kernel::workqueue` lacks: the queue for work of no special kind, queues of one's own, and cancelling.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h).
//!
//! C rule encoded here: a work item that is pending owns what it works on. `cancel_delayed_work_sync()`
//! returns true if it took the item off before it ran, and then that reference is the canceller's; it
//! returns when the item neither is pending nor runs, also if it queues itself again.

use super::task::sleep_a_moment;
use crate::bindings;
use kernel::{
    container_of,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full, //
        },
        Arc, //
    },
    workqueue::{
        self,
        HasDelayedWork,
        HasWork,
        Queue,
        Work,
        WorkItem, //
    },
};

/// C: `system_percpu_wq`, which is what `schedule_delayed_work()` uses.
pub(crate) fn system_percpu() -> &'static Queue {
    // SAFETY: A queue that exists from early boot on and for ever; the pointer is never written
    // again.
    unsafe { Queue::from_raw(bindings::system_percpu_wq) }
}

/// Takes the delayed work of `this` off its queue, or waits until it has run. Sleeps; must not be
/// called by the work itself.
pub(crate) fn cancel_delayed_work_sync<T, const ID: u64>(this: &Arc<T>)
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    let object = Arc::as_ptr(this);
    // SAFETY: `object` is valid, and by the contract of `HasDelayedWork` its work lies in a
    // `delayed_work`, which was initialised with the object.
    let pending = unsafe {
        let work = Work::raw_get(T::raw_get_work(object.cast_mut()));
        bindings::cancel_delayed_work_sync(container_of!(work, bindings::delayed_work, work))
    };
    if pending {
        // SAFETY: Pending work owns a reference, from `Arc::into_raw()` in `enqueue_delayed()`. It
        // will not run, so the reference is ours.
        drop(unsafe { Arc::from_raw(object) });
    }
}

/// A workqueue that is made when it is first needed, for work items that may sleep for long and wait for each other:
/// 2048 (`WQ_MAX_ACTIVE`) run at once. It has workers for each processor, since one without shares that number between the nodes
/// of a machine.
///
/// # Invariants
///
/// The pointer is null or that of a queue that [`make`](Self::make) has allocated.
pub(crate) struct LazyQueue(Atomic<*mut bindings::workqueue_struct>);

/// How often making a queue is tried again, after a moment each: memory of each processor is not given to a killed
/// task, as those are that need a queue, while somebody else is being given some (`pcpu_alloc_mutex`).
const TRIES: usize = 20;

impl LazyQueue {
    /// Without a queue.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(core::ptr::null_mut()))
    }

    /// Makes the queue if there is none. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn make(&self) -> Result {
        for attempt in 0..=TRIES {
            if attempt != 0 {
                sleep_a_moment();
            }
            if !self.0.load(Acquire).is_null() {
                return Ok(());
            }
            // SAFETY: A valid name.
            let queue = unsafe { bindings::alloc_idle_workqueue(c"fuse-left".as_char_ptr()) };
            if queue.is_null() {
                continue;
            }
            if self.0.cmpxchg(core::ptr::null_mut(), queue, Full).is_err() {
                // SAFETY: We have just made it, and it is empty.
                unsafe { bindings::destroy_workqueue(queue) };
            }
            return Ok(());
        }
        Err(ENOMEM)
    }

    /// Queues a work item. Between [`make`](Self::make) and [`destroy`](Self::destroy); else it goes to a queue that
    /// all share.
    pub(crate) fn enqueue<T>(&self, work: Pin<KBox<T>>)
    where
        T: HasWork<T> + WorkItem<Pointer = Pin<KBox<T>>> + Send + 'static,
    {
        let queue = self.0.load(Acquire);
        if queue.is_null() {
            workqueue::system_unbound().enqueue(work);
        } else {
            // SAFETY: By the type's invariant, and who queues work keeps others from destroying the queue.
            unsafe { Queue::from_raw(queue) }.enqueue(work);
        }
    }

    /// Waits until all work is done, and frees the queue. Nobody queues any more, or makes it again. Sleeps.
    pub(crate) fn destroy(&self) {
        let queue = self.0.xchg(core::ptr::null_mut(), Full);
        if !queue.is_null() {
            // SAFETY: By the type's invariant, and nobody else has the pointer now.
            unsafe { bindings::destroy_workqueue(queue) };
        }
    }
}
