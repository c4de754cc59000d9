// SPDX-License-Identifier: GPL-2.0

//! Notifications from the daemon that concern the filesystem.
//!
//! C counterpart: notify.c, `fuse_epoch_work()` (dir.c). What is about the superblock takes the
//! killsb semaphore for reading, as it may be on its way out while the daemon still writes.

use super::{
    entry,
    inode,
    retrieve::{
        retrieve,
        Unread, //
    },
    store::store, //
};
use crate::{
    abi::{
        NodeId,
        PollHandle, //
    },
    fs::{
        conn::polled::PolledFiles,
        Fuse,
        SuperBlock, //
    },
    kapi::{
        fuse::inval_wq,
        sync::workqueue::{
            flush_work,
            system_dfl, //
        },
        vfs::super_block::LiveSuper, //
    },
    transport::{
        Incoming,
        Notified, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    workqueue::{
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
};

/// What notifications reach: the superblock, as long as there is one.
#[pin_data]
pub(in crate::fs) struct Super {
    live: Arc<LiveSuper<Fuse>>,
    polled: Arc<PolledFiles>,
    unread: Arc<Unread>,
    /// Drops the names that an epoch has ended. Nothing that the daemon writes may wait for it:
    /// inodes go too, and may have to wait for an answer of the daemon.
    #[pin]
    prune: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for Super { self.prune }
}

impl WorkItem for Super {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.live.with(SuperBlock::shrink_dcache);
    }
}

impl Super {
    /// Lets a connection's notifications reach its superblock.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(in crate::fs) fn set_up(sb: &SuperBlock) -> Result<Arc<Self>> {
        let unread = Arc::new(Unread::new(), GFP_KERNEL)?;
        let this = Arc::pin_init(
            pin_init!(Self {
                live: sb.live().clone(),
                polled: sb.data().conn.polled.clone(),
                unread,
                prune <- new_work!("fuse_epoch_work"),
            }),
            GFP_KERNEL,
        )?;
        let notified = KBox::new(Handle(this.clone()), GFP_KERNEL)?;
        sb.data().conn.chan.set_notified(notified);
        Ok(this)
    }

    /// Waits until nothing that a notification has begun is under way. To be called when the
    /// superblock is not reached any more, so that nothing begins. Sleeps.
    pub(in crate::fs) fn flush(self: &Arc<Self>) {
        flush_work(self);
    }
}

/// What the channel keeps of it.
struct Handle(Arc<Super>);

impl Handle {
    /// What is about a node: there is none without a superblock.
    fn on_super(&self, f: impl FnOnce(&SuperBlock) -> Result) -> Result {
        self.0.live.with(f).unwrap_or(Err(ENOENT))
    }
}

impl Notified for Handle {
    /// `fuse_notify_poll_wakeup()`. It is about open files, which are there as long as there is a
    /// superblock: that is not asked.
    fn poll(&self, kh: PollHandle) {
        self.0.polled.wake_up(kh);
    }

    /// `fuse_notify_inval_inode()`.
    fn inval_inode(&self, node: NodeId, offset: i64, len: i64) -> Result {
        self.on_super(|sb| inode::inval_inode(sb, node, offset, len))
    }

    /// `fuse_notify_inval_entry()`.
    fn inval_entry(&self, parent: NodeId, name: &[u8], expire_only: bool) -> Result {
        self.on_super(|sb| entry::inval_entry(sb, parent, name, expire_only))
    }

    /// `fuse_notify_delete()`.
    fn delete(&self, parent: NodeId, child: NodeId, name: &[u8]) -> Result {
        self.on_super(|sb| entry::delete(sb, parent, child, name))
    }

    /// `fuse_notify_prune()`.
    fn prune(&self, nodes: &[u64]) {
        self.0.live.with(|sb| {
            for node in nodes.iter().copied().filter_map(NodeId::new) {
                inode::prune(sb, node);
            }
        });
    }

    /// `fuse_notify_inc_epoch()`.
    fn inc_epoch(&self) {
        self.0.live.with(|sb| {
            sb.data().conn.inc_epoch();
            if inval_wq::seconds() != 0 {
                // One that is queued already does for both.
                let _ = system_dfl().enqueue(self.0.clone());
            }
        });
    }

    /// `fuse_notify_store()`.
    fn store(&self, node: NodeId, offset: u64, size: u32, data: &mut dyn Incoming) -> Result {
        store(&self.0.live, node, offset, size, data)
    }

    /// `fuse_notify_retrieve()`.
    fn retrieve(&self, notify_unique: u64, node: NodeId, offset: u64, size: u32) -> Result {
        let Super { live, unread, .. } = &*self.0;
        retrieve(live, unread, notify_unique, node, offset, size)
    }

    /// `fuse_end_polls()`.
    fn aborted(&self) {
        self.0.polled.wake_up_all();
    }
}
