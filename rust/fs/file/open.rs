// SPDX-License-Identifier: GPL-2.0

//! Opening: OPEN and OPENDIR, and open(2) of a regular file.
//!
//! C counterpart: `fuse_file_open()`, `fuse_open()` (file.c). Takes folio locks and the inode's
//! lock.

use super::{
    behind::{
        Closer,
        Opened, //
    },
    finish::{
        drop_stale,
        finish_open, //
    },
    fuse_file::{
        FuseFile,
        Kind,
        NewFile, //
    },
};
use crate::{
    abi::{
        op::{
            Op,
            Open,
            OpenOut,
            Opendir, //
        },
        InitFlags, //
    },
    fs::{
        conn::connection::Conn,
        request::held::Afterwards,
        Inode,
        OpeningFile, //
    },
    kapi::vfs::fcntl::{
        O_ACCMODE,
        O_CREAT,
        O_EXCL,
        O_NOCTTY,
        O_RDWR,
        O_TRUNC,
        O_WRONLY, //
    },
    transport::Outcome, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

/// `open(2)` of a file that is there.
pub(in crate::fs) fn open(inode: &Inode, file: &OpeningFile) -> Result<Arc<FuseFile>> {
    inode.settle();
    inode.check_bad()?;
    file.generic_file_open(inode)?;

    let data = FuseFile::open(inode, file.flags(), Kind::File)?;
    if let Err(e) = finish_open(inode, file, &data) {
        data.sync_release(file.flags(), None);
        return Err(e);
    }

    if let Err(e) = drop_stale(inode, &data, file.flags()) {
        data.sync_release(file.flags(), None);
        return Err(e);
    }
    Ok(data)
}

impl FuseFile {
    /// Opens an inode for open(2) with `flags` (`fuse_file_open()`). May sleep.
    pub(in crate::fs) fn open(inode: &Inode, flags: u32, kind: Kind) -> Result<Arc<Self>> {
        Self::open_then(inode, flags, kind, || {
            // The VFS has taken write access before.
            let writes = inode.is_reg() && matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR);
            let closer = Closer::current(inode.conn(), writes.then_some(inode));
            move |inode: ARef<Inode>, file| Opened::new(inode, file, flags, closer)
        })
    }

    /// Opens an inode for the kernel itself: no pages are dropped, and closing it is RELEASE alone.
    /// May sleep.
    pub(super) fn open_privately(inode: &Inode, flags: u32, kind: Kind) -> Result<Arc<Self>> {
        Self::open_then(inode, flags, kind, || {
            let pid = inode.conn().caller_nocreds().pid;
            move |inode: ARef<Inode>, file: Arc<Self>| {
                file.attach(&inode);
                file.set_left_by(pid);
                file.release(flags);
            }
        })
    }

    /// Opens an inode. Where the caller leaves, `behind` makes what is done with the file.
    #[inline(always)]
    fn open_then<A: Afterwards, B>(
        inode: &Inode,
        flags: u32,
        kind: Kind,
        behind: impl FnOnce() -> B,
    ) -> Result<Arc<Self>>
    where
        B: FnOnce(ARef<Inode>, Arc<Self>) -> A + Send + 'static,
    {
        let (conn, nodeid) = (inode.conn(), inode.nodeid());
        let mut file = Some(NewFile::new(conn, kind)?);
        let wire = wire_flags(conn, flags);
        let open = Open {
            flags: wire,
            kill_suidgid: wire & O_TRUNC != 0 && conn.kill_suidgid(),
        };
        let then = || {
            let (behind, file, inode) = (behind(), file.take(), ARef::from(inode));
            move |outcome: &mut Outcome<'_>| {
                let file = match outcome.parse(OpenOut::decode) {
                    Ok(out) => file?.opened(inode.nodeid(), out),
                    Err(e) if e == ENOSYS => file?.opened_without_asking(inode.nodeid()),
                    Err(_) => return None,
                };
                Some(behind(inode, file))
            }
        };
        let out = match kind {
            Kind::File => conn.unless_lacking(Open::OPCODE, || conn.call_then(inode, &open, then)),
            Kind::Dir => conn.unless_lacking(Opendir::OPCODE, || {
                conn.call_then(inode, &Opendir(open), then)
            }),
        }?;
        let file = file.ok_or(EINTR)?;
        Ok(match out {
            Some(out) => file.opened(nodeid, out),
            None => file.opened_without_asking(nodeid),
        })
    }
}

/// The flags of open(2) that the daemon is told of.
fn wire_flags(conn: &Conn, flags: u32) -> u32 {
    let mut hidden = O_CREAT | O_EXCL | O_NOCTTY;
    if !conn.agreed(InitFlags::ATOMIC_O_TRUNC) {
        hidden |= O_TRUNC;
    }
    flags & !hidden
}
