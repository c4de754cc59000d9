// SPDX-License-Identifier: GPL-2.0

//! `poll(2)` and its like: what a file is ready for.
//!
//! C counterpart: `fuse_file_poll()` (poll.c). The daemon is asked each time; if somebody waits it
//! also says when to ask again ([`Notification::Poll`](crate::abi::Notification)). It is asked with
//! an epoll's mutexes held, as in C: whoever is killed meanwhile lets them go, and leaves nothing
//! to be given back. Takes "PolledFiles::tree"; sleeps for the daemon's answer.

use crate::{
    abi::op::{
        Op,
        Poll, //
    },
    fs::Fuse,
    kapi::{
        sync::poll::PollEvents,
        vfs::poll::PollTable, //
    },
};
use kernel::prelude::*;

/// `poll` of a regular file. If the daemon knows of no POLL, the file is always ready; other errors
/// are what the file is ready for.
pub(in crate::fs) fn poll(table: &PollTable<'_, Fuse>) -> PollEvents {
    let conn = &table.file().data().conn;
    match conn.unless_lacking(Poll::OPCODE, || ask(table)) {
        Ok(Some(events)) => PollEvents::demangle(events),
        Ok(None) => PollEvents::DEFAULT,
        Err(_) => PollEvents::ERR,
    }
}

/// # Errors
///
/// As [`Conn::call`](crate::fs::conn::connection::Conn::call).
fn ask(table: &PollTable<'_, Fuse>) -> Result<u16> {
    let (file, data) = (table.file(), table.file().data());
    let queue = table.wait(|data| data.conn.polled.enter(data.kh, &data.polled))?;
    let poll = Poll {
        fh: data.fh,
        kh: data.kh,
        events: table.requested_events().mangle(),
        // The caller, whose entry is there by now if it waits, or another one.
        notify: queue.is_active(),
    };
    data.conn.call(file, &poll)
}
