// SPDX-License-Identifier: GPL-2.0

//! Credentials of the current task, and those of an open file.
//!
//! C headers: [`include/linux/cred.h`](srctree/include/linux/cred.h),
//! [`include/linux/capability.h`](srctree/include/linux/capability.h).
//!
//! C rule: `current->cred` is replaced by the current task alone, so that it is read without locks
//! or reference, and stays valid as long as nothing in between commits or overrides credentials.

use super::{
    uidgid::{
        Kgid,
        Kuid, //
    },
    user_namespace::UserNamespace, //
};
use crate::bindings;
use kernel::{
    fs::LocalFile,
    task::Task, //
};

/// `CAP_FSETID` (uapi: fixed).
pub(crate) const CAP_FSETID: u32 = 4;
/// `CAP_SYS_ADMIN` (uapi: fixed).
pub(crate) const CAP_SYS_ADMIN: u32 = 21;

/// `current_cred()`, for this file only: nothing called while it is in use changes credentials.
#[inline]
fn current_cred() -> *const bindings::cred {
    // SAFETY: The current task is valid, and only it writes the field.
    unsafe { (*Task::current_raw()).cred }
}

/// The uid that the current task acts with on filesystems.
#[inline]
pub(crate) fn current_fsuid() -> Kuid {
    // SAFETY: See the rule above.
    Kuid::from_raw(unsafe { (*current_cred()).fsuid })
}

/// The gid that the current task acts with on filesystems.
#[inline]
pub(crate) fn current_fsgid() -> Kgid {
    // SAFETY: See the rule above.
    Kgid::from_raw(unsafe { (*current_cred()).fsgid })
}

/// Whether all of the current task's ids (real, effective, saved) are these: it belongs to that
/// user through and through, and is not in the middle of a set-id program.
#[inline]
pub(crate) fn current_ids_all_are(uid: Kuid, gid: Kgid) -> bool {
    // SAFETY: See the rule above. Credentials do not change once they are in use.
    let cred = unsafe { &*current_cred() };
    [cred.euid, cred.suid, cred.uid]
        .iter()
        .all(|id| Kuid::from_raw(*id) == uid)
        && [cred.egid, cred.sgid, cred.gid]
            .iter()
            .all(|id| Kgid::from_raw(*id) == gid)
}

/// Whether the current task has a capability in the initial user namespace. Notes that it was used
/// (`PF_SUPERPRIV`), so ask only where the answer matters.
pub(crate) fn capable(cap: u32) -> bool {
    // SAFETY: May be called in any task context.
    unsafe { bindings::capable(cap as i32) }
}

/// The user namespace that a file's opener was in (`file->f_cred->user_ns`).
pub(crate) fn file_user_ns(file: &LocalFile) -> &UserNamespace {
    // SAFETY: `f_cred` and its namespace are referenced by the file as long as it lives.
    unsafe { UserNamespace::from_raw((*(*file.as_ptr()).f_cred).user_ns) }
}
