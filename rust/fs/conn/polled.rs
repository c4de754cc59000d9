// SPDX-License-Identifier: GPL-2.0

//! Files that have been polled, by the handles under which the daemon may speak of them.
//!
//! C counterpart: `fuse_conn::polled_files`, `fuse_register_polled_file()`,
//! `fuse_notify_poll_wakeup()`, `fuse_end_polls()` (poll.c). A file that nobody polls has no entry,
//! and costs no more than its number. Takes "PolledFiles::tree", a leaf; wakes up without it.

use crate::{
    abi::PollHandle,
    kapi::{
        sync::wait::{
            new_wait_queue,
            WaitQueue, //
        },
        task::sched, //
    },
};
use kernel::{
    new_spinlock,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    sync::{
        Arc,
        SetOnce,
        SpinLock, //
    },
};

/// The polled files of a connection.
#[pin_data]
pub(in crate::fs) struct PolledFiles {
    /// Each has a reference to the queue beside the file's own, so that a notification may wake it
    /// up while the file is released.
    #[pin]
    tree: SpinLock<RBTree<PollHandle, Arc<PollQueue>>>,
}

/// Those who wait for an open file (`fuse_file::poll_wait`).
#[pin_data]
pub(in crate::fs) struct PollQueue {
    #[pin]
    queue: WaitQueue,
}

/// Where an open file keeps its queue, from the first poll on.
pub(in crate::fs) type PollPlace = SetOnce<Arc<PollQueue>>;

impl PolledFiles {
    /// None yet.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(in crate::fs) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                tree <- new_spinlock!(RBTree::new(), "PolledFiles::tree"),
            }),
            GFP_KERNEL,
        )
    }

    /// The queue of the open file that has `kh` and `place`; [`remove`](Self::remove) must be
    /// called before the file goes. May sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(in crate::fs) fn enter<'a>(
        &self,
        kh: PollHandle,
        place: &'a PollPlace,
    ) -> Result<&'a WaitQueue> {
        if place.as_ref().is_none() {
            self.add(kh, place)?;
        }
        place.as_ref().map(|queue| &queue.queue).ok_or(ENOMEM)
    }

    #[cold]
    fn add(&self, kh: PollHandle, place: &PollPlace) -> Result {
        // A user may have as many files polled as can be open.
        let queue = Arc::pin_init(
            pin_init!(PollQueue {
                queue <- new_wait_queue!("fuse_file::poll_wait"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        let node = RBTreeNode::new(kh, queue.clone(), GFP_KERNEL_ACCOUNT)?;

        let mut tree = self.tree.lock();
        // Of several first polls one gets here with `place` empty, and the others with what it has
        // put there.
        let unused = if place.populate(queue) {
            tree.insert(node)
        } else {
            Some(node)
        };
        drop(tree);
        drop(unused);
        Ok(())
    }

    /// The open file with `kh` and `place` goes. Does not sleep.
    #[inline]
    pub(in crate::fs) fn remove(&self, kh: PollHandle, place: &PollPlace) {
        if place.as_ref().is_some() {
            self.remove_entry(kh);
        }
    }

    #[cold]
    fn remove_entry(&self, kh: PollHandle) {
        let node = self.tree.lock().remove_node(&kh);
        drop(node);
    }

    /// Wakes up those who wait for the file with `kh`, if there is one. Does not sleep.
    pub(in crate::fs) fn wake_up(&self, kh: PollHandle) {
        let queue = self.tree.lock().get(&kh).cloned();
        if let Some(queue) = queue {
            queue.queue.wake_up_sync();
        }
    }

    /// Wakes up those who wait for any file: there is no daemon any more. Whoever comes later is
    /// told so when it asks. May sleep.
    pub(in crate::fs) fn wake_up_all(&self) {
        let mut from = Some(PollHandle::FIRST);
        while let Some(kh) = from {
            let next = {
                let mut tree = self.tree.lock();
                let cursor = tree.cursor_lower_bound_mut(&kh);
                cursor.map(|cursor| (*cursor.current().0, cursor.current().1.clone()))
            };
            let Some((kh, queue)) = next else {
                return;
            };
            queue.queue.wake_up_all();
            from = kh.next();
            sched::cond_resched();
        }
    }
}
