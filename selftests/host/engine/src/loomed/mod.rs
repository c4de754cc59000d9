// SPDX-License-Identifier: GPL-2.0

//! Under loom: every execution that the memory model allows, of few threads.

mod lending;
mod scenarios;
mod sync;
mod waiting;

// Compiled twice, here over loom's atomics and in mixes over shuttle's: it says super::sync.
#[path = "../rig/mod.rs"]
mod rig;

use super::engine;
