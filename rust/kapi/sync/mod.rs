// SPDX-License-Identifier: GPL-2.0

//! Locks, waiting, work items, RCU: what `kernel::sync` and `kernel::workqueue` lack.
//!
//! - [`mutex`]: `struct mutex` in a static, and one whose waiters may be killed,
//! - [`rwsem`]: `struct rw_semaphore`,
//! - [`wait`], [`wait_forward`]: `struct wait_queue_head`, `struct rcuwait`,
//! - [`poll`]: what a file is ready for, `__poll_t`,
//! - [`rcu`]: `call_rcu()`: objects that are freed a grace period after their last use,
//! - [`workqueue`]: `struct workqueue_struct`, `struct work_struct`.
//!
//! May use: `task`, `time`, and the order of a wait in `engine`. Used by `vfs`, `page_cache` and
//! `device`, and by `transport`, `fs` and `control`.

pub(crate) mod mutex;
pub(crate) mod poll;
pub(crate) mod rcu;
pub(super) mod rwsem;
pub(crate) mod wait;
pub(crate) mod wait_forward;
pub(crate) mod workqueue;
