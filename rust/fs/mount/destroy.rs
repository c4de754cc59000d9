// SPDX-License-Identifier: GPL-2.0

//! DESTROY: the last request, of type `fuseblk`, whose daemon is to be through with the device
//! when umount(2) returns.
//!
//! C counterpart: `fuse_send_destroy()` (inode.c), which waits for the answer whatever happens.
//! The VFS holds `s_umount`; sleeps for the answer.

use crate::{
    abi::op::Destroy,
    fs::conn::connection::Conn,
    kapi::{
        task::sched::is_kthread,
        time::jiffies::Jiffies64, //
    },
    transport::{
        How,
        Leave,
        Left,
        Message, //
    },
};
use kernel::prelude::*;

/// Tells the daemon, if INIT has been agreed on, and waits for the answer; a task that is killed
/// does so for a time, and so does one of the kernel's, with which other mounts may have to wait.
pub(super) fn send(conn: &Conn) {
    if conn.negotiated().is_none() {
        return;
    }
    // In C they would keep the mount from going. A task that is killed here does not wait.
    if !is_kthread() {
        let _ = conn.left.await_all();
    }
    let message = Message {
        node: None,
        caller: conn.caller_nocreds(),
        op: &Destroy,
    };
    // What it says does not matter.
    let _ = (conn.chan).call(How::Last, &message, None, &mut Unmounting(conn));
}

/// Who unmounts: the connection ends then, so that nothing is left to anybody.
struct Unmounting<'a>(&'a Conn);

impl Leave for Unmounting<'_> {
    fn patience(&mut self) -> Option<Jiffies64> {
        Some(self.0.left.deadline())
    }

    fn leave(&mut self) -> Result<KBox<dyn Left>> {
        Err(EAGAIN)
    }
}
