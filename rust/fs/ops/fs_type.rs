// SPDX-License-Identifier: GPL-2.0

//! The filesystem type `fuse`: which function does what for a mount.
//!
//! C counterpart: `fuse_fs_type`, `fuse_context_ops` (inode.c). The VFS holds the context's mutex,
//! and to fill or reconfigure a superblock `s_umount`. Takes no locks; may sleep.

use super::{
    dentry::DENTRY_OPERATIONS,
    export::EXPORT_OPERATIONS,
    superblock::SUPER_OPERATIONS, //
};
use crate::{
    fs::{
        mount::{
            fill,
            options::{
                MountContext,
                PARAMETERS, //
            },
            superblock::Mount, //
        },
        Fuse, //
    },
    kapi::vfs::{
        file_system::{
            FileSystem,
            NoDevice,
            Tree, //
        },
        file_system_type::{
            FileSystemType,
            FS_ALLOW_IDMAP,
            FS_HAS_SUBTYPE,
            FS_USERNS_MOUNT, //
        },
        fs_context::FsContext,
        fs_parameter::FsParameter,
        fs_parser::FsParameterTable,
        new_super::{
            DyingSuper,
            FilledSuper,
            NewSuperBlock, //
        },
    },
};
use kernel::{
    module::this_module,
    prelude::*, //
};

/// Type `fuse`.
pub(in crate::fs) static FUSE_FS_TYPE: FileSystemType<FuseType> =
    FileSystemType::new(this_module::<crate::FuseModule>());

/// The type, as the VFS uses it.
pub(in crate::fs) enum FuseType {}

#[vtable]
impl FileSystem for FuseType {
    const NAME: &'static CStr = c"fuse";
    const FS_FLAGS: u32 = FS_HAS_SUBTYPE | FS_USERNS_MOUNT | FS_ALLOW_IDMAP;
    const PARAMETERS: FsParameterTable = PARAMETERS;

    type Types = Fuse;
    type Making = NoDevice;
    type Context = MountContext;

    fn init_fs_context(_fc: &FsContext) -> Result<KBox<MountContext>> {
        MountContext::new()
    }

    fn parse_param(ctx: &mut MountContext, fc: &FsContext, param: FsParameter<'_>) -> Result {
        ctx.parse_param(fc, param)
    }

    fn get_tree(ctx: &mut MountContext, fc: &FsContext) -> Result<Tree<Mount>> {
        ctx.get_tree(fc)
    }

    fn test_super(ctx: &MountContext, mount: &Mount) -> bool {
        ctx.is_for(mount)
    }

    fn fill_super<'a>(
        ctx: &mut MountContext,
        _fc: &FsContext,
        mut sb: NewSuperBlock<'a, Fuse>,
    ) -> Result<FilledSuper<'a, Fuse>> {
        ctx.set_up(&mut sb)?;
        sb.set_s_export_op(&EXPORT_OPERATIONS);
        ctx.fill(sb.set_operations(&SUPER_OPERATIONS, &DENTRY_OPERATIONS))
    }

    fn reconfigure(_ctx: &mut MountContext, fc: &FsContext) -> Result {
        fill::check_flags(fc.sb_flags())
    }

    fn abort(mount: &Mount) {
        mount.conn.chan.abort();
    }

    fn kill_sb(sb: DyingSuper<'_, Fuse>) {
        fill::kill_sb(&sb);
    }
}
