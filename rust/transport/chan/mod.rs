// SPDX-License-Identifier: GPL-2.0

//! A channel and its requests, which need each other: a request counts in its channel until it is
//! freed, and the channel's queues hold requests.
//!
//! - [`channel`]: what INIT has settled, and what the rest of a channel hangs on; with the trait
//!   `Notified`, as a channel keeps what is told of notifications,
//! - [`request`]: one request, from its caller to its end,
//! - [`queues`]: the engine behind its lock, and how its state is changed,
//! - [`slots`]: memory for the engine,
//! - [`forgets`], [`readers`], [`gate`]: messages without reply; daemon threads and callers that
//!   wait,
//! - [`submit`]: a request is queued, interrupted, taken back,
//! - [`left`]: what callers that have left leave to be done,
//! - [`freeze`], [`latency`]: which callers may be frozen; how long requests take,
//! - [`abort`]: the end of a channel.
//!
//! Uses [`message`](super::message) alone; the rooms after it in [`transport`](super) use it.

mod abort;
pub(super) mod channel;
pub(super) mod forgets;
pub(super) mod freeze;
mod gate;
pub(super) mod latency;
pub(super) mod left;
pub(super) mod queues;
mod readers;
pub(super) mod request;
pub(super) mod slots;
mod submit;
