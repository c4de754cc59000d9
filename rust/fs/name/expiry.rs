// SPDX-License-Identifier: GPL-2.0

//! Dropping names that have expired, every `inval_wq` seconds.
//!
//! C counterpart: `fuse_dentry_tree_work()` (dir.c). There the queues are 32 for all mounts; here
//! each superblock has one (`kapi/vfs/dentry_tree`). "fuse_supers" is a leaf: a round takes one
//! superblock at a time from the list.

use crate::{
    fs::{
        Fuse,
        SuperBlock, //
    },
    kapi::{
        fuse::inval_wq::{
            InvalWork,
            InvalWorker, //
        },
        sync::mutex::StaticMutex,
        vfs::super_block::LiveSuper, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// All superblocks.
static SUPERS: StaticMutex<KVec<Arc<LiveSuper<Fuse>>>> =
    StaticMutex::new(c"fuse_supers", KVec::new());

/// A superblock is being mounted.
///
/// # Errors
///
/// ENOMEM.
pub(in crate::fs) fn add(sb: &SuperBlock) -> Result {
    Ok(SUPERS.lock().push(sb.live().clone(), GFP_KERNEL)?)
}

/// A superblock is being unmounted, or was not mounted after all.
pub(in crate::fs) fn remove(live: &Arc<LiveSuper<Fuse>>) {
    let mut supers = SUPERS.lock();
    if let Some(index) = supers.iter().position(|s| Arc::ptr_eq(s, live)) {
        let _ = supers.remove(index);
    }
    // No memory stays behind at unload.
    if supers.is_empty() {
        *supers = KVec::new();
    }
}

/// The rounds.
enum Rounds {}

impl InvalWork for Rounds {
    fn run() {
        let mut index = 0usize;
        // One that moves up while another goes is left for the next round.
        loop {
            let Some(live) = SUPERS.lock().get(index).cloned() else {
                return;
            };
            live.with(|sb| sb.drop_expired(|dentry| dentry.time()));
            index = index.saturating_add(1);
        }
    }
}

/// Starts the rounds.
///
/// # Errors
///
/// ENOMEM.
pub(in crate::fs) fn start() -> Result<InvalWorker> {
    InvalWorker::start::<Rounds>()
}
