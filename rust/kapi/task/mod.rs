// SPDX-License-Identifier: GPL-2.0

//! Tasks, and who they are: credentials, ids, namespaces; suspend, which stops them all.
//!
//! - [`sched`]: `struct task_struct`: the current task, its signals, its name,
//! - [`compat`]: tasks of another width than the kernel's,
//! - [`cred`]: `struct cred`,
//! - [`uidgid`]: `kuid_t`, `kgid_t`,
//! - [`user_namespace`]: `struct user_namespace`,
//! - [`pid_namespace`]: `struct pid_namespace`,
//! - [`suspend`]: being told of it (`register_pm_notifier()`).
//!
//! May use no other room. Used by `sync`, `vfs` and `page_cache`, and by `transport`, `fs` and
//! `control`.

pub(crate) mod compat;
pub(crate) mod cred;
pub(crate) mod pid_namespace;
pub(crate) mod sched;
pub(crate) mod suspend;
pub(crate) mod uidgid;
pub(crate) mod user_namespace;
