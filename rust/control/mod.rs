// SPDX-License-Identifier: GPL-2.0

//! What an administrator sees and sets: the control filesystem, the sysctls `fs.fuse.*`, defaults of
//! the module's parameters, and debugfs.
//!
//! C counterpart: `control.c`, `sysctl.c`. Sits on the transport, and knows no inode of a mount; `fs`
//! tells it of each connection ([`connections`]).

pub(crate) mod connections;
mod debugfs;
mod fusectl;
mod knobs;

use crate::kapi::{
    device::{
        debugfs as root,
        sysfs::SysfsMountPoint, //
    },
    fuse::{
        moduleparam,
        sysctl::SysctlTable, //
    },
    vfs::file_system_type, //
};
use kernel::prelude::*;

/// What is registered while the module is loaded. Dropped in this order at unload.
pub(crate) struct Registration {
    _fusectl: file_system_type::Registration<fusectl::FuseCtl>,
    _mount_point: SysfsMountPoint,
    _sysctls: SysctlTable,
    _debug: root::Root,
}

impl Registration {
    /// Registers it.
    ///
    /// # Errors
    ///
    /// ENOMEM, EEXIST, EBUSY.
    pub(crate) fn new() -> Result<Self> {
        moduleparam::init();
        let sysctls = SysctlTable::register()?;
        let mount_point = SysfsMountPoint::new(c"fuse", c"connections")?;
        Ok(Self {
            _fusectl: fusectl::FUSE_CTL_FS_TYPE.register()?,
            _mount_point: mount_point,
            _sysctls: sysctls,
            _debug: root::Root::new(c"fuse"),
        })
    }
}
