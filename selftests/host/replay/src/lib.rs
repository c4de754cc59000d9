// SPDX-License-Identifier: GPL-2.0

//! Replays what the trace events of a running module tell through the engine's own source: each
//! event must be a step that the engine can take there, with the same outcome.

#![deny(unsafe_code)]
// The module uses more of the engine than a trace tells of.
#![allow(dead_code, unused_imports)]

#[path = "../../../../rust/engine/mod.rs"]
mod engine;

mod event;
mod kit;
mod replay;

pub use event::{parse, Event};
pub use replay::{replay, Summary};
