// SPDX-License-Identifier: GPL-2.0

//! What C's module offers or sends and ours does not yet, with the issue that will build it.
//!
//! The only differences on the wire that `wirediff` accepts. A row whose difference is gone is
//! itself reported, so the tables only shrink, to nothing.

use crate::wire::Op;

/// Flags of INIT that are not yet offered: flag, issue.
pub const NOT_YET_OFFERED: &[(&str, &str)] = &[
    ("POSIX_LOCKS", "locks"),
    ("FLOCK_LOCKS", "locks"),
    ("EXPORT_SUPPORT", "export"),
    ("NO_EXPORT_SUPPORT", "export"),
    ("HAS_IOCTL_DIR", "ioctl"),
    ("AUTO_INVAL_DATA", "data"),
    ("EXPLICIT_INVAL_DATA", "data"),
    ("ASYNC_DIO", "data"),
    ("WRITEBACK_CACHE", "data"),
    ("DIRECT_IO_ALLOW_MMAP", "data"),
    ("DO_READDIRPLUS", "directories"),
    ("READDIRPLUS_AUTO", "directories"),
    ("CACHE_SYMLINKS", "directories"),
    ("HANDLE_KILLPRIV", "xattr and security"),
    ("HANDLE_KILLPRIV_V2", "xattr and security"),
    ("POSIX_ACL", "xattr and security"),
    ("SETXATTR_EXT", "xattr and security"),
    ("SECURITY_CTX", "xattr and security"),
    ("CREATE_SUPP_GROUP", "xattr and security"),
    ("PASSTHROUGH", "passthrough"),
    ("ALLOW_IDMAP", "idmapped mounts"),
];

/// Requests that are not yet sent: operation, issue. The mock daemon answers them ENOSYS unasked.
pub const NOT_YET_SENT: &[(Op, &str)] = &[
    (Op::GETXATTR, "xattr and security"),
    (Op::SETXATTR, "xattr and security"),
    (Op::LISTXATTR, "xattr and security"),
    (Op::REMOVEXATTR, "xattr and security"),
    (Op::STATX, "attributes"),
];

/// True for what the mock daemon answers by itself.
pub fn is_not_yet_sent(op: Op) -> bool {
    NOT_YET_SENT.iter().any(|r| r.0 == op)
}
