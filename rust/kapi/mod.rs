// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers over the kernel's C interfaces: C's names, a file for each C struct or header.
//!
//! All unsafe code of the module is here. Each file names its C header and lists the C rules that
//! it encodes; where the kernel crate has the same, it says what is missing there. Rooms by
//! subsystem, from the bottom up; each uses only those above it in this list, as its own page says:
//!
//! - [`lib`]: bits, numbers, queues,
//! - [`time`]: clocks and points in time,
//! - [`task`]: tasks, credentials, namespaces,
//! - [`mm`]: allocation, memory of callers,
//! - [`sync`]: locks, waiting, RCU,
//! - [`vfs`]: superblocks, inodes, dentries, files, and their operations,
//! - [`page_cache`]: folios and what becomes of them,
//! - [`io`]: pipes, direct I/O, iomap,
//! - [`device`]: the misc device, sysfs, debugfs,
//! - [`fuse`]: this module's own: parameters, sysctls, tracepoints, lent arguments; uses no other
//!   room.

/// A function for a table of operations; none if the kernel was built without what it is for.
macro_rules! if_configured {
    ($config:ident, $function:path) => {{
        #[cfg($config)]
        {
            Some($function)
        }
        #[cfg(not($config))]
        {
            None
        }
    }};
}

pub(crate) mod device;
pub(crate) mod fuse;
pub(crate) mod io;
pub(crate) mod lib;
pub(crate) mod mm;
pub(crate) mod page_cache;
pub(crate) mod sync;
pub(crate) mod task;
pub(crate) mod time;
pub(crate) mod vfs;
