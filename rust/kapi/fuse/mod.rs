// SPDX-License-Identifier: GPL-2.0

//! This module's own unsafe face: parameters, sysctls, tracepoints, static keys, arguments that are
//! lent.
//!
//! What is here is FUSE's; all other rooms could serve another filesystem.
//!
//! - [`moduleparam`]: the parameters (`rust/helpers/params.c`),
//! - [`inval_wq`]: the parameter that starts and stops a work (`struct delayed_work`),
//! - [`sysctl`]: `struct ctl_table` of `fs.fuse`,
//! - [`trace`]: the tracepoints (`rust/helpers/fuse_trace.h`),
//! - [`jump_label`]: `struct static_key_false`,
//! - [`lockdep`]: `struct lockdep_map` of waits for callers that have left,
//! - [`numbers`]: numbers that C reserves for FUSE,
//! - [`lend`]: who has a request's arguments, as tokens (C: `lock_request()`).
//!
//! May use no other room, and the lending word of `engine`. Used by `transport`, `fs` and
//! `control`.

pub(crate) mod inval_wq;
pub(crate) mod jump_label;
pub(crate) mod lend;
pub(crate) mod lockdep;
pub(crate) mod moduleparam;
pub(crate) mod numbers;
pub(crate) mod sysctl;
pub(crate) mod trace;
