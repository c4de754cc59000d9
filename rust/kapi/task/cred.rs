// SPDX-License-Identifier: GPL-2.0

//! Credentials of the current task, and those of an open file.
//!
//! C headers: [`include/linux/cred.h`](srctree/include/linux/cred.h),
//! [`include/linux/capability.h`](srctree/include/linux/capability.h).
//!
//! The kernel crate's `Credential` has no namespace and no ids for filesystems, and there is none
//! of the current task. C rules: `current->cred` is replaced by the current task alone, so that it
//! is read without locks or reference, and stays valid as long as nothing in between commits or
//! overrides credentials. Ids do not change once credentials are in use; other fields do, such as
//! the count of references, so that there is no `&cred`.

use super::{
    uidgid::Kgid,
    user_namespace::UserNamespace, //
};
use crate::bindings;
use kernel::{
    fs::LocalFile,
    task::{
        Kuid,
        Task, //
    },
};

/// A capability that there is: `capable()` is a BUG for any other number.
#[derive(Clone, Copy)]
pub(crate) struct Capability(u32);

/// May set what chmod(2) would clear.
pub(crate) const CAP_FSETID: Capability = Capability(bindings::CAP_FSETID);
/// The administrator's.
pub(crate) const CAP_SYS_ADMIN: Capability = Capability(bindings::CAP_SYS_ADMIN);

/// `current_cred()`, for this file only: nothing called while it is in use changes credentials.
#[inline]
fn current_cred() -> *const bindings::cred {
    // SAFETY: The current task is valid, and only it writes the field.
    unsafe { (*Task::current_raw()).cred }
}

/// The uid that the current task acts with on filesystems.
#[inline]
pub(crate) fn current_fsuid() -> Kuid {
    // SAFETY: They are valid until this task replaces them, and the field does not change.
    Kuid::from_raw(unsafe { (*current_cred()).fsuid })
}

/// The gid that the current task acts with on filesystems.
#[inline]
pub(crate) fn current_fsgid() -> Kgid {
    // SAFETY: As in `current_fsuid()`.
    Kgid::from_raw(unsafe { (*current_cred()).fsgid })
}

/// Whether all of the current task's ids (real, effective, saved) are these: it belongs to that
/// user through and through, and is not in the middle of a set-id program.
#[inline]
pub(crate) fn current_ids_all_are(uid: Kuid, gid: Kgid) -> bool {
    let (uid, gid) = (uid.into_raw().val, gid.into_raw().val);
    let cred = current_cred();
    // SAFETY: As in `current_fsuid()`.
    let (uids, gids) = unsafe {
        (
            [(*cred).euid, (*cred).suid, (*cred).uid],
            [(*cred).egid, (*cred).sgid, (*cred).gid],
        )
    };
    uids.iter().all(|id| id.val == uid) && gids.iter().all(|id| id.val == gid)
}

/// Whether the current task has a capability in the initial user namespace. Notes that it was used
/// (`PF_SUPERPRIV`), so ask only where the answer matters.
pub(crate) fn capable(cap: Capability) -> bool {
    // SAFETY: May be called in any task context, with a capability that there is.
    unsafe { bindings::capable(cap.0 as i32) }
}

/// The user namespace that a file's opener was in (`file->f_cred->user_ns`).
pub(crate) fn file_user_ns(file: &LocalFile) -> &UserNamespace {
    let cred = file.cred();
    // SAFETY: The credentials do not change, and the file references them, as they do their
    // namespace.
    unsafe { UserNamespace::from_raw((*cred.as_ptr()).user_ns) }
}
