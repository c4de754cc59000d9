// SPDX-License-Identifier: GPL-2.0

//! The current task: signals.
//!
//! C header: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h).

use crate::bindings;

/// Lets others run if they should. C: `cond_resched()`. May sleep.
#[inline]
pub(crate) fn cond_resched() {
    // SAFETY: Task context, by the contract of the callers.
    unsafe { bindings::cond_resched_task() };
}

/// Sleeps for about a millisecond, to try again what lacked memory.
pub(crate) fn sleep_a_moment() {
    // SAFETY: Task context, by the contract of the callers.
    unsafe { bindings::msleep(1) };
}
