// SPDX-License-Identifier: GPL-2.0

//! The fixed parts of notifications, as they lie in the message. What they mean is in
//! [`notify`](super::notify).
//!
//! C counterpart: `struct fuse_notify_*_out`. Takes no locks.

wire! {
    /// C: `struct fuse_notify_poll_wakeup_out`.
    struct FuseNotifyPollWakeupOut: 8 {
        kh: u64,
    }
    /// C: `struct fuse_notify_inval_inode_out`.
    struct FuseNotifyInvalInodeOut: 24 {
        ino: u64,
        off: i64,
        len: i64,
    }
    /// C: `struct fuse_notify_inval_entry_out`.
    struct FuseNotifyInvalEntryOut: 16 {
        parent: u64,
        namelen: u32,
        flags: u32,
    }
    /// C: `struct fuse_notify_delete_out`.
    struct FuseNotifyDeleteOut: 24 {
        parent: u64,
        child: u64,
        namelen: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_store_out`.
    struct FuseNotifyStoreOut: 24 {
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_retrieve_out`.
    struct FuseNotifyRetrieveOut: 32 {
        notify_unique: u64,
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_prune_out`.
    struct FuseNotifyPruneOut: 16 {
        count: u32,
        padding: u32,
        spare: u64,
    }
}
