// SPDX-License-Identifier: GPL-2.0

//! What an administrator sees and sets: the sysctls `fs.fuse.*`.
//!
//! C counterpart: `sysctl.c`. Sits on the transport, and knows no inode of a mount.

use crate::kapi::sysctl::SysctlTable;
use kernel::prelude::*;

/// What is registered while the module is loaded.
pub(crate) struct Registration {
    _sysctls: SysctlTable,
}

impl Registration {
    /// Registers it.
    ///
    /// # Errors
    ///
    /// ENOMEM, EEXIST.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            _sysctls: SysctlTable::register()?,
        })
    }
}
