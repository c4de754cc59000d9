// SPDX-License-Identifier: GPL-2.0

//! Tasks: signals to the current one, and who is who.
//!
//! C headers: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h),
//! [`include/linux/pid.h`](srctree/include/linux/pid.h).

use crate::bindings;
use kernel::{
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// Bytes of a task's name, and a 0.
const TASK_COMM_LEN: usize = bindings::TASK_COMM_LEN as usize;

/// The current task's number (`current->pid`), in the first namespace.
#[inline]
pub(crate) fn current_pid() -> i32 {
    // SAFETY: The current task is there, and its number does not change.
    unsafe { (*Task::current_raw()).pid }
}

/// What tells the current task from all others, also from later ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId {
    addr: usize,
    start: u64,
}

impl TaskId {
    /// Of no task.
    pub(crate) const NONE: Self = Self { addr: 0, start: 0 };

    /// Of the current task.
    pub(crate) fn current() -> Self {
        let task = Task::current_raw();
        Self {
            addr: task.addr(),
            // SAFETY: The current task is there; the field is written before it runs.
            start: unsafe { (*task).start_boottime },
        }
    }
}

/// The name of the task that has this number now, which may be another than had it before. Ends
/// with the first 0.
pub(crate) fn task_comm(pid: i32) -> Option<[u8; TASK_COMM_LEN]> {
    let mut comm = [0; TASK_COMM_LEN];
    // SAFETY: Writes that many bytes.
    unsafe { bindings::task_comm(pid, comm.as_mut_ptr().cast()) }.then_some(comm)
}

/// Lets others run if they should. C: `cond_resched()`. May sleep.
#[inline]
pub(crate) fn cond_resched() {
    // SAFETY: Task context, by the contract of the callers.
    unsafe { bindings::cond_resched_task() };
}

/// Sleeps for about a millisecond, to try something again. Task context.
pub(crate) fn sleep_a_moment() {
    fsleep(Delta::from_millis(1));
}

/// Whether the current task is the kernel's own (`PF_KTHREAD`).
pub(crate) fn is_kthread() -> bool {
    // SAFETY: The current task is there; the flag does not change.
    unsafe { (*Task::current_raw()).flags & bindings::PF_KTHREAD != 0 }
}

/// Whether the current task is killed (`fatal_signal_pending()`).
pub(crate) fn fatal_signal_pending() -> bool {
    // SAFETY: Looks at the current task only.
    unsafe { bindings::signal_pending_state_current(bindings::TASK_KILLABLE) }
}

/// Whether the current task is exiting (`PF_EXITING`). It has no system call any more.
pub(crate) fn exits() -> bool {
    // SAFETY: The current task is there, and only it changes the flag.
    unsafe { (*Task::current_raw()).flags & bindings::PF_EXITING != 0 }
}

/// Whether the current task is exiting because of a signal. No other signal reaches it any more.
pub(crate) fn dies_of_signal() -> bool {
    // SAFETY: Looks at the current task only.
    unsafe { bindings::current_dies_of_signal() }
}
