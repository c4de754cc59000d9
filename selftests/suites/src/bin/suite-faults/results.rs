// SPDX-License-Identifier: GPL-2.0

//! What a system call may give when a fault hits it: what C was seen to give, and where ours
//! differs, why.

use ktap::Impl;
use mockd::errno::*;
use suites::catalogue;

pub use suites::catalogue::OK;

/// What C gave, in several runs of all faults, in calls that are not in the catalogue, which says
/// it of its own. A list without results is of a call that C makes without a place that could fail:
/// where it pins memory of the daemon's, no fault is injected.
const C: &[(&[Errno], &[&str])] = &[
    (
        &[OK, ENOMEM, EFAULT],
        &[
            "utimes",
            "truncate by name",
            "list",
            "umount",
            "device open",
            "open waiting",
            "open max_background",
            "open congestion_threshold",
        ],
    ),
    (
        &[ENOENT, ENOMEM, EFAULT],
        &["lstat, none there", "lstat beyond the slots"],
    ),
    // INIT that cannot be sent ends the connection.
    (&[OK, ENOMEM, EFAULT, ENOTCONN], &["mount", "fsopen"]),
    (
        &[OK, ENOMEM],
        &[
            "write",
            "write in part",
            "mapped",
            "mmap",
            "mmap read fault",
            "direct read",
            "direct write",
            "device clone",
            "splice out",
            "splice in",
            "READ reply, splice",
            "READ reply, SPLICE_F_MOVE",
            "notify STORE",
            "notify RETRIEVE",
        ],
    ),
    (&[ENOMEM, EFAULT], &["direct read to nowhere"]),
    // Whatever the page cache has no memory for is read without it, or later.
    (&[OK, EFAULT], &["read", "read of many pages"]),
    (&[OK], &["readahead", "close"]),
    (&[ENOMEM], &["device read", "INTERRUPT read"]),
    (
        &[EFAULT],
        &[
            "poll",
            "read waiting",
            "read max_background",
            "read congestion_threshold",
            "write max_background",
            "write congestion_threshold",
        ],
    ),
    (
        &[],
        &[
            "device write",
            "device writev",
            "INIT reply",
            "notify RESEND",
            "notify INC_EPOCH",
            "INTERRUPT reply",
            "READ reply",
            "READ reply, writev",
            "write abort",
        ],
    ),
];

/// What ours gives besides.
const OURS: &[(&[Errno], &[&str])] = &[
    // A copy that fails is done again, with the page pinned.
    (
        &[OK],
        &[
            "device read",
            "device write",
            "device writev",
            "INIT reply",
            "notify RESEND",
            "notify INC_EPOCH",
            "INTERRUPT read",
            "INTERRUPT reply",
            "READ reply",
            "READ reply, writev",
        ],
    ),
    // There is no place in the way in which C gets the number of the descriptor.
    (&[EFAULT], &["device clone"]),
    // C has no such files.
    (
        &[OK, ENOMEM, EFAULT],
        &[
            "open requests",
            "read requests",
            "open latency",
            "read latency",
        ],
    ),
    (&[EFAULT], &["write latency 1", "write latency 0"]),
];

/// What the module under test may give in a row.
pub fn allowed(row: &str) -> Vec<Errno> {
    let tables: &[_] = match ktap::implementation() {
        Impl::C => &[C],
        Impl::Rust => &[C, OURS],
    };
    if let Some(results) = catalogue::all()
        .find(|r| r.name == row)
        .and_then(|r| r.faults)
    {
        return results.to_vec();
    }
    let lists = tables.iter().copied().flatten();
    lists
        .filter(|(_, rows)| rows.contains(&row))
        .flat_map(|(results, _)| results.iter().copied())
        .collect()
}

/// Rows in which nothing fails under a function of the module.
const NOT_OF_MODULE: &[&str] = &[
    // The VFS does all that may fail.
    "mmap",
    "poll",
    "open waiting",
    "open max_background",
    "open congestion_threshold",
    "write abort",
    // So do those who read a seq_file.
    "read requests",
    "read latency",
];

/// Whether the module has no place in a row that could fail.
pub fn nothing_of_module(row: &str) -> bool {
    NOT_OF_MODULE.contains(&row) || allowed(row).is_empty()
}
