// SPDX-License-Identifier: GPL-2.0

//! From options to a superblock, and its end.
//!
//! C counterpart: `fuse_get_tree`, `fuse_fill_super`, `fuse_kill_sb_anon`, `fuse_conn_destroy`
//! (inode.c). The VFS holds `s_umount` while a superblock is filled, and while it is shut down.

use super::{
    destroy,
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
            left::LeftTable,
            polled::PolledFiles, //
        },
        name::expiry,
        notify::notified::Super,
        Fuse, //
    },
    kapi::{
        fuse::numbers::FUSE_SUPER_MAGIC,
        lib::random::get_random_u32s,
        vfs::{
            file_system::Tree,
            fs_context::FsContext,
            new_super::{
                DyingSuper,
                FilledSuper,
                NewSuperBlock,
                RootlessSuper, //
            },
            super_block::{
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
    prelude::*,
    sync::Arc, //
};

/// Percent of the dirty pages that one mount may have; the administrator can raise it in
/// /sys/class/bdi.
const BDI_MAX_RATIO: u32 = 1;

impl MountContext {
    /// `get_tree`: which superblock it is to be.
    ///
    /// # Errors
    ///
    /// EINVAL, ENOMEM.
    pub(in crate::fs) fn get_tree(&self, fc: &FsContext) -> Result<Tree<Mount>> {
        // Of a block device it is found by that: there need be no daemon.
        if self.blksize.is_none() {
            let Some(dev) = &self.dev else {
                return Err(EINVAL);
            };
            if dev.is_installed() {
                // A further mount of what the device serves already.
                return Ok(Tree::Existing(ENOTCONN));
            }
        }
        let conn = Conn::new(
            Chan::new()?,
            self.conn_params(fc.sb_flags()),
            fc.user_ns().into(),
            get_random_u32s(),
            LeftTable::new()?,
            PolledFiles::new()?,
        );
        let conn = Arc::new(conn, GFP_KERNEL)?;
        Ok(Tree::Make(Mount::new(conn)))
    }

    /// Whether a superblock is what the device serves.
    pub(in crate::fs) fn is_for(&self, mount: &Mount) -> bool {
        let mut dev = self.dev.iter();
        dev.any(|dev| dev.is(&mount.conn.chan))
    }

    /// What no mount goes without: the device, and the root's type and permissions.
    ///
    /// # Errors
    ///
    /// EINVAL.
    fn required(&self) -> Result<(&Arc<Device>, (FileType, u16))> {
        match (&self.dev, self.rootmode, self.user_id, self.group_id) {
            (Some(dev), Some(root), Some(_), Some(_)) => Ok((dev, root)),
            _ => Err(EINVAL),
        }
    }

    /// Sets a superblock's fields, before it gets its operations.
    ///
    /// # Errors
    ///
    /// EINVAL if something is missing, or a flag is not for us; ENOMEM.
    pub(in crate::fs) fn set_up(&mut self, sb: &mut NewSuperBlock<'_, Fuse>) -> Result {
        self.required()?;
        check_flags(sb.s_flags())?;

        sb.set_s_magic(FUSE_SUPER_MAGIC);
        sb.set_s_maxbytes(MAX_LFS_FILESIZE);
        sb.set_s_time_gran(1);
        sb.add_s_iflags(SB_I_IMA_UNVERIFIABLE_SIGNATURE | SB_I_NOIDMAP | SB_I_NO_DATA_INTEGRITY);
        if !sb.s_user_ns().is_init() {
            sb.add_s_iflags(SB_I_UNTRUSTED_MOUNTER);
        }
        // The umask is ours to apply, or the daemon's: the VFS keeps off.
        sb.change_s_flags(SB_NOSEC | SB_I_VERSION, SB_POSIXACL);
        let suffix = self.set_blocksize(sb)?;
        sb.set_s_subtype(self.subtype.take());
        sb.setup_bdi(suffix, BDI_MAX_RATIO)
    }

    /// Sets the block size. Returns what the name of the backing device ends with.
    ///
    /// # Errors
    ///
    /// EINVAL if the block device has no such blocks.
    fn set_blocksize(&self, sb: &mut NewSuperBlock<'_, Fuse>) -> Result<&'static CStr> {
        #[cfg(CONFIG_BLOCK)]
        if let Some(blksize) = self.blksize {
            sb.sb_set_blocksize(blksize)?;
            return Ok(c"-fuseblk");
        }
        sb.set_s_blocksize_to_page();
        Ok(c"")
    }

    /// Gives the superblock its root, and sends INIT (`fuse_fill_super_common()`).
    pub(in crate::fs) fn fill<'a>(
        &self,
        sb: RootlessSuper<'a, Fuse>,
    ) -> Result<FilledSuper<'a, Fuse>> {
        let (dev, (kind, perm)) = self.required()?;

        expiry::add(&sb)?;
        let conn = sb.data().conn.clone();
        suspend::add(conn.chan.clone())?;
        let root = sb.root_inode(kind, perm)?;
        let sb = sb.d_make_root(root)?;

        conn.chan.set_connection(sb.s_dev());
        let notified = Super::set_up(&sb)?;
        sb.data().notified.populate(notified);
        let (uid, gid) = (conn.params.user_id, conn.params.group_id);
        connections::add(sb.s_dev(), uid, gid, &conn.chan)?;
        let sync_init = dev.is_sync_init();
        // Of two that mount with one device at the same time, one fails.
        if let Err(e) = conn.chan.install(dev) {
            connections::remove(sb.s_dev());
            return Err(e);
        }
        let sb = sb.set_s_root();
        init::send(&sb, &conn, sync_init)?;
        Ok(sb)
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

/// Before a superblock with a root is shut down (`fuse_conn_destroy()`).
pub(in crate::fs) fn end(mount: &Mount) {
    let conn = &mount.conn;
    if conn.params.on_bdev {
        destroy::send(conn);
    }
    conn.chan.abort();
}

/// `kill_sb`.
pub(in crate::fs) fn kill_sb(sb: &DyingSuper<'_, Fuse>) {
    let chan = &sb.data().conn.chan;
    expiry::remove(sb.live());
    suspend::remove(chan);
    // Without a root the device was never installed: there is nobody to talk to.
    if !sb.has_root() {
        return;
    }
    // It was aborted before others were kept from the superblock: who is on it may have to wait for
    // an answer, as inodes do that go with READs under way.
    chan.wait_aborted();
    connections::remove(sb.s_dev());
    if let Some(notified) = sb.data().notified.as_ref() {
        notified.flush();
    }
}
