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
    file_system::{
        FileSystem,
        Single,
        Tree, //
    },
    file_system_type::FileSystemType,
    fs_context::FsContext,
    fs_parser::{
        FsParameterSpec,
        FsParameterTable, //
    },
    new_super::{
        DyingSuper,
        FilledSuper,
        NewSuperBlock, //
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
pub(super) static FUSE_CTL_FS_TYPE: FileSystemType<Fusectl> =
    FileSystemType::new(this_module::<crate::FuseModule>());

/// The type, as the VFS uses it.
pub(super) enum Fusectl {}

#[vtable]
impl FileSystem for Fusectl {
    const NAME: &'static CStr = c"fusectl";
    const FS_FLAGS: u32 = 0;
    const PARAMETERS: FsParameterTable = {
        static ROWS: [FsParameterSpec; 1] = [FsParameterSpec::END];
        FsParameterTable::new(&ROWS)
    };

    type Types = FuseCtl;
    type Making = Single;
    type Context = ();

    fn init_fs_context(_fc: &FsContext) -> Result<KBox<()>> {
        Ok(KBox::new((), GFP_KERNEL)?)
    }

    fn get_tree(_ctx: &mut (), _fc: &FsContext) -> Result<Tree<()>> {
        Ok(Tree::Make(()))
    }

    fn fill_super<'a>(
        _ctx: &mut (),
        _fc: &FsContext,
        sb: NewSuperBlock<'a, FuseCtl>,
    ) -> Result<FilledSuper<'a, FuseCtl>> {
        let sb = sb.simple_fill_super(FUSE_CTL_SUPER_MAGIC)?;
        connections::show_all(&sb)?;
        Ok(sb)
    }

    fn kill_sb(_sb: DyingSuper<'_, FuseCtl>) {
        connections::hide_all();
    }
}
