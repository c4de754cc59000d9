// SPDX-License-Identifier: GPL-2.0

//! Pid namespaces, and what a pid is called in one.
//!
//! C headers: [`include/linux/pid_namespace.h`](srctree/include/linux/pid_namespace.h),
//! [`include/linux/pid.h`](srctree/include/linux/pid.h).
//!
//! The type is the kernel crate's. Its `active_pid_ns()` may find none, which a task in a system
//! call has, and it names groups of threads only, not one.

use super::sched::current_pid;
use crate::bindings;
use kernel::{
    pid_namespace::PidNamespace,
    sync::{
        aref::ARef,
        rcu, //
    },
    task::Task, //
};

/// The namespace of the current task (`task_active_pid_ns(current)`).
pub(crate) fn current_pid_ns() -> ARef<PidNamespace> {
    // SAFETY: The current task has a pid, so its namespace is alive, and has it as long as the
    // task runs, which outlasts the borrow.
    unsafe { PidNamespace::from_ptr(bindings::task_active_pid_ns(Task::current_raw())) }.into()
}

/// The thread id of the current task in a namespace (`pid_nr_ns(task_pid(current), ns)`), 0 if it
/// is not visible there.
#[inline]
pub(crate) fn current_pid_nr_ns(ns: &PidNamespace) -> u32 {
    // In the first one each task has the number that is in the task itself.
    if core::ptr::eq(ns.as_ptr(), &raw mut bindings::init_pid_ns) {
        return u32::try_from(current_pid()).unwrap_or(0);
    }
    // SAFETY: `thread_pid` of the running task is valid while it runs; `pid_nr_ns()` only reads,
    // and the namespace is borrowed.
    let nr = unsafe { bindings::pid_nr_ns((*Task::current_raw()).thread_pid, ns.as_ptr()) };
    u32::try_from(nr).unwrap_or(0)
}

/// What the process that has the number `nr` in a namespace is called in the first one
/// (`pid_nr_ns(find_pid_ns(nr, ns), &init_pid_ns)`); 0 if there is none.
pub(crate) fn init_pid_nr(nr: i32, ns: &PidNamespace) -> i32 {
    let _rcu = rcu::read_lock();
    // SAFETY: The namespace is borrowed, the first one is static; RCU keeps the pid, which may be
    // null, while it is looked at.
    unsafe {
        bindings::pid_nr_ns(
            bindings::find_pid_ns(nr, ns.as_ptr()),
            &raw mut bindings::init_pid_ns,
        )
    }
}
