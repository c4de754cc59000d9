// SPDX-License-Identifier: GPL-2.0

//! Locks of files: GETLK, SETLK, SETLKW.
//!
//! C counterpart: `fuse_file_lock()`, `fuse_file_flock()` (file.c). Takes no locks of the kernel;
//! sleeps for the daemon's answer, or where locks are this machine's, for others to give theirs
//! back.
//!
//! The daemon keeps what it has granted; the kernel remembers nothing of it but that there was a
//! lock of flock(2). So nothing is sent when a file is closed: POSIX locks go by FLUSH, those of
//! flock(2) by RELEASE, and an open file's own ones when the daemon hears by RELEASE that it is
//! closed.

use super::fuse_file::FuseFile;
use crate::{
    abi::{
        op::{
            Getlk,
            Lk,
            Setlk,
            Setlkw, //
        },
        Creds,
        InitFlags,
        LockKind,
        LockRange,
        NodeId,
        Op, //
    },
    fs::{
        conn::connection::Conn,
        request::{
            call::{
                Holds,
                Subject, //
            },
            held::{
                Afterwards,
                Held, //
            },
        },
        File, //
    },
    kapi::{
        mm::gfp::Gfp,
        task::pid_namespace::init_pid_nr,
        vfs::{
            file::FlOwner,
            file_lock::{
                FileLock,
                Flock,
                Locked,
                Posix, //
            },
            file_operations::LockCommand, //
        },
    },
    transport::{
        Next,
        Outcome,
        Prepared, //
    },
};
use core::cell::Cell;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Does something with a POSIX lock, or with an open file's own one.
///
/// # Errors
///
/// The daemon's; EIO if a lock that it tells of makes no sense; EINTR and its like; ENOLCK for a
/// lock manager.
pub(in crate::fs) fn lock(file: &File, cmd: LockCommand, fl: &FileLock<Posix>) -> Result<Locked> {
    let remote = file.data().conn.agreed(InitFlags::POSIX_LOCKS);
    match cmd {
        LockCommand::Cancel => {}
        LockCommand::Get if remote => getlk(file, fl)?,
        LockCommand::Get => file.posix_test_lock(fl),
        LockCommand::Set if remote => set_posix(file, fl)?,
        LockCommand::Set => return file.posix_lock_file(fl),
    }
    Ok(Locked::Done)
}

/// Takes a lock of flock(2), or gives it back.
///
/// # Errors
///
/// As [`lock`].
pub(in crate::fs) fn flock(file: &File, fl: &FileLock<Flock>) -> Result {
    let data = file.data();
    if !data.conn.agreed(InitFlags::FLOCK_LOCKS) {
        return file.locks_lock_file_wait(fl);
    }
    let lk = Lk {
        pid: setter(&data.conn, fl),
        flock: true,
        ..lk(file, fl)?
    };
    let then = || {
        let data = Arc::<FuseFile>::from(file.data_arc());
        move |outcome: &mut Outcome<'_>| {
            if outcome.result().is_ok() {
                data.set_flock(lk.owner);
            }
        }
    };
    let conn = &data.conn;
    let done = if fl.may_sleep() {
        conn.call_then(file, &Setlkw(lk), then)
    } else {
        conn.call_then(file, &Setlk(lk), then)
    };
    done.map_err(restarted)?;
    data.set_flock(lk.owner);
    Ok(())
}

/// What the daemon is asked for (`fuse_lk_fill()`).
fn lk<K>(file: &File, fl: &FileLock<K>) -> Result<Lk> {
    let data = file.data();
    let (start, end) = fl.range();
    Ok(Lk {
        fh: data.fh,
        owner: data.conn.lock_owner(fl.owner()),
        // The VFS has seen to both.
        range: LockRange::new(start, end).ok_or(EINVAL)?,
        kind: LockKind::new(fl.kind()).ok_or(EINVAL)?,
        pid: 0,
        flock: false,
    })
}

/// The process that takes a lock, as the daemon knows it.
fn setter<K>(conn: &Conn, fl: &FileLock<K>) -> u32 {
    if fl.kind() == LockKind::Unlock.get() {
        return 0;
    }
    u32::try_from(current!().tgid_nr_ns(Some(&conn.pid_ns))).unwrap_or(0)
}

/// Locking is restarted after a signal.
fn restarted(error: Error) -> Error {
    if error == EINTR {
        ERESTARTSYS
    } else {
        error
    }
}

/// Asks for a lock that is in the way.
fn getlk(file: &File, fl: &FileLock<Posix>) -> Result {
    let conn = &file.data().conn;
    match conn.call(file, &Getlk(lk(file, fl)?))? {
        None => fl.set_unlocked(),
        Some(lock) => {
            // The VFS makes of it what it is called in the caller's namespace.
            let pid = init_pid_nr(lock.pid as i32, &conn.pid_ns);
            fl.set_conflict(lock.kind.get(), lock.range.get(), pid);
        }
    }
    Ok(())
}

/// Takes a POSIX lock, or gives it back.
fn set_posix(file: &File, fl: &FileLock<Posix>) -> Result {
    let conn = &file.data().conn;
    if fl.has_lm_grant() {
        // Those would have to be told later.
        return Err(ENOLCK);
    }
    let lk = Lk {
        pid: setter(conn, fl),
        ..lk(file, fl)?
    };
    let asked = Asked {
        file,
        owner: fl.owner(),
        lk,
        id: Cell::new(None),
    };
    let done = if fl.may_sleep() {
        asked.send(&Setlkw(lk))
    } else {
        asked.send(&Setlk(lk))
    };
    done.map_err(restarted)
}

/// A POSIX lock that is asked for.
struct Asked<'a> {
    file: &'a File,
    owner: FlOwner,
    lk: Lk,
    /// The caller has left, and may yet be granted it: its number.
    id: Cell<Option<u64>>,
}

impl Asked<'_> {
    fn send<O: Op<Out = ()>>(&self, op: &O) -> Result {
        let conn = &self.file.data().conn;
        if self.lk.kind != LockKind::Unlock {
            let node = self.file.inode().nodeid();
            conn.left.await_lock(self.owner, node)?;
        }
        conn.call_then(self, op, || {
            let asked = self.id.get().map(|id| (id, self.give_back()));
            move |outcome: &mut Outcome<'_>| {
                let (id, give_back) = asked?;
                let granted = outcome.result().is_ok();
                (granted && give_back.conn.left.locks.granted(id)).then_some(give_back)
            }
        })
    }

    /// What takes it back, should nobody own it.
    fn give_back(&self) -> GiveBack {
        let conn = &self.file.data().conn;
        let unlock = Lk {
            kind: LockKind::Unlock,
            pid: 0,
            ..self.lk
        };
        GiveBack {
            conn: conn.clone(),
            node: self.file.inode().nodeid(),
            caller: conn.caller_munged(),
            unlock: Setlk(unlock),
            request: conn.chan.prepare(Gfp::KERNEL | Gfp::ACCOUNT).ok(),
            sent: false,
        }
    }
}

impl Holds for &Asked<'_> {
    fn hold(&self, held: &mut Held) -> Result {
        held.file(self.file)?;
        if self.lk.kind != LockKind::Unlock {
            held.lock(self.owner, self.file.inode())?;
            self.id.set(Some(held.id()));
        }
        Ok(())
    }
}

impl Subject for &Asked<'_> {
    fn node(&self) -> NodeId {
        self.file.inode().nodeid()
    }
}

/// The unlock of a lock that was granted to a caller which had left, when its open files had been
/// closed. What is locked has been closed by then, so RELEASE comes after it.
struct GiveBack {
    conn: Arc<Conn>,
    node: NodeId,
    caller: Creds,
    unlock: Setlk,
    /// If there was memory to be charged to the caller.
    request: Option<Prepared>,
    sent: bool,
}

impl Afterwards for GiveBack {
    fn keeps(&self) -> bool {
        true
    }

    fn after(&mut self) -> Next {
        if core::mem::replace(&mut self.sent, true) {
            return Next::Done;
        }
        let request = match self.request.take() {
            Some(request) => Ok(request),
            // Without an error, as it is waited for.
            None => self.conn.chan.prepare(Gfp::KERNEL | Gfp::NOFAIL),
        };
        match request {
            Ok(request) => (self.conn).call_behind(request, self.node, self.caller, &self.unlock),
            Err(_) => Next::Done,
        }
    }
}
