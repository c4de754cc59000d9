// SPDX-License-Identifier: GPL-2.0

//! One superblock of a connection: its data, and what it tells of itself.
//!
//! C counterpart: `struct fuse_mount`, `fuse_statfs()`, `fuse_sync_fs()`, `fuse_umount_begin()`,
//! `fuse_show_options()` (inode.c). Takes no locks but `s_umount`, to retire a superblock.

use super::options::DEFAULT_BLKSIZE;
use crate::{
    abi::op::{
        Op,
        Statfs,
        Syncfs, //
    },
    fs::{
        conn::connection::Conn,
        notify::notified::Super,
        Dentry,
        SuperBlock, //
    },
    kapi::{
        fuse::numbers::FUSE_SUPER_MAGIC,
        task::uidgid::{
            from_kgid_munged,
            from_kuid_munged, //
        },
        vfs::statfs::{
            KStatFs,
            StatFsCounts, //
        },
    },
};
use kernel::{
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
    sync::{
        Arc,
        SetOnce, //
    },
};

/// A superblock's data, freed a grace period after `kill_sb`, and with it the reference to the
/// connection, which RCU walk reads through this.
pub(in crate::fs) struct Mount {
    pub(in crate::fs) conn: Arc<Conn>,
    /// What notifications do; set when the superblock is set up.
    pub(super) notified: SetOnce<Arc<Super>>,
}

impl Mount {
    /// Of a superblock that is to be set up.
    pub(super) fn new(conn: Arc<Conn>) -> Self {
        Self {
            conn,
            notified: SetOnce::new(),
        }
    }
}

/// `statfs`.
pub(in crate::fs) fn statfs(dentry: &Dentry, buf: &mut KStatFs) -> Result {
    let conn = &dentry.sb().data().conn;
    buf.set_type(FUSE_SUPER_MAGIC);
    if !conn.allow_current_process() {
        return Ok(());
    }
    let inode = dentry.inode().ok_or(ENOENT)?;
    let out = conn.call(inode, &Statfs)?;
    buf.set_counts(&StatFsCounts {
        bsize: out.bsize,
        frsize: out.frsize,
        blocks: out.blocks,
        bfree: out.bfree,
        bavail: out.bavail,
        files: out.files,
        ffree: out.ffree,
        namelen: out.namelen,
    });
    Ok(())
}

/// `umount_begin`.
pub(in crate::fs) fn umount_begin(sb: &SuperBlock) {
    sb.data().conn.chan.abort();
    // The device can be mounted by another daemon at once.
    sb.retire();
}

/// `sync_fs`.
pub(in crate::fs) fn sync_fs(root: &Dentry, wait: bool) -> Result {
    let conn = &root.sb().data().conn;
    // The daemon cannot be asked without waiting for it.
    if !wait || !conn.params.on_bdev {
        return Ok(());
    }
    let inode = root.inode().ok_or(ENOENT)?;
    conn.unless_lacking(Syncfs::OPCODE, || conn.call(inode, &Syncfs))
        .map(drop)
}

/// `show_options`.
pub(in crate::fs) fn show_options(m: &SeqFile, root: &Dentry) -> Result {
    let conn = &root.sb().data().conn;
    let params = &conn.params;
    seq_print!(
        m,
        ",user_id={},group_id={}",
        from_kuid_munged(&conn.user_ns, params.user_id),
        from_kgid_munged(&conn.user_ns, params.group_id)
    );
    if conn.default_permissions() {
        seq_print!(m, ",default_permissions");
    }
    if params.allow_other {
        seq_print!(m, ",allow_other");
    }
    if params.max_read != u32::MAX {
        seq_print!(m, ",max_read={}", params.max_read);
    }
    let blksize = root.sb().s_blocksize();
    if params.on_bdev && blksize != DEFAULT_BLKSIZE as usize {
        seq_print!(m, ",blksize={}", blksize);
    }
    Ok(())
}
