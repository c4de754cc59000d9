// SPDX-License-Identifier: GPL-2.0

//! The filesystem types `fuse` and `fuseblk`: which function does what for a mount.
//!
//! C counterpart: `fuse_fs_type`, `fuseblk_fs_type`, `fuse_context_ops` (inode.c). The VFS holds
//! the context's mutex, and to fill or reconfigure a superblock `s_umount`. Takes no locks; may
//! sleep.

use super::{
    dentry::DENTRY_OPERATIONS,
    export::EXPORT_OPERATIONS,
    superblock::SUPER_OPERATIONS, //
};
#[cfg(CONFIG_BLOCK)]
use crate::kapi::vfs::file_system::BlockDevice;
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
            Making,
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
use core::marker::PhantomData;
use kernel::{
    module::this_module,
    prelude::*, //
};

/// Type `fuse`.
pub(in crate::fs) static FUSE_FS_TYPE: FileSystemType<On<NoDevice>> =
    FileSystemType::new(this_module::<crate::FuseModule>());

/// Type `fuseblk`.
#[cfg(CONFIG_BLOCK)]
pub(in crate::fs) static FUSEBLK_FS_TYPE: FileSystemType<On<BlockDevice>> =
    FileSystemType::new(this_module::<crate::FuseModule>());

/// What is different from type to type.
pub(in crate::fs) trait Device: Making + 'static {
    /// For mount(2).
    const NAME: &'static CStr;
    /// `FS_*`.
    const FS_FLAGS: u32;

    /// A mount in the making.
    fn context() -> Result<KBox<MountContext>>;
}

impl Device for NoDevice {
    const NAME: &'static CStr = c"fuse";
    const FS_FLAGS: u32 = FS_HAS_SUBTYPE | FS_USERNS_MOUNT | FS_ALLOW_IDMAP;

    fn context() -> Result<KBox<MountContext>> {
        MountContext::new()
    }
}

#[cfg(CONFIG_BLOCK)]
impl Device for BlockDevice {
    const NAME: &'static CStr = c"fuseblk";
    const FS_FLAGS: u32 = FS_HAS_SUBTYPE | FS_ALLOW_IDMAP;

    fn context() -> Result<KBox<MountContext>> {
        MountContext::new_blk()
    }
}

/// The type, as the VFS uses it.
pub(in crate::fs) struct On<D>(PhantomData<D>);

#[vtable]
impl<D: Device> FileSystem for On<D> {
    const NAME: &'static CStr = D::NAME;
    const FS_FLAGS: u32 = D::FS_FLAGS;
    const PARAMETERS: FsParameterTable = PARAMETERS;

    type Types = Fuse;
    type Making = D;
    type Context = MountContext;

    fn init_fs_context(_fc: &FsContext) -> Result<KBox<MountContext>> {
        D::context()
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
        fill::end(mount);
    }

    fn kill_sb(sb: DyingSuper<'_, Fuse>) {
        fill::kill_sb(&sb);
    }
}
