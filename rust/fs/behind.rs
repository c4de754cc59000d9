// SPDX-License-Identifier: GPL-2.0

//! What a killed opener would have done: it would have got its descriptor, and have closed it when it exits.
//!
//! C counterpart: `fuse_open()` or `fuse_create_open()` of a task that has a signal pending, and `filp_close()` from
//! `do_exit()`. Here a work item does it in place of a caller that has left, and waits for the daemon as
//! that would. Takes folio locks.

use super::{
    attr,
    conn::{Conn, NoOp},
    file::{atomic_o_trunc, FuseFile},
    held::Afterwards,
    iomode, pages, Fuse, Inode,
};
use crate::{
    abi::{op::Flush, Creds, LockOwner, OpenOutFlags},
    kapi::{
        fcntl::{FMODE_EXEC, O_CREAT, O_EXCL, O_TRUNC},
        file_operations::FlOwner,
        pagemap,
        write_access::KeptAccess,
    },
    transport::{How, NeverLeaves},
};
use kernel::{
    prelude::*,
    sync::{aref::ARef, Arc},
};

/// Who will close the file: the task that has left, as the daemon knows it.
pub(super) struct Closer {
    caller: Creds,
    owner: LockOwner,
    /// Goes with RELEASE.
    _access: Option<KeptAccess<Fuse>>,
}

impl Closer {
    /// The current task; with an inode, one that it is opening for writing.
    pub(super) fn current(conn: &Conn, writes: Option<&Inode>) -> Self {
        Self {
            caller: conn.caller_munged(),
            owner: conn.lock_owner(FlOwner::current_files().unwrap_or(FlOwner::NONE)),
            _access: writes.and_then(KeptAccess::write),
        }
    }
}

/// A file that the daemon has opened for a task that has left, and that is to be closed.
pub(super) struct Opened {
    inode: ARef<Inode>,
    file: Arc<FuseFile>,
    flags: u32,
    closer: Closer,
}

/// The daemon has opened a file for a task that has left: what `open(2)` with `flags` does then.
pub(super) fn opened(
    inode: ARef<Inode>,
    file: Arc<FuseFile>,
    flags: u32,
    closer: Closer,
) -> Option<Opened> {
    file.attach(&inode);
    file.set_left_by(closer.caller.pid);
    if inode.is_reg() && iomode::open(&file, &inode).is_err() {
        file.sync_release(flags, false, How::Behind);
        return None;
    }
    if flags & O_TRUNC != 0 && atomic_o_trunc(&file.conn) {
        attr::truncated_by_open(&inode);
        // No signal reaches a work item.
        let _ = pages::truncate(&inode, 0);
    } else if !file.open_flags.contains(OpenOutFlags::KEEP_CACHE) {
        let _ = pages::drop_clean(&inode);
    }
    Some(Opened {
        inode,
        file,
        flags,
        closer,
    })
}

/// The close.
impl Afterwards for Opened {
    fn run(self) {
        let Self {
            inode,
            file,
            flags,
            closer,
        } = self;
        // To be executed, it is closed without.
        if inode.is_reg() && flags & FMODE_EXEC == 0 {
            flush(&inode, &file, &closer);
        }
        // RELEASE goes with the last reference.
        file.release(flags & !(O_CREAT | O_EXCL | O_TRUNC));
        drop(closer);
    }
}

/// The FLUSH of a file that nobody has a descriptor of. Nobody hears of errors.
fn flush(inode: &Inode, file: &FuseFile, closer: &Closer) {
    let conn = &file.conn;
    if file.open_flags.contains(OpenOutFlags::NOFLUSH)
        || inode.check_bad().is_err()
        || pagemap::write_inode_now(inode).is_err()
        || conn.lacks(NoOp::Flush)
    {
        return;
    }
    let flush = Flush {
        fh: file.fh,
        lock_owner: closer.owner,
    };
    send_flush(conn, inode, closer.caller, &flush);
}

/// Sends FLUSH from a work item, and waits for the answer.
pub(super) fn send_flush(conn: &Conn, inode: &Inode, caller: Creds, flush: &Flush) {
    let node = inode.nodeid();
    match conn
        .chan
        .call(How::Behind, node, caller, flush, &mut NeverLeaves)
    {
        Err(e) if e == ENOSYS => conn.set_lacks(NoOp::Flush),
        _ => {}
    }
}
