// SPDX-License-Identifier: GPL-2.0

//! Notifications from the daemon that concern the filesystem.
//!
//! C counterpart: notify.c. Takes the killsb semaphore for reading, as a superblock may be on its
//! way out while the daemon still writes.

use crate::{
    fs::{
        Fuse,
        SuperBlock, //
    },
    kapi::vfs::super_block::LiveSuper,
    transport::Notified, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The superblock, as long as there is one.
struct Super(Arc<LiveSuper<Fuse>>);

/// Lets a connection's notifications reach its superblock.
///
/// # Errors
///
/// ENOMEM.
pub(in crate::fs) fn set_up(sb: &SuperBlock) -> Result {
    let notified = KBox::new(Super(sb.live().clone()), GFP_KERNEL)?;
    sb.data().conn.chan.set_notified(notified);
    Ok(())
}

impl Notified for Super {
    /// `fuse_notify_inc_epoch()`.
    fn inc_epoch(&self) {
        self.0.with(|sb| sb.data().conn.inc_epoch());
    }
}
