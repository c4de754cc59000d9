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

/// Whether the current task has a fatal signal pending. C: `fatal_signal_pending(current)`.
pub(crate) fn fatal_signal_pending() -> bool {
    // SAFETY: Looks at the current task only.
    unsafe { bindings::fatal_signal_pending_current() }
}

/// Whether the current task is exiting because of a signal. No other signal reaches it any more.
pub(crate) fn dies_of_signal() -> bool {
    // SAFETY: Looks at the current task only.
    unsafe { bindings::current_dies_of_signal() }
}
