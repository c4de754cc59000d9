// SPDX-License-Identifier: GPL-2.0

//! A channel and its requests.

pub(super) mod abort;
pub(super) mod channel;
pub(super) mod forgets;
pub(super) mod freeze;
pub(super) mod gate;
pub(super) mod latency;
pub(super) mod left;
pub(super) mod queues;
pub(super) mod readers;
pub(super) mod request;
pub(super) mod submit;
