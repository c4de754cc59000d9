// SPDX-License-Identifier: GPL-2.0

//! The filesystem: superblocks, inodes, dentries, files and the page cache on top of a channel.
//!
//! In reading order, which is that of their use: each room uses only those before it
//! (`scripts/tidy` checks that), and its own page says which, and who uses it. All of them stand on
//! `control`, `transport`, `kapi` and `abi`; only `main.rs`, which registers it, uses `fs`.
//!
//! - [`conn`]: what all mounts of one daemon share,
//! - [`request`]: sending requests, and callers that are killed,
//! - [`inode`]: what is known of an inode without asking the daemon,
//! - [`name`]: what is known of names, and finding them,
//! - [`attr`]: asking for attributes and changing them, permissions,
//! - [`file`](mod@file): open files, from OPEN to RELEASE,
//! - [`dir`]: operations on directories,
//! - [`data`]: what is in files and symbolic links,
//! - [`notify`]: notifications from the daemon,
//! - [`mount`]: mounting and unmounting,
//! - [`ops`]: the tables of operations.
//!
//! The private types of the VFS's objects are named below, so that any room may use an object's
//! methods.

mod attr;
mod conn;
mod data;
mod dir;
mod file;
mod inode;
mod mount;
mod name;
mod notify;
mod ops;
mod request;

use crate::kapi::{
    self,
    fuse::inval_wq::InvalWorker,
    vfs::{
        file_system_type,
        unload::Unload, //
    },
};
use kernel::prelude::*;

/// The private types of this filesystem.
enum Fuse {}

impl kapi::vfs::types::SuperTypes for Fuse {
    type Super = mount::superblock::Mount;
    type Kind = kapi::vfs::types::kind::Own;
}

impl kapi::vfs::types::Types for Fuse {
    type Inode = inode::fuse_inode::FuseInode;
    type InodeInner = inode::fuse_inode::Inner;
    type Dentry = name::dentry::FuseDentry;
    type File = file::fuse_file::FuseFile;
}

/// A superblock of ours.
type SuperBlock = kapi::vfs::super_block::SuperBlock<Fuse>;
/// An inode of ours.
type Inode = kapi::vfs::inode::Inode<Fuse>;
/// A dentry of ours.
type Dentry = kapi::vfs::dentry::Dentry<Fuse>;
/// An open file of ours.
type File = kapi::vfs::file::File<Fuse>;
/// A file of ours that is being opened.
type OpeningFile = kapi::vfs::file::OpeningFile<Fuse>;
/// A file of ours that is being released.
type ReleasedFile = kapi::vfs::file::ReleasedFile<Fuse>;

/// What the filesystem half has registered. Dropped in this order at unload, when there is no
/// superblock left: superblocks hold the module.
pub(crate) struct Registration {
    _type: file_system_type::Registration,
    #[cfg(CONFIG_BLOCK)]
    _type_blk: file_system_type::Registration,
    _expiry: InvalWorker,
    /// Waits for what is to be done later, and frees the inodes' memory.
    _unload: Unload<Fuse>,
}

impl Registration {
    /// Makes the filesystem types known.
    ///
    /// # Errors
    ///
    /// ENOMEM, EBUSY.
    pub(crate) fn new() -> Result<Self> {
        let unload = inode::lifecycle::init()?;
        let expiry = name::expiry::start()?;
        Ok(Self {
            #[cfg(CONFIG_BLOCK)]
            _type_blk: ops::fs_type::FUSEBLK_FS_TYPE.register()?,
            _type: ops::fs_type::FUSE_FS_TYPE.register()?,
            _expiry: expiry,
            _unload: unload,
        })
    }
}
