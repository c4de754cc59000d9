// SPDX-License-Identifier: GPL-2.0

//! The filesystem type `fusectl`: a directory for each connection, at /sys/fs/fuse/connections.
//!
//! C counterpart: `fuse_ctl_fs_type`, `fuse_ctl_add_conn`, `fuse_ctl_remove_conn` (control.c). Directories
//! come and go with [`connections`]' mutex held.

use super::{
    connections::{
        self,
        Connection, //
    },
    knobs, //
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
    libfs::{
        Attach,
        Nothing,
        SimpleTypes, //
    },
    super_block::{
        NewSuperBlock,
        SuperBlock, //
    },
    types::Types, //
};
use kernel::{
    module::this_module,
    prelude::*,
    str::{
        CStr,
        Formatter, //
    },
    sync::Arc, //
};

/// `FUSE_CTL_SUPER_MAGIC`: the type in statfs(2).
const FUSE_CTL_SUPER_MAGIC: u32 = 0x6573_5543;

/// The types of the control filesystem.
pub(crate) enum FuseCtl {}

impl Types for FuseCtl {
    type Super = ();
    type Inode = Nothing;
    type Dentry = Nothing;
    type File = Nothing;
}

impl SimpleTypes for FuseCtl {
    type Node = Connection;
}

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
pub(crate) struct Context;

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

/// Makes a connection's directory and files.
///
/// # Errors
///
/// ENOMEM.
pub(super) fn add(sb: &SuperBlock<FuseCtl>, connection: &Arc<Connection>) -> Result {
    let added = try_add(sb, connection);
    if added.is_err() {
        remove(sb, connection);
    }
    added
}

fn try_add(sb: &SuperBlock<FuseCtl>, connection: &Arc<Connection>) -> Result {
    let attach = Attach {
        uid: connection.uid,
        gid: connection.gid,
        node: connection,
    };
    let root = sb.simple_root().ok_or(ENOENT)?;
    let dir = with_name(connection.dev, |name| root.mkdir(name, 0o500, &attach))?;
    dir.create(c"waiting", 0o400, &attach, &knobs::WAITING)?;
    dir.create(c"abort", 0o200, &attach, &knobs::ABORT)?;
    dir.create(c"max_background", 0o600, &attach, &knobs::MAX_BACKGROUND)?;
    dir.create(
        c"congestion_threshold",
        0o600,
        &attach,
        &knobs::CONGESTION_THRESHOLD,
    )
}

/// Removes a connection's directory, if there is one.
pub(super) fn remove(sb: &SuperBlock<FuseCtl>, connection: &Connection) {
    let _ = with_name(connection.dev, |name| {
        if let Some(root) = sb.simple_root() {
            root.remove_by_name(name);
        }
        Ok(())
    });
}

/// Calls `f` with the name of a connection's directory.
fn with_name<R>(dev: u32, f: impl FnOnce(&CStr) -> Result<R>) -> Result<R> {
    // The largest number has ten digits.
    let mut name = [0; 12];
    kernel::fmt::Write::write_fmt(
        &mut Formatter::new(&mut name),
        kernel::prelude::fmt!("{dev}"),
    )
    .map_err(|_| EINVAL)?;
    f(CStr::from_bytes_until_nul(&name).map_err(|_| EINVAL)?)
}
