// SPDX-License-Identifier: GPL-2.0

//! Locks, waiting, work items, RCU.

pub(crate) mod mutex;
pub(crate) mod rcu;
pub(super) mod rwsem;
pub(crate) mod wait;
pub(crate) mod workqueue;
