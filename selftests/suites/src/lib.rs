// SPDX-License-Identifier: GPL-2.0

//! What the suites share.

pub mod daemon;
pub mod fusectl;
pub mod killable;
pub mod releases;
pub mod setting;
pub mod tracing;
pub mod userns;

/// The file of tests that wait for a later issue.
pub const GAPS: &str = include_str!("../../expected-gaps");
