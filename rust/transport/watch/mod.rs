// SPDX-License-Identifier: GPL-2.0

//! What looks on at the requests of a channel, and at those who wait for them.
//!
//! - [`look`]: one by one, for debugfs,
//! - [`timeout`]: those that take too long,
//! - [`suspend`]: whose callers are to be frozen.
//!
//! Uses [`chan`](super::chan) alone; nothing in transport uses it.

pub(super) mod look;
pub(crate) mod suspend;
mod timeout;
