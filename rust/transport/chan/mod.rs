// SPDX-License-Identifier: GPL-2.0

//! A channel and its requests.

pub(super) mod channel;
pub(super) mod latency;
pub(super) mod request;
