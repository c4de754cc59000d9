// SPDX-License-Identifier: GPL-2.0

//! The fixed parts of notifications, as they lie in the message. What they mean is in
//! [`notify`](super::notify).
//!
//! C counterpart: `struct fuse_notify_*_out`. Takes no locks.

use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident: $len:literal { $($field:ident: $int:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone,
                Copy,
                PartialEq,
                Eq,
                Default,
                Debug,
                FromBytes,
                IntoBytes,
                Immutable,
                KnownLayout,
            )]
            #[repr(C)]
            #[allow(missing_docs, reason = "the header's names")]
            pub struct $name {
                $(pub $field: $int,)*
            }

            const _: () = assert!(size_of::<$name>() == $len);
        )*
    };
}

parts! {
    /// C: `struct fuse_notify_poll_wakeup_out`.
    FuseNotifyPollWakeupOut: 8 {
        kh: u64,
    }
    /// C: `struct fuse_notify_inval_inode_out`.
    FuseNotifyInvalInodeOut: 24 {
        ino: u64,
        off: i64,
        len: i64,
    }
    /// C: `struct fuse_notify_inval_entry_out`.
    FuseNotifyInvalEntryOut: 16 {
        parent: u64,
        namelen: u32,
        flags: u32,
    }
    /// C: `struct fuse_notify_delete_out`.
    FuseNotifyDeleteOut: 24 {
        parent: u64,
        child: u64,
        namelen: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_store_out`.
    FuseNotifyStoreOut: 24 {
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_retrieve_out`.
    FuseNotifyRetrieveOut: 32 {
        notify_unique: u64,
        nodeid: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }
    /// C: `struct fuse_notify_prune_out`.
    FuseNotifyPruneOut: 16 {
        count: u32,
        padding: u32,
        spare: u64,
    }
}
