// SPDX-License-Identifier: GPL-2.0

//! The superblock's operations.
//!
//! C counterpart: `fuse_super_operations` (inode.c); what it has for the memory of inodes is in
//! [`inode`](crate::fs::inode::fuse_inode).

use crate::{
    abi::op::Statfs,
    fs::{
        Dentry,
        Fuse,
        SuperBlock, //
    },
    kapi::{
        fuse::numbers::FUSE_SUPER_MAGIC,
        task::uidgid::{
            from_kgid_munged,
            from_kuid_munged, //
        },
        vfs::{
            statfs::{
                KStatFs,
                StatFsCounts, //
            },
            super_operations::{
                SuperOperations,
                SuperOperationsTable, //
            },
        },
    },
};
use kernel::{
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
};

/// The superblock's operations.
pub(in crate::fs) static TABLE: SuperOperationsTable<Fuse> =
    SuperOperationsTable::new::<Operations, crate::fs::inode::fuse_inode::Lifecycle>();

/// The implementation.
pub(in crate::fs) enum Operations {}

impl SuperOperations<Fuse> for Operations {
    fn statfs(dentry: &Dentry, buf: &mut KStatFs) -> Result {
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

    fn umount_begin(sb: &SuperBlock) {
        sb.data().conn.chan.abort(false);
    }

    fn show_options(m: &SeqFile, root: &Dentry) -> Result {
        let conn = &root.sb().data().conn;
        let params = &conn.params;
        seq_print!(
            m,
            ",user_id={},group_id={}",
            from_kuid_munged(&conn.user_ns, params.user_id),
            from_kgid_munged(&conn.user_ns, params.group_id)
        );
        if params.default_permissions {
            seq_print!(m, ",default_permissions");
        }
        if params.allow_other {
            seq_print!(m, ",allow_other");
        }
        if params.max_read != u32::MAX {
            seq_print!(m, ",max_read={}", params.max_read);
        }
        Ok(())
    }
}
