// SPDX-License-Identifier: GPL-2.0

//! DESTROY: the last request, of type `fuseblk`, whose daemon is to be through with the device
//! when umount(2) returns.
//!
//! C counterpart: `fuse_send_destroy()` (inode.c), which waits for the answer whatever happens.
//! The VFS holds `s_umount`; sleeps for the answer.

use crate::{
    abi::op::Destroy,
    fs::{
        conn::connection::Conn,
        request::{
            call::{
                Holds,
                Leaver, //
            },
            held::Held, //
        }, //
    },
    transport::{
        How,
        Message,
        Outcome, //
    },
};
use kernel::prelude::*;

/// Tells the daemon, if INIT has been agreed on, and waits for the answer; a task that is killed
/// does so for a time.
pub(super) fn send(conn: &Conn) {
    if conn.negotiated().is_none() {
        return;
    }
    // In C they would keep the mount from going. A task that is killed here does not wait.
    let _ = conn.left.await_all();
    let message = Message {
        node: None,
        caller: conn.caller_nocreds(),
        op: &Destroy,
    };
    let mut leaver = Leaver::new(conn, &Unmounting, || |_: &mut Outcome<'_>| {}).patient();
    // What it says does not matter.
    let _ = conn.chan.call(How::Forced, &message, None, &mut leaver);
}

/// Who unmounts: what it has is the VFS's alone.
struct Unmounting;

impl Holds for Unmounting {
    fn hold(&self, _held: &mut Held) -> Result {
        Ok(())
    }
}
