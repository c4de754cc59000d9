// SPDX-License-Identifier: GPL-2.0

//! What a request carries, and how it is copied to the daemon and back.
//!
//! - [`copy`]: the daemon's memory, or a pipe of its,
//! - [`payload`]: bytes, folios, a caller's pages,
//! - [`args`]: the message, room for the reply, and the payload,
//! - [`incoming`]: data that a daemon writes unasked,
//! - [`outcome`]: what a request has ended with, for whoever is told.
//!
//! Knows neither requests nor channels, and takes no locks. All other rooms use it.

pub(super) mod args;
pub(super) mod copy;
pub(super) mod incoming;
pub(super) mod outcome;
pub(super) mod payload;
