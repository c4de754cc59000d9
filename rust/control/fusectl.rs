// SPDX-License-Identifier: GPL-2.0

//! The filesystem type `fusectl`: a directory for each connection, at /sys/fs/fuse/connections.
//!
//! C counterpart: `fuse_ctl_fs_type` (control.c). Takes "fuse_mutex", with `s_umount` held; may
//! sleep.

use super::{
    connections,
    FuseCtl, //
};
use crate::kapi::vfs::{
    file_system_type::{
        FileSystem,
        FileSystemType, //
    },
    fs_context::{
        FsContext,
        FsContextOperations, //
    },
    fs_parser::{
        FsParameterSpec,
        FsParameterTable, //
    },
    super_block::{
        NewSuperBlock,
        SuperBlock, //
    },
};
use kernel::{
    module::this_module,
    prelude::*,
    str::CStr, //
};

/// `FUSE_CTL_SUPER_MAGIC`: the type in statfs(2).
const FUSE_CTL_SUPER_MAGIC: u32 = 0x6573_5543;

/// Type `fusectl`.
pub(super) static FUSE_CTL_FS_TYPE: FileSystemType<FuseCtl> =
    FileSystemType::new(this_module::<crate::FuseModule>());

impl FileSystem for FuseCtl {
    const NAME: &'static CStr = c"fusectl";
    const FS_FLAGS: u32 = 0;
    const PARAMETERS: FsParameterTable = {
        static ROWS: [FsParameterSpec; 1] = [FsParameterSpec::END];
        FsParameterTable::new(&ROWS)
    };

    type Context = Context;

    fn init_fs_context() -> Result<KBox<Context>> {
        Ok(KBox::new(Context, GFP_KERNEL)?)
    }

    fn kill_sb(_sb: &SuperBlock<Self>) {
        connections::hide_all();
    }
}

/// A mount of it in the making.
pub(super) struct Context;

#[vtable]
impl FsContextOperations for Context {
    type Types = FuseCtl;

    fn get_tree(&mut self, fc: &FsContext<Self>) -> Result {
        fc.get_tree_single(self, ())
    }

    fn fill_super(&mut self, _fc: &FsContext<Self>, sb: &mut NewSuperBlock<'_, FuseCtl>) -> Result {
        sb.simple_fill_super(FUSE_CTL_SUPER_MAGIC)?;
        connections::show_all(sb)
    }
}
