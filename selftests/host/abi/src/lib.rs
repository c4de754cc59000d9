// SPDX-License-Identifier: GPL-2.0

//! The module's `abi` layer as a crate on the host: the same files, for their tests.
//!
//! Where which test stands:
//!
//! | file | what it tests |
//! |---|---|
//! | `rust/abi/op/NAME.rs` | one operation: its bytes, and what is made of its reply |
//! | `rust/abi/op/tests.rs` | every operation: lengths for each version, any buffer, any reply |
//! | `rust/abi/*.rs` | what is in the file: headers, notifications, attributes, entries |
//! | `rust/abi/testing.rs` | no tests: what they share |
//! | `layout.rs`, here | structs, opcodes and flags against the kernel's header |
//! | `random.rs`, here | random replies, to every operation |
//!
//! `ABI_ROUNDS` says how many rounds of random bytes there are, `ABI_SEED` brings a failure back.

#![cfg_attr(not(test), no_std)]
#![warn(missing_docs)]

#[path = "../../../../rust/abi/mod.rs"]
pub mod abi;

#[cfg(test)]
mod layout;
#[cfg(test)]
mod random;
