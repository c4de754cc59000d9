// SPDX-License-Identifier: GPL-2.0

//! The callers' side: what they send, and how they wait for an answer or leave without.
//!
//! - [`call`]: a request and the wait for its answer,
//! - [`background`]: requests that nobody waits for,
//! - [`forget`]: FORGET, which has no answer,
//! - [`notify_reply`]: NOTIFY_REPLY, which has none either,
//! - [`left`]: what is done in place of callers that were killed and have left.
//!
//! Uses [`chan`](super::chan) and [`message`](super::message); used by `fs`.

pub(super) mod background;
pub(super) mod call;
pub(super) mod forget;
pub(super) mod left;
pub(super) mod notify_reply;
