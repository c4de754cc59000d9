// SPDX-License-Identifier: GPL-2.0

//! The module's side of the engine in threads, over the engine, the lending word and the wait of
//! the module's own files. Compiled twice: `sync` has loom's primitives or shuttle's.

pub(crate) mod caller;
pub(crate) mod chan;
pub(crate) mod daemon;
pub(crate) mod sched;

use super::{engine, sync};
