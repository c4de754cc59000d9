// SPDX-License-Identifier: GPL-2.0

//! A wait queue that is woken up whenever another one is, which need not be there from the start.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h).
//!
//! Whoever waits in poll(2) or epoll is on the queues that `poll_wait()` was called with the first
//! time, and on no others later. So what comes to be polled only later must wake up the queue that
//! was there before. That costs those who wake up nothing as long as there is no such queue.
//!
//! C rules encoded here: an entry's function is called with its queue's lock held, which is
//! released only after `remove_wait_queue()` has taken the entry off or before it was put on.

use super::wait::WaitQueue;
use crate::bindings;
use core::{
    ffi::{
        c_int,
        c_uint,
        c_void, //
    },
    ptr::null_mut,
};
use kernel::{
    container_of,
    prelude::*,
    sync::{
        Arc,
        LockClassKey,
        SetOnce, //
    },
    types::Opaque, //
};

/// What has a wait queue that others may follow.
pub(crate) trait HasWaitQueue: Send + Sync + 'static {
    /// The queue.
    fn wait_queue(&self) -> &WaitQueue;
}

/// A wait queue that can be made to follow another one.
///
/// # Invariants
///
/// If `followed` is set then `entry` is, or will be before the call that set it returns, on the
/// queue that it names, which is borrowed from the object beside it. Otherwise it is on none.
#[pin_data(PinnedDrop)]
pub(crate) struct FollowingQueue<S: HasWaitQueue> {
    #[pin]
    queue: WaitQueue,
    #[pin]
    entry: Opaque<bindings::wait_queue_entry>,
    followed: SetOnce<Followed<S>>,
}

/// The queue that is followed, and what keeps it.
struct Followed<S> {
    head: *mut bindings::wait_queue_head,
    _owner: Arc<S>,
}

// SAFETY: The queue has its own lock, and its owner may be used by any thread.
unsafe impl<S: HasWaitQueue> Send for Followed<S> {}
// SAFETY: As above.
unsafe impl<S: HasWaitQueue> Sync for Followed<S> {}

// SAFETY: The entry is used under the lock of the queue that it is on.
unsafe impl<S: HasWaitQueue> Send for FollowingQueue<S> {}
// SAFETY: As above.
unsafe impl<S: HasWaitQueue> Sync for FollowingQueue<S> {}

impl<S: HasWaitQueue> FollowingQueue<S> {
    /// One that follows none, with a lock class of its own of that name.
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- WaitQueue::new(name, key),
            entry: Opaque::new(bindings::wait_queue_entry {
                flags: 0,
                private: null_mut(),
                func: Some(forward::<S>),
                entry: bindings::list_head {
                    next: null_mut(),
                    prev: null_mut(),
                },
            }),
            followed: SetOnce::new(),
        })
    }

    /// The queue itself.
    pub(crate) fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    /// Wakes up this queue, too, whenever that of `owner` is woken up, from now until the drop.
    /// The first one counts. Must be called by one who owns neither queue's lock; does not sleep.
    pub(crate) fn follow(&self, owner: Arc<S>) {
        // The reference to the owner is kept until after the entry is taken off: so is the queue,
        // which is borrowed from it.
        let head = owner.wait_queue().as_ptr();
        let followed = Followed {
            head,
            _owner: owner,
        };
        if self.followed.populate(followed) {
            // SAFETY: The entry is on no queue, by the type's invariant. It is pinned, as `new()`
            // is the only way to make one, and taken off before it goes.
            unsafe { bindings::add_wait_queue(head, self.entry.get()) };
        }
    }
}

#[pinned_drop]
impl<S: HasWaitQueue> PinnedDrop for FollowingQueue<S> {
    fn drop(self: Pin<&mut Self>) {
        if let Some(followed) = self.followed.as_ref() {
            // SAFETY: By the type's invariant it is on that queue.
            unsafe { bindings::remove_wait_queue(followed.head, self.entry.get()) };
        }
    }
}

/// # Safety
///
/// Called by a wake-up of the queue that the entry of a [`FollowingQueue<S>`] is on, with that
/// queue's lock held.
unsafe extern "C" fn forward<S: HasWaitQueue>(
    entry: *mut bindings::wait_queue_entry,
    _mode: c_uint,
    _flags: c_int,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By the contract: it is dropped only after it was taken off the queue, which takes the
    // lock.
    let this = unsafe { &*container_of!(Opaque::cast_from(entry), FollowingQueue<S>, entry) };
    // All of them: how many were to be woken up is not told here, and of those who wait exclusively
    // none may be forgotten when the connection ends.
    // SAFETY: The queue is valid.
    unsafe { bindings::__wake_up(this.queue.as_ptr(), bindings::TASK_NORMAL, 0, key) };
    // Whoever was woken up here does not count as one of those who were to be.
    0
}
