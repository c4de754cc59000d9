// SPDX-License-Identifier: GPL-2.0

//! The request engine, the word that lends arguments and the order of a wait, from the module's own
//! files, on the host.
//!
//! | file | what it does |
//! |---|---|
//! | `model` | callers, readers, writers, abort, release and resend, step by step |
//! | `configs` | how many of each, and what happens to them |
//! | `check`, `interleavings` | all of these under stateright |
//! | `enumerate`, `spec` | all event sequences up to a length, long random ones, against C |
//! | `explore`, `mistakes` | a search that knows its path; each wrong use is caught |
//! | `occupied`, `holds` | what callers that have left hold of inodes, against real locks |
//! | `rig` | the module's side in threads: a channel, callers, a daemon |
//! | `loomed` | under loom: the lending word; waits, wake-ups and signals in small |
//! | `mixes` | under shuttle: all of it at once, in eight threads |

#![deny(unsafe_code)]
// The module uses more of these files than the tests do.
#![allow(dead_code, unused_imports)]
// The rig is there for loom and for shuttle.
#![allow(clippy::duplicate_mod)]

#[path = "../../../../rust/engine/mod.rs"]
mod engine;

#[cfg(test)]
mod check;
#[cfg(test)]
mod configs;
#[cfg(test)]
mod enumerate;
#[cfg(test)]
mod explore;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod loomed;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod mixes;
#[cfg(test)]
mod model;
#[cfg(test)]
mod occupied;
#[cfg(test)]
mod spec;
