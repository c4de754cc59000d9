// SPDX-License-Identifier: GPL-2.0

//! The sysctls `fs.fuse.*`.
//!
//! C header: [`include/linux/sysctl.h`](srctree/include/linux/sysctl.h). The table, with the range
//! of each, is in `rust/helpers/sysctl.c`. Read each time that it matters; what is settled for a
//! mount does not change with it. Takes no lock. Without CONFIG_SYSCTL each keeps its default.
//!
//! C rule: `unregister_sysctl_table()` waits for readers and writers; a table outlives its
//! registration.

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The registered table. Dropping it takes it off, which sleeps.
pub(crate) struct SysctlTable(());

impl SysctlTable {
    /// Makes `/proc/sys/fs/fuse`, if the kernel has sysctls. To be called once, when the module is
    /// loaded.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if the names are taken.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: The table and what it points to are static, and it is not registered.
        to_result(unsafe { bindings::register_sysctls() })?;
        Ok(Self(()))
    }
}

impl Drop for SysctlTable {
    fn drop(&mut self) {
        // SAFETY: Registered by `register()`, and taken off once.
        unsafe { bindings::unregister_sysctls() };
    }
}

/// The most pages per request that a daemon gets, 1 to 65535. C: `fuse_max_pages_limit`.
pub(crate) fn max_pages_limit() -> u32 {
    // SAFETY: Reads a variable.
    unsafe { bindings::sysctl_max_pages_limit() }
}

/// Seconds until a request times out, for daemons that ask for none; 0: never. At most 65535. C:
/// `fuse_default_req_timeout`.
pub(crate) fn default_request_timeout() -> u32 {
    // SAFETY: Reads a variable.
    unsafe { bindings::sysctl_default_request_timeout() }
}

/// The most seconds until a request times out, for all daemons; 0: no limit. At most 65535. C:
/// `fuse_max_req_timeout`.
pub(crate) fn max_request_timeout() -> u32 {
    // SAFETY: Reads a variable.
    unsafe { bindings::sysctl_max_request_timeout() }
}
