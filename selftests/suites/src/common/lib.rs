// SPDX-License-Identifier: GPL-2.0

//! What the suites share.

pub mod daemon;
pub mod fusectl;
pub mod killable;
pub mod releases;
pub mod setting;
pub mod settle;
pub mod tracing;
pub mod userns;

/// The number in a variable of the environment, if it is set.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}
