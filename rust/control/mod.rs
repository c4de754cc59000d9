// SPDX-License-Identifier: GPL-2.0

//! What an administrator sees and sets: the control filesystem, the sysctls `fs.fuse.*`, defaults
//! of the module's parameters, and debugfs.
//!
//! C counterpart: `control.c`, `sysctl.c`. Sits on the transport, and knows no inode of a mount.
//! `fs` tells it of each mount and unmount, and `main.rs` registers it; nothing else uses it. In
//! reading order, each using only those before it:
//!
//! - [`connection`]: a connection, as an administrator sees it,
//! - [`debugfs`]: its directory in debugfs,
//! - [`knobs`]: the four files that it has in the control filesystem,
//! - [`directory`]: the directory that they are in,
//! - [`connections`]: all that are mounted,
//! - [`fusectl`]: the filesystem type.

mod connection;
pub(crate) mod connections;
mod debugfs;
mod directory;
mod fusectl;
mod knobs;

use crate::kapi::{
    device::{
        debugfs::Root,
        sysfs::SysfsMountPoint, //
    },
    fuse::{
        moduleparam,
        sysctl::SysctlTable, //
    },
    vfs::{
        file_system_type,
        libfs::SimpleTypes,
        types::{
            kind,
            SuperTypes, //
        },
    },
};
use kernel::prelude::*;

/// The types of the control filesystem.
enum FuseCtl {}

impl SuperTypes for FuseCtl {
    type Super = ();
    type Kind = kind::Simple;
}

impl SimpleTypes for FuseCtl {
    type Node = connection::Connection;
}

/// What is registered while the module is loaded. Dropped in this order at unload.
pub(crate) struct Registration {
    _fusectl: file_system_type::Registration,
    _mount_point: SysfsMountPoint,
    _sysctls: SysctlTable,
    _debug: Root,
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
            _debug: Root::new(c"fuse"),
        })
    }
}
