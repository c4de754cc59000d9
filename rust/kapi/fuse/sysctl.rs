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
use core::ffi::c_void;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The registered table. Dropping it takes it off, which sleeps.
///
/// # Invariants
///
/// `register_sysctl()` has returned the header, to this one alone; null without CONFIG_SYSCTL.
pub(crate) struct SysctlTable(*mut c_void);

// SAFETY: It may be taken off by another task than the one that registered it.
unsafe impl Send for SysctlTable {}
// SAFETY: Offers nothing by shared reference.
unsafe impl Sync for SysctlTable {}

impl SysctlTable {
    /// Makes `/proc/sys/fs/fuse`, if the kernel has sysctls.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if the names are taken.
    pub(crate) fn register() -> Result<Self> {
        let mut header = core::ptr::null_mut();
        // SAFETY: The table and what it points to are static. The kernel refuses it if there is
        // one with these names.
        to_result(unsafe { bindings::register_sysctls(&mut header) })?;
        // INVARIANT: As said.
        Ok(Self(header))
    }
}

impl Drop for SysctlTable {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; this is dropped once.
        unsafe { bindings::unregister_sysctls(self.0) };
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
