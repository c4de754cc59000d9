// SPDX-License-Identifier: GPL-2.0

//! The filesystem type `fuse`.
//!
//! C counterpart: `fuse_fs_type`, `fuse_kill_sb_anon`, `fuse_conn_destroy` (inode.c).

use crate::{
    control::connections,
    fs::{
        mount::options::{
            MountContext,
            PARAMETERS, //
        },
        name::expiry,
        Fuse,
        SuperBlock, //
    },
    kapi::vfs::{
        file_system_type::{
            FileSystem,
            FileSystemType,
            FS_ALLOW_IDMAP,
            FS_HAS_SUBTYPE,
            FS_USERNS_MOUNT, //
        },
        inode_hold, //
    },
    transport::suspend, //
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
        let chan = &sb.data().conn.chan;
        expiry::remove(sb);
        suspend::remove(chan);
        // Without a root the device was never installed: there is nobody to talk to.
        if !sb.has_root() {
            return;
        }
        chan.abort(false);
        chan.wait_aborted();
        connections::remove(sb.s_dev());
        // Inodes of files whose RELEASE has just ended.
        inode_hold::flush();
    }
}
