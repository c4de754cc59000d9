// SPDX-License-Identifier: GPL-2.0

//! The module's parameters, in /sys/module/fuse/parameters.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h). They are defined
//! in `rust/helpers/params.c`. Takes no lock, never sleeps.

use crate::bindings;

/// `killable`: SIGKILL frees a caller whose request the daemon has; else it waits, as with the C
/// module. Read each time that it matters, so that a change takes effect at once.
pub(crate) fn killable() -> bool {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_killable() }
}

/// `keep_on_error`: an error of a LOOKUP that says nothing of a known name does not drop it; else
/// most do, as with the C module.
pub(crate) fn keep_on_error() -> bool {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_keep_on_error() }
}

/// `max_left`: how many callers of a connection may have left, what is done in their place not
/// being done; counts as 2000 if more.
pub(crate) fn max_left() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_max_left() }
}

/// `flush_wait`: seconds that a task which dies of a signal waits for its FLUSHes.
pub(crate) fn flush_wait() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_flush_wait() }
}

/// `allow_sys_admin_access`: CAP_SYS_ADMIN of the initial user namespace opens all mounts.
pub(crate) fn allow_sys_admin_access() -> bool {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_allow_sys_admin_access() }
}

/// `max_user_bgreq`: the most background requests that an unprivileged daemon gets.
pub(crate) fn max_user_bgreq() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_max_user_bgreq() }
}

/// `max_user_congthresh`: the highest congestion threshold that an unprivileged daemon gets.
pub(crate) fn max_user_congthresh() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_max_user_congthresh() }
}

/// Gives parameters that were not set at load, and depend on the machine, their defaults. For
/// module init, before anything asks for them.
pub(crate) fn init() {
    // SAFETY: Writes variables whose readers and writers take what there is.
    unsafe { bindings::params_init() };
}
