// SPDX-License-Identifier: GPL-2.0

//! From options to a superblock, and its end.
//!
//! C counterpart: `fuse_get_tree`, `fuse_fill_super`, `fuse_kill_sb_anon`, `fuse_conn_destroy`
//! (inode.c). The VFS holds `s_umount` while a superblock is filled, and while it is shut down.

use super::{
    init,
    options::MountContext,
    superblock::Mount, //
};
use crate::{
    abi::FileType,
    control::connections,
    fs::{
        conn::{
            connection::Conn,
            left::LeftTable, //
        },
        name::expiry,
        notify::notified,
        Fuse,
        SuperBlock, //
    },
    kapi::{
        fuse::numbers::FUSE_SUPER_MAGIC,
        lib::random::get_random_u32s,
        sync::rcu::RcuArc,
        vfs::{
            fs_context::FsContext,
            inode_hold,
            super_block::{
                NewSuperBlock,
                MAX_LFS_FILESIZE,
                SB_I_IMA_UNVERIFIABLE_SIGNATURE,
                SB_I_NOIDMAP,
                SB_I_NO_DATA_INTEGRITY,
                SB_I_UNTRUSTED_MOUNTER,
                SB_I_VERSION,
                SB_MANDLOCK,
                SB_NOSEC,
                SB_POSIXACL, //
            },
        },
    },
    transport::{
        suspend,
        Chan,
        Device, //
    },
};
use kernel::{
    page::PAGE_SHIFT,
    prelude::*,
    sync::Arc, //
};

/// Percent of the dirty pages that one mount may have; the administrator can raise it in
/// /sys/class/bdi.
const BDI_MAX_RATIO: u32 = 1;

impl MountContext {
    /// `get_tree`.
    pub(in crate::fs) fn get_tree(&mut self, fc: &FsContext<Self>) -> Result {
        let Some(dev) = self.dev.clone() else {
            return Err(EINVAL);
        };
        if dev.is_installed() {
            // A further mount of what the device serves already.
            return fc.get_tree_existing(|sb| dev.is(&sb.data().conn.chan), ENOTCONN);
        }
        let conn = RcuArc::new(Conn::new(
            Chan::new()?,
            self.conn_params(fc.sb_flags()),
            fc.user_ns().into(),
            get_random_u32s(),
            LeftTable::new()?,
        ))?;
        fc.get_tree_nodev(self, Mount { conn })
    }

    /// Whether a superblock can be made of it.
    ///
    /// # Errors
    ///
    /// EINVAL.
    pub(in crate::fs) fn check(&self, sb: &NewSuperBlock<'_, Fuse>) -> Result {
        self.required()?;
        check_flags(sb.s_flags())
    }

    /// What no mount goes without: the device, and the root's type and permissions.
    fn required(&self) -> Result<(&Arc<Device>, (FileType, u16))> {
        match (&self.dev, self.rootmode, self.user_id, self.group_id) {
            (Some(dev), Some(root), Some(_), Some(_)) => Ok((dev, root)),
            _ => Err(EINVAL),
        }
    }

    /// Sets up the superblock, which has its operations already, and sends INIT
    /// (`fuse_fill_super_common()`).
    pub(in crate::fs) fn fill_super(&mut self, sb: &mut NewSuperBlock<'_, Fuse>) -> Result {
        let subtype = self.subtype.take();
        let (dev, (kind, perm)) = self.required()?;

        sb.set_s_magic(FUSE_SUPER_MAGIC);
        sb.set_s_maxbytes(MAX_LFS_FILESIZE);
        sb.set_s_time_gran(1);
        sb.add_s_iflags(SB_I_IMA_UNVERIFIABLE_SIGNATURE | SB_I_NOIDMAP | SB_I_NO_DATA_INTEGRITY);
        if !sb.s_user_ns().is_init() {
            sb.add_s_iflags(SB_I_UNTRUSTED_MOUNTER);
        }
        // The umask is ours to apply, or the daemon's: the VFS keeps off.
        sb.change_s_flags(SB_NOSEC | SB_I_VERSION, SB_POSIXACL);
        sb.set_s_blocksize_bits(PAGE_SHIFT as u8);
        sb.set_s_subtype(subtype);
        sb.setup_bdi(BDI_MAX_RATIO)?;

        expiry::add(sb)?;
        let conn = sb.data().conn.clone();
        suspend::add(conn.chan.clone())?;
        let root = sb.root_inode(kind, perm)?;
        let root = sb.d_make_root(root)?;

        conn.chan.set_connection(sb.s_dev());
        notified::set_up(sb)?;
        let (uid, gid) = (conn.params.user_id, conn.params.group_id);
        connections::add(sb.s_dev(), uid, gid, &conn.chan)?;
        let sync_init = dev.is_sync_init();
        // Of two that mount with one device at the same time, one fails.
        if let Err(e) = conn.chan.install(dev) {
            connections::remove(sb.s_dev());
            return Err(e);
        }
        sb.set_s_root(root);
        init::send(sb, &conn, sync_init)
    }
}

/// Whether these flags of mount(2) (`SB_*`) go with a mount of ours.
///
/// # Errors
///
/// EINVAL.
pub(in crate::fs) fn check_flags(sb_flags: usize) -> Result {
    if sb_flags & SB_MANDLOCK != 0 {
        return Err(EINVAL);
    }
    Ok(())
}

/// `kill_sb`.
pub(in crate::fs) fn kill_sb(sb: &SuperBlock) {
    let chan = &sb.data().conn.chan;
    expiry::remove(sb);
    suspend::remove(chan);
    // Without a root the device was never installed: there is nobody to talk to.
    if !sb.has_root() {
        return;
    }
    chan.abort();
    chan.wait_aborted();
    connections::remove(sb.s_dev());
    // Inodes of files whose RELEASE has just ended.
    inode_hold::flush();
}
