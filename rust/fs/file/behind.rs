// SPDX-License-Identifier: GPL-2.0

//! What a killed opener would have done: it would have got its descriptor, and have closed it when
//! it exits.
//!
//! C counterpart: `fuse_open()` or `fuse_create_open()` of a task that has a signal pending, and
//! `filp_close()` from `do_exit()`. Here a work item does it in place of a caller that has left,
//! step by step, as it waits for nobody. Takes folio locks.

use super::{
    finish::drop_stale,
    fuse_file::FuseFile,
    give_back::GivenBack, //
};
use crate::{
    abi::{
        op::{
            Flush,
            Op, //
        },
        Creds,
        LockOwner,
        OpenOutFlags, //
    },
    fs::{
        conn::connection::Conn,
        inode::iomode,
        request::held::Afterwards,
        Fuse,
        Inode, //
    },
    kapi::{
        mm::gfp::Gfp,
        vfs::{
            fcntl::{
                FMODE_EXEC,
                O_CREAT,
                O_EXCL,
                O_TRUNC, //
            },
            file::FlOwner,
            write_access::KeptAccess, //
        },
    },
    transport::{
        Next,
        Prepared, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

/// Who will close the file: the task that has left, as the daemon knows it.
pub(in crate::fs) struct Closer {
    caller: Creds,
    owner: LockOwner,
    /// For FLUSH, if there was memory to be charged to the task.
    request: Option<Prepared>,
    /// Goes with RELEASE.
    _access: Option<KeptAccess<Fuse>>,
}

impl Closer {
    /// The current task; with an inode, one that it is opening for writing.
    pub(in crate::fs) fn current(conn: &Conn, writes: Option<&Inode>) -> Self {
        Self {
            caller: conn.caller_munged(),
            owner: conn.lock_owner(FlOwner::current_files().unwrap_or(FlOwner::NONE)),
            request: conn.chan.prepare(Gfp::KERNEL | Gfp::ACCOUNT).ok(),
            _access: writes.and_then(KeptAccess::write),
        }
    }

    /// The task.
    pub(in crate::fs) fn pid(&self) -> u32 {
        self.caller.pid
    }

    /// Memory for FLUSH.
    ///
    /// # Errors
    ///
    /// None, as it is waited for.
    fn request(&mut self, conn: &Conn) -> Result<Prepared> {
        match self.request.take() {
            Some(request) => Ok(request),
            None => conn.chan.prepare(Gfp::KERNEL | Gfp::NOFAIL),
        }
    }
}

/// What comes after the daemon has opened a file for a task that has left: the rest of open(2), and
/// the close.
pub(in crate::fs) struct Opened {
    inode: ARef<Inode>,
    file: Option<Arc<FuseFile>>,
    flags: u32,
    closer: Closer,
    step: Step,
}

enum Step {
    /// It is to be opened.
    Open,
    /// It has been.
    Close,
    /// It could not be.
    GiveBack(GivenBack),
    /// The last request has been made.
    Over,
}

impl Opened {
    /// Of `open(2)` with `flags`.
    pub(in crate::fs) fn new(
        inode: ARef<Inode>,
        file: Arc<FuseFile>,
        flags: u32,
        closer: Closer,
    ) -> Self {
        file.attach(&inode);
        file.set_left_by(closer.pid());
        Self {
            inode,
            file: Some(file),
            flags,
            closer,
            step: Step::Open,
        }
    }

    /// The next step, if this one need not wait.
    fn open(&mut self) -> Option<Step> {
        let (inode, flags) = (&*self.inode, self.flags);
        let Some(file) = &self.file else {
            return Some(Step::Over);
        };
        if inode.is_reg() {
            match iomode::try_open(&file.cached_use, file.open_flags, inode) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(_) => {
                    let given_back = self.file.take().and_then(|f| f.give_back(flags, None));
                    return Some(given_back.map_or(Step::Over, Step::GiveBack));
                }
            }
        }
        // No signal ends this.
        let _ = drop_stale(inode, file, flags);
        Some(Step::Close)
    }

    /// FLUSH, unless there is none.
    fn flush(&mut self) -> Next {
        let Some(file) = &self.file else {
            return Next::Done;
        };
        let (inode, conn) = (&*self.inode, &file.conn);
        if !inode.is_reg()
            // To be executed, it is closed without.
            || self.flags & FMODE_EXEC != 0
            || file.open_flags.contains(OpenOutFlags::NOFLUSH)
            || inode.check_bad().is_err()
            || conn.lacks(Flush::OPCODE)
        {
            return Next::Done;
        }
        let flush = Flush {
            fh: file.fh,
            lock_owner: self.closer.owner,
        };
        match self.closer.request(conn) {
            Ok(request) => conn.call_behind(request, inode.nodeid(), self.closer.caller, &flush),
            Err(_) => Next::Done,
        }
    }
}

impl Afterwards for Opened {
    fn before(&mut self) -> bool {
        if matches!(self.step, Step::Open) {
            match self.open() {
                Some(step) => self.step = step,
                None => return false,
            }
        }
        true
    }

    fn keeps(&self) -> bool {
        matches!(self.step, Step::GiveBack(_))
    }

    fn after(&mut self) -> Next {
        match &mut self.step {
            Step::Close => {
                self.step = Step::Over;
                self.flush()
            }
            Step::GiveBack(given_back) => given_back.after(),
            Step::Open | Step::Over => Next::Done,
        }
    }
}

impl Drop for Opened {
    /// The close.
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // RELEASE goes with the last reference.
            file.release(self.flags & !(O_CREAT | O_EXCL | O_TRUNC));
        }
    }
}

/// What comes after CREATE for a task that has left.
pub(in crate::fs) enum Created {
    Opened(Opened),
    /// There is no inode for it.
    GivenBack(Option<GivenBack>),
}

impl Afterwards for Created {
    fn before(&mut self) -> bool {
        match self {
            Created::Opened(opened) => opened.before(),
            Created::GivenBack(_) => true,
        }
    }

    fn keeps(&self) -> bool {
        match self {
            Created::Opened(opened) => opened.keeps(),
            Created::GivenBack(_) => true,
        }
    }

    fn after(&mut self) -> Next {
        match self {
            Created::Opened(opened) => opened.after(),
            Created::GivenBack(given_back) => given_back.after(),
        }
    }
}
