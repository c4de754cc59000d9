// SPDX-License-Identifier: GPL-2.0

//! The daemon's side: `/dev/fuse`.
//!
//! - [`installed`]: the channel that an open file serves,
//! - [`reader`]: read(2) and splice(2) from it, requests,
//! - [`messages`]: the same, messages that are no requests,
//! - [`writer`]: write(2) and splice(2) to it,
//! - [`fault`]: both, where pages of the daemon must be faulted in,
//! - [`device`]: the file, its other operations, and how it comes to its channel.
//!
//! Uses [`chan`](super::chan), [`message`](super::message) and what [`notify`](super::notify) does;
//! nothing in transport uses it. Further transports will stand beside it.

pub(super) mod device;
mod fault;
mod installed;
mod messages;
mod reader;
mod writer;
