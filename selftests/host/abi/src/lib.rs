// SPDX-License-Identifier: GPL-2.0

//! The module's `abi` layer as a crate on the host: the same files, for tests and for daemons of our
//! own.

#![no_std]
#![warn(missing_docs)]

#[path = "../../../../rust/abi/mod.rs"]
pub mod abi;
