// SPDX-License-Identifier: GPL-2.0

//! The module's parameters, in /sys/module/fuse/parameters.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h). They are defined in
//! `rust/helpers/params.c`. Takes no lock, never sleeps.

use crate::bindings;

/// `killable`: SIGKILL frees a caller whose request the daemon has; else it waits, as with the C
/// module. Read each time that it matters, so that a change takes effect at once.
pub(crate) fn killable() -> bool {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_killable() }
}
