// SPDX-License-Identifier: GPL-2.0

//! User and group ids of the kernel, and what they are in a user namespace.
//!
//! C header: [`include/linux/uidgid.h`](srctree/include/linux/uidgid.h).
//!
//! [`Kuid`] is the kernel crate's, which has no groups, no [`invalid_uid`], and asks the namespace
//! of the current task only. It compares by a call of C where helpers are not inlined: what is
//! asked for each operation compares the numbers.
//!
//! C rule encoded here: the map of `init_user_ns` is the identity, invalid ids included, and can
//! never be written, so that ids of that namespace, which is nearly all daemons', need no walk.

use super::user_namespace::UserNamespace;
use crate::bindings;
use kernel::task::Kuid;

/// A group id, the same in all namespaces (`kgid_t`).
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Kgid(bindings::kgid_t);

/// No user (`INVALID_UID`).
pub(crate) fn invalid_uid() -> Kuid {
    Kuid::from_raw(bindings::kuid_t { val: INVALID })
}

impl Kgid {
    /// No group (`INVALID_GID`).
    pub(crate) const INVALID: Self = Self(bindings::kgid_t { val: INVALID });

    /// Wraps the C value.
    pub(in crate::kapi) const fn from_raw(gid: bindings::kgid_t) -> Self {
        Self(gid)
    }

    /// The C value.
    pub(in crate::kapi) const fn into_raw(self) -> bindings::kgid_t {
        self.0
    }
}

impl PartialEq for Kgid {
    /// C: `gid_eq()`.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.val == other.0.val
    }
}
impl Eq for Kgid {}

/// What no id maps to (`INVALID_UID`, `INVALID_GID`).
const INVALID: u32 = u32::MAX;

/// The kernel's id for `uid` of a namespace; may be invalid (`uid_valid()`).
#[inline]
pub(crate) fn make_kuid(from: &UserNamespace, uid: u32) -> Kuid {
    if from.is_init() {
        return Kuid::from_raw(bindings::kuid_t { val: uid });
    }
    // SAFETY: A borrowed namespace is alive; the function takes no other argument that it trusts.
    Kuid::from_raw(unsafe { bindings::make_kuid(from.as_ptr(), uid) })
}

/// The kernel's id for `gid` of a namespace; may be invalid (`gid_valid()`).
#[inline]
pub(crate) fn make_kgid(from: &UserNamespace, gid: u32) -> Kgid {
    if from.is_init() {
        return Kgid(bindings::kgid_t { val: gid });
    }
    // SAFETY: As for `make_kuid`.
    Kgid(unsafe { bindings::make_kgid(from.as_ptr(), gid) })
}

/// What `uid` is called in a namespace; `None` if it has no name there.
#[inline]
pub(crate) fn from_kuid(to: &UserNamespace, uid: Kuid) -> Option<u32> {
    let uid = if to.is_init() {
        uid.into_raw().val
    } else {
        // SAFETY: A borrowed namespace is alive.
        unsafe { bindings::from_kuid(to.as_ptr(), uid.into_raw()) }
    };
    (uid != INVALID).then_some(uid)
}

/// What `gid` is called in a namespace; `None` if it has no name there.
#[inline]
pub(crate) fn from_kgid(to: &UserNamespace, gid: Kgid) -> Option<u32> {
    let gid = if to.is_init() {
        gid.0.val
    } else {
        // SAFETY: A borrowed namespace is alive.
        unsafe { bindings::from_kgid(to.as_ptr(), gid.0) }
    };
    (gid != INVALID).then_some(gid)
}

/// As [`from_kuid`], with the overflow id for what has no name.
#[inline]
pub(crate) fn from_kuid_munged(to: &UserNamespace, uid: Kuid) -> u32 {
    // SAFETY: A borrowed namespace is alive.
    unsafe { bindings::from_kuid_munged(to.as_ptr(), uid.into_raw()) }
}

/// As [`from_kgid`], with the overflow id for what has no name.
#[inline]
pub(crate) fn from_kgid_munged(to: &UserNamespace, gid: Kgid) -> u32 {
    // SAFETY: A borrowed namespace is alive.
    unsafe { bindings::from_kgid_munged(to.as_ptr(), gid.0) }
}

/// Whether `uid` has a name in a namespace.
#[inline]
pub(crate) fn kuid_has_mapping(ns: &UserNamespace, uid: Kuid) -> bool {
    from_kuid(ns, uid).is_some()
}

/// Whether `gid` has a name in a namespace.
#[inline]
pub(crate) fn kgid_has_mapping(ns: &UserNamespace, gid: Kgid) -> bool {
    from_kgid(ns, gid).is_some()
}
