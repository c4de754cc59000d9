// SPDX-License-Identifier: GPL-2.0

//! What the filesystems of this module leave to be done later, and the wait for it at unload.
//!
//! C headers: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h),
//! [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h).
//!
//! C rules encoded here: when code and caches of a module go, none of its functions may run or be
//! queued any more. A module is unloaded when there is no superblock of its types; so all of
//! [`RcuBox`](crate::kapi::sync::rcu::RcuBox) has been handed to `call_rcu()` then, as a superblock
//! waits for its dentries, and hands over its own memory last. What may be left, and why it is
//! waited for in this order, each once:
//!
//! 1. The work items of [`inode_hold`]. They may still be returning from the `iput()` that the
//!    superblock has waited for, from where the VFS queues the inode to be freed by RCU.
//!    `destroy_workqueue()` waits for all of them, and nobody is left to queue more.
//! 2. Callbacks of RCU: `rcu_barrier()` waits for those that were queued before it. None of ours
//!    queues another, which one call would not wait for: what is freed by RCU is a superblock's
//!    data, a dentry's or an inode's, and none of them owns an object that is itself freed so, nor
//!    can: `RcuBox` is not to be had outside of `kapi`, and dentries and inodes keep their
//!    superblock from being freed. So what RCU walk reaches through another object (a connection,
//!    through its superblock) is an ordinary reference in that one, and goes with it.
//! 3. The cache of the inodes, of which there is none now.

use super::{
    inode_cache::InodeCache,
    inode_hold,
    types::Types, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Acquire,
        rcu::rcu_barrier, //
    },
};

/// What there is for as long as superblocks of `T` may be made. Dropped, it waits for all that they
/// have left to be done, and sleeps.
///
/// Whoever registers the filesystem types keeps it until they are no longer registered; module
/// unload comes when there is no superblock.
pub(crate) struct Unload<T: Types>(&'static InodeCache<T>);

impl<T: Types> Unload<T> {
    /// Makes the cache of inodes and the queue of references to inodes, with these names.
    ///
    /// # Errors
    ///
    /// ENOMEM; EEXIST if there is one already.
    pub(crate) fn new(
        inodes: &'static InodeCache<T>,
        cache: &'static CStr,
        queue: &'static CStr,
    ) -> Result<Self> {
        inode_hold::create_queue(queue)?;
        if let Err(e) = inodes.create(cache) {
            // SAFETY: Just made; without inodes nobody queues anything.
            unsafe { inode_hold::destroy_queue() };
            return Err(e);
        }
        Ok(Self(inodes))
    }
}

impl<T: Types> Drop for Unload<T> {
    fn drop(&mut self) {
        if self.0.users().load(Acquire) != 0 {
            // Not reached: superblocks hold the module. They go on with what they have.
            pr_err!("inodes are still in use\n");
            return;
        }
        // SAFETY: There is no superblock, so nobody queues anything.
        unsafe { inode_hold::destroy_queue() };
        rcu_barrier();
        // SAFETY: No superblock uses it, and after the barrier no inode waits to be freed.
        unsafe { self.0.destroy() };
    }
}
