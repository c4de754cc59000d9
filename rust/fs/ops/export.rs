// SPDX-License-Identifier: GPL-2.0

//! The operations of file handles: which function does what.
//!
//! C counterpart: `fuse_export_operations`, `fuse_export_fid_operations` (inode.c). Takes no locks.

use crate::{
    fs::{
        name::handle,
        Dentry,
        Fuse,
        Inode,
        SuperBlock, //
    },
    kapi::vfs::export::{
        ExportOperations,
        ExportOperationsTable,
        Fid,
        FidType, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// The operations of file handles.
pub(super) static EXPORT_OPERATIONS: ExportOperationsTable<Fuse> =
    ExportOperationsTable::new::<Operations>();

enum Operations {}

impl ExportOperations<Fuse> for Operations {
    fn encode_fh(inode: &Inode, parent: Option<&Inode>) -> Fid {
        handle::encode(inode, parent)
    }

    fn fh_to_dentry(sb: &SuperBlock, _kind: FidType, fid: &[u32]) -> Result<Option<ARef<Dentry>>> {
        handle::to_dentry(sb, fid)
    }

    fn fh_to_parent(sb: &SuperBlock, kind: FidType, fid: &[u32]) -> Result<Option<ARef<Dentry>>> {
        handle::to_parent(sb, kind, fid)
    }

    fn get_parent(child: &Dentry) -> Result<ARef<Dentry>> {
        handle::parent(child)
    }
}
