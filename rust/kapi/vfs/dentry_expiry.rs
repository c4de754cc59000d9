// SPDX-License-Identifier: GPL-2.0

//! Dropping dentries: those whose names have expired, or all that nobody uses.
//!
//! C header: [`include/linux/dcache.h`](srctree/include/linux/dcache.h).
//!
//! The queue is [`DentryTree`](super::dentry_tree::DentryTree). C rule encoded here:
//! `__move_to_shrink_list()` wants `d_lock`, in a section of RCU that began before `dentry_free()`,
//! as the queue's lock makes one; it leaves dentries alone that are in use or dying.

use super::{
    dentry::Dentry,
    dentry_tree::{
        DentryNode,
        DentryObject, //
    },
    super_block::SuperBlock,
    types::Types, //
};
use crate::{
    bindings,
    kapi::{
        task::sched,
        time::jiffies::Jiffies64, //
    },
};
use core::ptr;
use kernel::{
    sync::atomic::Release,
    types::Opaque, //
};

/// Dentries handled in one go with the lock held.
const STEP: usize = 16;

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
    /// Drops all unused dentries (`shrink_dcache_sb()`). Sleeps, and may wait for folios of inodes
    /// that go with them.
    pub(crate) fn shrink_dcache(&self) {
        // SAFETY: The superblock is not shut down as long as there is a reference to it.
        unsafe { bindings::shrink_dcache_sb(self.as_ptr()) };
    }

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
        // SAFETY: A list of our own of what `__move_to_shrink_list()` has put there, which keeps
        // the dentries. No lock is held.
        unsafe { bindings::shrink_dentry_list(dispose) };
    }

    /// Takes some dentries off that have expired, and moves those that are unused to `dispose`;
    /// true if there may be more.
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
