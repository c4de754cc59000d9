// SPDX-License-Identifier: GPL-2.0

//! Sending requests, and what becomes of one whose caller is killed. Uses [`conn`](super::conn);
//! all later rooms use it.
//!
//! In reading order:
//!
//! - [`call`]: sending one on behalf of the current task,
//! - [`bytes`]: one of an operation whose answer is bytes,
//! - [`held`]: what a caller that leaves hands over, and what is done in its place,
//! - [`occupied`]: waiting for what callers that have left still hold.

pub(in crate::fs) mod bytes;
pub(in crate::fs) mod call;
pub(in crate::fs) mod held;
pub(in crate::fs) mod occupied;
