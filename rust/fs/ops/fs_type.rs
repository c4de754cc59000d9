// SPDX-License-Identifier: GPL-2.0

//! The filesystem type `fuse`.
//!
//! C counterpart: `fuse_fs_type` (inode.c). Takes no locks.

use crate::{
    fs::{
        mount::{
            fill,
            options::{
                MountContext,
                PARAMETERS, //
            },
        },
        Fuse,
        SuperBlock, //
    },
    kapi::vfs::file_system_type::{
        FileSystem,
        FileSystemType,
        FS_ALLOW_IDMAP,
        FS_HAS_SUBTYPE,
        FS_USERNS_MOUNT, //
    },
};
use kernel::{
    module::this_module,
    prelude::*, //
};

/// Type `fuse`.
pub(in crate::fs) static FUSE_FS_TYPE: FileSystemType<Fuse> =
    FileSystemType::new(this_module::<crate::FuseModule>());

impl FileSystem for Fuse {
    const NAME: &'static CStr = c"fuse";
    const FS_FLAGS: u32 = FS_HAS_SUBTYPE | FS_USERNS_MOUNT | FS_ALLOW_IDMAP;
    const PARAMETERS: crate::kapi::vfs::fs_parser::FsParameterTable = PARAMETERS;

    type Context = MountContext;

    fn init_fs_context() -> Result<KBox<MountContext>> {
        MountContext::new()
    }

    fn kill_sb(sb: &SuperBlock) {
        fill::kill_sb(sb);
    }
}
