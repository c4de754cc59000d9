// SPDX-License-Identifier: GPL-2.0

//! Locks of files, POSIX ones and those of `flock(2)`: `struct file_lock`, and the kernel's own
//! locks.
//!
//! C header: [`include/linux/filelock.h`](srctree/include/linux/filelock.h).
//!
//! Rules of C encoded here:
//!
//! - What `file_operations::lock` and `flock` get is a request, which its caller owns: it is in no
//!   list of locks, and nobody else looks at it before it is given to `posix_lock_file()` and its
//!   like, which copy it.
//! - A request of `flock(2)` has FL_FLOCK, any other FL_POSIX. `posix_lock_file()` does not look at
//!   that, so the kind is in the type here.
//! - A range is from `fl_start` to `fl_end`, both included; it ends at OFFSET_MAX if it has no end.

use super::{
    file::{
        File,
        FlOwner, //
    },
    types::Types, //
};
use crate::bindings;
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// A request for a POSIX lock, an open file's own one (F_OFD_SETLK) included.
pub(crate) enum Posix {}

/// A request of `flock(2)`.
pub(crate) enum Flock {}

/// A request for a lock, or to give one back, or a question for one.
#[repr(transparent)]
pub(crate) struct FileLock<K>(Opaque<bindings::file_lock>, PhantomData<K>);

impl<K> FileLock<K> {
    /// Borrows a request.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, of the kind that `K` says, and in no list of locks; nobody else uses it for
    /// `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::file_lock) -> &'a Self {
        // SAFETY: The caller's promise; the layout is that of `struct file_lock`.
        unsafe { &*ptr.cast() }
    }

    /// Who asks: open files of a task or, of `flock(2)` and F_OFD_SETLK, an open file
    /// (`flc_owner`).
    pub(crate) fn owner(&self) -> FlOwner {
        // SAFETY: Valid and ours, by the contract of `from_raw()`; of all below.
        FlOwner::from_ptr(unsafe { (*self.0.get()).c.flc_owner })
    }

    /// F_RDLCK, F_WRLCK or F_UNLCK (`flc_type`).
    pub(crate) fn kind(&self) -> u32 {
        // SAFETY: As above.
        unsafe { (*self.0.get()).c.flc_type }.into()
    }

    /// The first byte, and the last.
    pub(crate) fn range(&self) -> (i64, i64) {
        // SAFETY: As above.
        unsafe { ((*self.0.get()).fl_start, (*self.0.get()).fl_end) }
    }

    /// Whether the caller waits for others to give theirs back (`FL_SLEEP`).
    pub(crate) fn may_sleep(&self) -> bool {
        // SAFETY: As above.
        unsafe { (*self.0.get()).c.flc_flags & bindings::FUSE_CONST_FL_SLEEP != 0 }
    }

    /// Whether the caller is a lock manager that is to be told later (`lm_grant`).
    pub(crate) fn has_lm_grant(&self) -> bool {
        // SAFETY: As above; the operations are null or a constant of the lock manager's.
        unsafe {
            let ops = (*self.0.get()).fl_lmops;
            !ops.is_null() && (*ops).lm_grant.is_some()
        }
    }
}

impl FileLock<Posix> {
    /// Answers a question: there is no lock in the way.
    pub(crate) fn set_unlocked(&self) {
        self.set_kind(bindings::F_UNLCK);
    }

    /// Answers a question: this lock is in the way, of the process that has the number `pid` in the
    /// first namespace.
    pub(crate) fn set_conflict(&self, kind: u32, (start, end): (i64, i64), pid: i32) {
        let fl = self.0.get();
        self.set_kind(kind);
        // SAFETY: Valid and ours, by the contract of `from_raw()`.
        unsafe {
            (*fl).fl_start = start;
            (*fl).fl_end = end;
            (*fl).c.flc_pid = pid;
        }
    }

    fn set_kind(&self, kind: u32) {
        // SAFETY: As above. The kinds are small.
        unsafe { (*self.0.get()).c.flc_type = kind as u8 };
    }
}

/// What has become of a request for a POSIX lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// It is done.
    Done,
    /// It is in the queue of another lock, and its caller is to wait (`FILE_LOCK_DEFERRED`).
    Deferred,
}

impl<T: Types> File<T> {
    /// `posix_test_lock()`: looks for a lock of this machine's that is in the way.
    pub(crate) fn posix_test_lock(&self, fl: &FileLock<Posix>) {
        // SAFETY: The file is live and open, the request is ours and POSIX.
        unsafe { bindings::posix_test_lock(self.as_ptr(), fl.0.get()) };
    }

    /// `posix_lock_file()`: takes a lock of this machine's, or gives it back.
    ///
    /// # Errors
    ///
    /// EAGAIN if another one is in the way, EDEADLK, ENOLCK.
    pub(crate) fn posix_lock_file(&self, fl: &FileLock<Posix>) -> Result<Locked> {
        // SAFETY: The file is live and open, the request is POSIX and in no list. It is put into a
        // queue only where that is said, and then it is not looked at any more.
        match unsafe { bindings::posix_lock_file(self.as_ptr(), fl.0.get()) } {
            n if n == bindings::FILE_LOCK_DEFERRED as i32 => Ok(Locked::Deferred),
            n => to_result(n).map(|()| Locked::Done),
        }
    }

    /// `locks_lock_file_wait()`: takes a lock of this machine's, or gives it back, and waits for
    /// that if the request may sleep.
    ///
    /// # Errors
    ///
    /// EAGAIN if another one is in the way, ERESTARTSYS, ENOLCK, ENOMEM.
    pub(crate) fn locks_lock_file_wait(&self, fl: &FileLock<Flock>) -> Result {
        // SAFETY: The file is live and open, the request is in no list when this begins, nor when
        // it is over.
        to_result(unsafe { bindings::locks_lock_file_wait(self.as_ptr(), fl.0.get()) })
    }
}
