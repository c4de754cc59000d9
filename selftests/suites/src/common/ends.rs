// SPDX-License-Identifier: GPL-2.0

//! The end of a mount whose daemon has waited for itself: all processes end, the mount goes, and
//! nothing of the module is held any more.

use std::path::Path;

use mockd::mount::{is_mounted, umount};
use mockd::Caller;

use crate::daemon::until;

/// Unmounts, and waits for the module to be as it was: a page that stays locked or a request that
/// is left would hold the one or the other.
pub fn end(mnt: &Path, references: u32) {
    until("umount", || {
        (!is_mounted(mnt) || umount(mnt, 0).is_ok()).then_some(())
    });
    until("the last reference to the module", || {
        (self::references() == references).then_some(())
    });
}

/// References to the module.
pub fn references() -> u32 {
    let text = std::fs::read_to_string("/sys/module/fuse/refcnt").expect("refcnt");
    text.trim().parse().expect("number")
}

/// Waits for the end of all of these.
pub fn wait_exit(all: &[&Caller]) {
    let pids: Vec<i32> = all.iter().map(|c| c.pid).collect();
    until(&format!("the end of {pids:?}"), || {
        all.iter().all(|c| c.exited()).then_some(())
    });
}
