// SPDX-License-Identifier: GPL-2.0

//! The callers' side: what they send, and how they wait for an answer or leave without.

pub(super) mod background;
pub(super) mod call;
pub(super) mod forget;
pub(super) mod left;
