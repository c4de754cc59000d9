// SPDX-License-Identifier: GPL-2.0

//! What the model of `engine-host` is worth: for each file in `mutants/` a copy of the module's
//! engine and lending word with that bug in it, made by `build.rs`, must be caught by the model.
//! Six of them are bugs that C's queues have had.
//!
//! A crate of its own, unoptimised, since what it costs is compiling.

#![deny(unsafe_code)]
// The model is there once for each copy of the engine.
#![allow(clippy::duplicate_mod)]

#[cfg(test)]
include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
