// SPDX-License-Identifier: GPL-2.0

//! What C's module offers or sends and ours does not yet, and what that needs.
//!
//! The only differences on the wire that `wirediff` accepts. A row whose difference is gone is
//! itself reported, so the tables only shrink, to nothing.

use crate::request::Request;
use crate::wire::Op;

/// Flags of INIT that are not yet offered: flag, what it needs.
pub const NOT_YET_OFFERED: &[(&str, &str)] = &[
    ("AUTO_INVAL_DATA", "needs mtime to drop cached data"),
    ("EXPLICIT_INVAL_DATA", "needs size to keep cached data"),
    ("ASYNC_DIO", "needs asynchronous direct I/O"),
    ("WRITEBACK_CACHE", "needs write-back of dirty pages"),
    ("DIRECT_IO_ALLOW_MMAP", "needs shared mappings"),
    ("PASSTHROUGH", "needs passthrough"),
];

/// Requests that are not sent yet, and what they need.
pub const NOT_YET_SENT: &[(Op, &str)] = &[];

/// True for what only C's module sends.
pub fn is_not_yet_sent(op: Op) -> bool {
    NOT_YET_SENT.iter().any(|r| r.0 == op)
}

/// True for a request that comes beside those that a test is about: before a file's data change the
/// kernel asks whether it has capabilities. The daemons of the tests answer it by themselves,
/// unless the test says that it expects it.
pub fn is_unasked(r: &Request) -> bool {
    r.op == Op::GETXATTR && r.name() == "security.capability"
}
