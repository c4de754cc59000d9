// SPDX-License-Identifier: GPL-2.0

//! Under loom: every execution that the memory model allows, of few threads.

mod lending;
mod scenarios;
mod sync;
mod waiting;

#[path = "../rig/mod.rs"]
mod rig;

use super::engine;
