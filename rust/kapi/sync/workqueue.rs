// SPDX-License-Identifier: GPL-2.0

//! What `kernel::workqueue` lacks: the queues for work of no special kind, cancelling, and waiting
//! for work.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h).
//!
//! C rule encoded here: a work item that is pending owns what it works on.
//! `cancel_delayed_work_sync()` returns true if it took the item off before it ran, and then that
//! reference is the canceller's; it returns when the item neither is pending nor runs, also if it
//! queues itself again.

use crate::bindings;
use kernel::{
    container_of,
    sync::Arc,
    workqueue::{
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

/// C: `system_dfl_wq`, for work that no processor has to do, and that may take time.
pub(crate) fn system_dfl() -> &'static Queue {
    // SAFETY: As above.
    unsafe { Queue::from_raw(bindings::system_dfl_wq) }
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

/// Waits until the work of `this` has run if it is queued, or runs. Sleeps; must not be called by
/// the work itself.
pub(crate) fn flush_work<T, const ID: u64>(this: &Arc<T>)
where
    T: HasWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    let object = Arc::as_ptr(this);
    // SAFETY: `object` is valid, and so is its work, which was initialised with the object.
    unsafe { bindings::flush_work(Work::raw_get(T::raw_get_work(object.cast_mut()))) };
}
