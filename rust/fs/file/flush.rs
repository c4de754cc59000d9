// SPDX-License-Identifier: GPL-2.0

//! Making data safe: FLUSH when a descriptor is closed, FSYNC.
//!
//! C counterpart: `fuse_flush()`, `fuse_fsync()` in `file.c`. FSYNC takes `i_rwsem`, FLUSH
//! "LeftTable::inner" if callers have left; both sleep for the daemon's answer.

use crate::{
    abi::{
        op::{
            Flush,
            Fsync,
            Op, //
        },
        Creds,
        OpenOutFlags, //
    },
    fs::{
        request::held::Held,
        File,
        Fuse, //
    },
    kapi::{
        fuse::moduleparam::killable,
        mm::gfp::Gfp,
        page_cache::pagemap,
        task::sched::exits,
        vfs::file::{
            FlOwner,
            HeldFile, //
        },
    },
    transport::{
        Left,
        Next,
        Prepared, //
    },
};
use kernel::prelude::*;

/// A descriptor of the file is closed. The daemon's answer is what `close(2)` returns.
pub(in crate::fs) fn flush(file: &File, owner: FlOwner) -> Result {
    let (inode, data) = (file.inode(), file.data());
    inode.check_bad()?;
    if data.open_flags.contains(OpenOutFlags::NOFLUSH) {
        return Ok(());
    }
    pagemap::write_inode_now(inode)?;
    pagemap::filemap_check_errors(inode)?;

    let conn = &data.conn;
    conn.unless_lacking(Flush::OPCODE, || {
        let flush = Flush {
            fh: data.fh,
            lock_owner: conn.lock_owner(owner),
        };
        // In C a task that dies has waited for its requests before it closes its files. If it exits
        // by itself, others with which it shares the files have been killed.
        if killable() && exits() && conn.left.has_owner(owner) {
            let until = conn.left.deadline();
            if !conn.left.wait_owner(owner, until) && LateFlush::queue(file, owner, flush).is_ok() {
                return Err(EINTR);
            }
        }
        conn.left.locks.owner_closes(owner, inode.nodeid());
        conn.call_forced(file, &flush)
    })
    .map(drop)
}

/// The FLUSH of a task that has died before its own requests were through: it comes after those.
struct LateFlush {
    owner: FlOwner,
    caller: Creds,
    flush: Flush,
    /// None once it has been sent.
    request: Option<Prepared>,
    /// The file goes last, so that RELEASE comes after the FLUSH.
    file: HeldFile<Fuse>,
    held: Held,
}

impl LateFlush {
    /// Leaves it to a work item.
    ///
    /// # Errors
    ///
    /// ENOMEM, EAGAIN.
    fn queue(file: &File, owner: FlOwner, flush: Flush) -> Result {
        let conn = &file.data().conn;
        let late = KBox::new(
            Self {
                owner,
                caller: conn.caller_munged(),
                flush,
                request: Some(conn.chan.prepare(Gfp::KERNEL | Gfp::ACCOUNT)?),
                file: file.hold().ok_or(EAGAIN)?,
                held: Held::new(conn)?,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let locks = &conn.left.locks;
        locks.drops(late.held.id(), owner, file.inode().nodeid())?;
        conn.chan.later(late)
    }
}

/// Nobody hears of errors.
impl Left for LateFlush {
    fn go_on(&mut self) -> Next {
        let conn = &self.file.data().conn;
        if conn.left.has_earlier(self.owner, self.held.id()) {
            return Next::Again;
        }
        match self.request.take() {
            Some(request) if !conn.lacks(Flush::OPCODE) => {
                let node = self.file.inode().nodeid();
                conn.call_behind(request, node, self.caller, &self.flush)
            }
            _ => Next::Done,
        }
    }
}

/// `fsync(2)` and `fdatasync(2)` of a regular file.
pub(in crate::fs) fn fsync(file: &File, start: i64, end: i64, datasync: bool) -> Result {
    let (inode, data) = (file.inode(), file.data());
    inode.check_bad()?;
    let _lock = inode.lock()?;

    file.file_write_and_wait_range(start, end)?;
    file.file_check_and_advance_wb_err()?;
    inode.sync_inode_metadata()?;

    let fsync = Fsync {
        fh: data.fh,
        datasync,
    };
    let conn = &data.conn;
    conn.unless_lacking(Fsync::OPCODE, || conn.call(file, &fsync))
        .map(drop)
}
