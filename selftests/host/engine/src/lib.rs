// SPDX-License-Identifier: GPL-2.0

//! The request engine and the word that lends arguments, from the module's own files, on the host.
//!
//! | file | what it does |
//! |---|---|
//! | `model` | callers, readers, writers, abort, release and resend, step by step |
//! | `configs` | how many of each, and what happens to them |
//! | `check`, `interleavings` | all of these under stateright |
//! | `enumerate`, `spec` | all event sequences up to a length, and long random ones, against what C does |
//! | `explore`, `mistakes` | a search that knows its path; wrong use of the engine, each is caught |
//! | `lending` | the lending word under loom |

#![deny(unsafe_code)]
// The module uses more of these files than the tests do.
#![allow(dead_code, unused_imports)]

#[path = "../../../../rust/transport/engine/mod.rs"]
mod engine;
#[path = "../../../../rust/kapi/lend_state.rs"]
mod lend_state;

#[cfg(test)]
mod check;
#[cfg(test)]
mod configs;
#[cfg(test)]
mod enumerate;
#[cfg(test)]
mod explore;
#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod lending;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod model;
#[cfg(test)]
mod spec;
