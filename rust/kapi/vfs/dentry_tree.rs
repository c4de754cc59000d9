// SPDX-License-Identifier: GPL-2.0

//! Dentries in the order in which their names expire, so that those that have can be dropped.
//!
//! C headers: [`include/linux/timerqueue.h`](srctree/include/linux/timerqueue.h),
//! [`include/linux/dcache.h`](srctree/include/linux/dcache.h).
//!
//! A superblock has one queue, a dentry a node for it, in the memory behind `d_fsdata`; a filesystem
//! that never queues any pays for the memory alone. C rules encoded here:
//!
//! - A node is on the queue while the dentry is alive: `d_release` takes it off, before
//!   `dentry_free()`. So who finds one under the queue's lock may use the dentry until the unlock.
//! - `__move_to_shrink_list()` wants `d_lock`, in a section of RCU that began before `dentry_free()`, as
//!   the lock makes one; it leaves dentries alone that are in use or dying.
//! - "LiveSuper::tree" is taken outside of `d_lock`.

use super::{
    dentry::Dentry,
    super_block::SuperBlock, //
};
use crate::{
    bindings,
    kapi::{
        task::sched,
        time::jiffies::Jiffies64,
        types::Types, //
    },
};
use core::ptr;
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        SpinLock, //
    },
    types::Opaque, //
};

/// Dentries handled in one go with the lock held.
const STEP: usize = 16;

/// What `d_fsdata` points to.
pub(in crate::kapi) struct DentryObject<T: Types> {
    pub(in crate::kapi) data: T::Dentry,
    node: DentryNode,
}

/// A dentry's place in the queue.
struct DentryNode {
    node: Opaque<bindings::timerqueue_node>,
    dentry: *mut bindings::dentry,
}

// SAFETY: Both are used with the queue's lock held.
unsafe impl Send for DentryNode {}
// SAFETY: As above.
unsafe impl Sync for DentryNode {}

impl<T: Types> DentryObject<T> {
    /// The memory of a new dentry, not queued. [`init`](Self::init) follows.
    pub(in crate::kapi) fn new(data: T::Dentry, dentry: *mut bindings::dentry) -> Self {
        Self {
            data,
            node: DentryNode {
                node: Opaque::zeroed(),
                dentry,
            },
        }
    }

    /// To be called when the object is where it stays, before it is used. C: `timerqueue_init()`.
    ///
    /// # Safety
    ///
    /// `this` is a new object, which nobody else knows.
    pub(in crate::kapi) unsafe fn init(this: *mut Self) {
        // SAFETY: By the contract.
        let node = unsafe { (*this).node.node.get() };
        // SAFETY: As above. A node whose parent is itself is not queued (`RB_CLEAR_NODE()`).
        unsafe { (*node).node.__rb_parent_color = node.addr() };
    }
}

/// A superblock's dentries by time.
///
/// # Invariants
///
/// On the queue are nodes of `DentryObject`s of live dentries; it is accessed with the lock held.
#[pin_data]
pub(in crate::kapi) struct DentryTree {
    #[pin]
    head: SpinLock<Head>,
    /// Something was queued, some time.
    used: Atomic<bool>,
}

struct Head(bindings::timerqueue_head);

// SAFETY: The nodes may be used by any thread, with the lock held.
unsafe impl Send for Head {}

impl DentryTree {
    /// An empty one.
    pub(in crate::kapi) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            head <- new_spinlock!(Head(pin_init::zeroed()), "LiveSuper::tree"),
            used: Atomic::new(false),
        })
    }

    /// Takes a dentry off.
    ///
    /// # Safety
    ///
    /// `object` is of a dentry of this superblock that nobody queues any more.
    pub(in crate::kapi) unsafe fn remove<T: Types>(&self, object: *const DentryObject<T>) {
        // Who has queued it has dropped its reference since, which orders the two.
        if self.used.load(Acquire) {
            // SAFETY: By the contract.
            unsafe { self.head.lock().remove((*object).node.node.get()) };
        }
    }
}

impl Head {
    /// Takes a node off, if it is on the queue.
    ///
    /// # Safety
    ///
    /// The node is of a dentry of this superblock.
    unsafe fn remove(&mut self, node: *mut bindings::timerqueue_node) {
        // SAFETY: By the contract, and the lock is held. See `DentryObject::init()`.
        let queued = unsafe { (*node).node.__rb_parent_color } != node.addr();
        if queued {
            // SAFETY: The node is on this queue. The function marks it as not queued.
            unsafe { bindings::timerqueue_del(&raw mut self.0, node) };
        }
    }

    /// Puts a node on.
    ///
    /// # Safety
    ///
    /// The node is of a live dentry of this superblock, and not on the queue.
    unsafe fn add(&mut self, node: *mut bindings::timerqueue_node, time: Jiffies64) {
        // SAFETY: By the contract, and the lock is held.
        unsafe { (*node).expires = time.to_u64() as i64 };
        // SAFETY: As above.
        unsafe { bindings::timerqueue_add(&raw mut self.0, node) };
    }

    /// The first one, if it has expired.
    fn expired(&self, now: Jiffies64) -> Option<*mut bindings::timerqueue_node> {
        // `rb_node` is the first field of a node.
        let first = self
            .0
            .rb_root
            .rb_leftmost
            .cast::<bindings::timerqueue_node>();
        if first.is_null() {
            return None;
        }
        // SAFETY: A node on the queue, whose lock is held.
        let time = Jiffies64::from_u64(unsafe { (*first).expires } as u64);
        time.before(now).then_some(first)
    }
}

impl<T: Types> Dentry<T> {
    /// What `d_fsdata` points to.
    fn object(&self) -> *mut DentryObject<T> {
        // SAFETY: The dentry is alive; the pointer does not change after `d_init`.
        unsafe { (*self.as_ptr()).d_fsdata.cast() }
    }

    /// Queues the dentry to be dropped some time after `time`, in place of any earlier time.
    pub(crate) fn drop_after(&self, time: Jiffies64) {
        // SAFETY: By the invariant of `Dentry`.
        let node = unsafe { (*self.object()).node.node.get() };
        let tree = self.sb().live().tree();
        tree.used.store(true, Release);
        let mut head = tree.head.lock();
        // SAFETY: The node is this live dentry's. The borrow means a reference, so that `d_release`
        // comes later.
        unsafe {
            head.remove(node);
            head.add(node, time);
        }
    }
}

impl<T: Types> SuperBlock<T> {
    /// Drops unused dentries that were queued for a time before now; those in use are dropped when
    /// the last user is gone. `time_of` says until when a dentry's name is really good. May sleep.
    pub(crate) fn drop_expired(&self, time_of: impl Fn(&T::Dentry) -> Jiffies64) {
        let mut dispose = bindings::list_head {
            next: ptr::null_mut(),
            prev: ptr::null_mut(),
        };
        let dispose = &raw mut dispose;
        // SAFETY: Memory on our stack that does not move.
        unsafe { bindings::INIT_LIST_HEAD(dispose) };
        while self.unqueue_some(dispose, &time_of) {
            sched::cond_resched();
        }
        // SAFETY: A list of our own of what `__move_to_shrink_list()` has put there, which keeps the
        // dentries. No lock is held.
        unsafe { bindings::shrink_dentry_list(dispose) };
    }

    /// Takes some dentries off that have expired, and moves those that are unused to `dispose`; true
    /// if there may be more.
    fn unqueue_some(
        &self,
        dispose: *mut bindings::list_head,
        time_of: &impl Fn(&T::Dentry) -> Jiffies64,
    ) -> bool {
        let now = Jiffies64::now();
        let mut head = self.live().tree().head.lock();
        for _ in 0..STEP {
            let Some(node) = head.expired(now) else {
                return false;
            };
            // SAFETY: A node on the queue, whose lock is held.
            unsafe { head.remove(node) };
            // SAFETY: On the queue of a superblock of `T` are nodes of `DentryObject<T>`s, whose
            // dentries are alive as long as the lock is held.
            let object = unsafe {
                let node = kernel::container_of!(Opaque::cast_from(node), DentryNode, node);
                &*kernel::container_of!(node, DentryObject<T>, node)
            };
            let time = time_of(&object.data);
            if time.before(now) {
                // SAFETY: As above; the list is our caller's.
                unsafe { bindings::d_expire(object.node.dentry, dispose) };
            } else {
                // Renewed since it was queued.
                // SAFETY: As above, and it was taken off.
                unsafe { head.add(node, time) };
            }
        }
        true
    }
}
