// SPDX-License-Identifier: GPL-2.0

//! A superblock's dentries in the order in which their names expire. What is done with them is in
//! [`super::dentry_expiry`].
//!
//! C headers: [`include/linux/timerqueue.h`](srctree/include/linux/timerqueue.h),
//! [`include/linux/dcache.h`](srctree/include/linux/dcache.h).
//!
//! A superblock has one queue, a dentry a node for it, in the memory behind `d_fsdata`; a
//! filesystem that never queues any pays for the memory alone. C rules encoded here:
//!
//! - A node is on the queue while the dentry is alive: `d_release` takes it off, before
//!   `dentry_free()`. So whoever finds one under the queue's lock may use the dentry until the
//!   unlock.
//! - "LiveSuper::tree" is taken outside of `d_lock`.

use super::types::Types;
use crate::{
    bindings,
    kapi::time::jiffies::Jiffies64, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic, //
        },
        SpinLock, //
    },
    types::Opaque, //
};

/// What `d_fsdata` points to.
pub(super) struct DentryObject<T: Types> {
    pub(super) data: T::Dentry,
    pub(super) node: DentryNode,
}

/// A dentry's place in the queue.
pub(super) struct DentryNode {
    pub(super) node: Opaque<bindings::timerqueue_node>,
    pub(super) dentry: *mut bindings::dentry,
}

// SAFETY: Both are used with the queue's lock held.
unsafe impl Send for DentryNode {}
// SAFETY: As above.
unsafe impl Sync for DentryNode {}

impl<T: Types> DentryObject<T> {
    /// The memory of a new dentry, not queued. [`init`](Self::init) follows.
    pub(super) fn new(data: T::Dentry, dentry: *mut bindings::dentry) -> Self {
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
    pub(super) unsafe fn init(this: *mut Self) {
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
pub(super) struct DentryTree {
    #[pin]
    pub(super) head: SpinLock<Head>,
    /// Something was queued, some time.
    pub(super) used: Atomic<bool>,
}

/// The queue itself.
pub(super) struct Head(bindings::timerqueue_head);

// SAFETY: The nodes may be used by any thread, with the lock held.
unsafe impl Send for Head {}

impl DentryTree {
    /// An empty one.
    pub(super) fn new() -> impl PinInit<Self> {
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
    pub(super) unsafe fn remove<T: Types>(&self, object: *const DentryObject<T>) {
        // The task that queued it has dropped its reference since, which orders the two.
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
    pub(super) unsafe fn remove(&mut self, node: *mut bindings::timerqueue_node) {
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
    pub(super) unsafe fn add(&mut self, node: *mut bindings::timerqueue_node, time: Jiffies64) {
        // SAFETY: By the contract, and the lock is held.
        unsafe { (*node).expires = time.to_u64() as i64 };
        // SAFETY: As above.
        unsafe { bindings::timerqueue_add(&raw mut self.0, node) };
    }

    /// The first one, if it has expired.
    pub(super) fn expired(&self, now: Jiffies64) -> Option<*mut bindings::timerqueue_node> {
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
