// SPDX-License-Identifier: GPL-2.0

//! `rcu_barrier()` does not wait for callbacks that a callback queues. What is freed by RCU owns
//! nothing that is, as nobody but `kapi` can make such a thing.

use crate::kapi::sync::rcu::RcuBox; // error[E0603]
