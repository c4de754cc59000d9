// SPDX-License-Identifier: GPL-2.0

//! Which callers may be frozen where they wait, and when.
//!
//! A caller that waits for its answer would hold up a suspend; in C it does, and the suspend fails.
//! Frozen where it sleeps it holds up nothing. But it may hold locks of the VFS: frozen by itself,
//! as a control group's freezer (v1) does, it would hold up all who want them, though the daemon
//! has answered. The kernel has one kind of sleep for both freezers, so callers sleep so only while
//! a suspend is on its way or the machine is suspended. Whoever sleeps already when that begins or
//! ends is woken up once and sleeps again (`watch/suspend.rs`), see
//! [`wait`](crate::kapi::sync::wait#freezing).
//!
//! No counterpart in C. Takes no lock.

use super::request::Req;
use crate::kapi::fuse::moduleparam;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// From before tasks are frozen until they have been thawed.
static SUSPENDING: Atomic<bool> = Atomic::new(false);

/// Whether a caller that waits for its answer may be frozen there. In C it never may.
#[inline]
pub(in crate::transport) fn may_freeze_caller() -> bool {
    SUSPENDING.load(Relaxed) && moduleparam::killable()
}

/// Whether a caller that is held back may be frozen there. In C it always may, with lockdep's
/// warning if it holds locks.
pub(super) fn may_freeze_at_gate() -> bool {
    SUSPENDING.load(Relaxed) || !moduleparam::killable()
}

/// From now on callers sleep so, or no more; those that sleep already are to be woken up.
pub(in crate::transport) fn set_suspending(suspending: bool) {
    SUSPENDING.store(suspending, Relaxed);
}

/// A request is in the engine again after it was out of it, so that a round may have missed it. A
/// short copy that it is out for ends with its caller woken up anyway.
#[cold]
pub(in crate::transport) fn relisted(req: &Req) {
    // The round has had the engine's lock since it changed this, or sees the request.
    if SUSPENDING.load(Relaxed) {
        req.wait.wake_up();
    }
}
