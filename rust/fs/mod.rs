// SPDX-License-Identifier: GPL-2.0

//! The filesystem: superblocks, inodes, dentries, files and the page cache on top of a channel.
//!
//! - [`conn`]: what all mounts of one daemon share (`struct fuse_conn`),
//! - [`mount`]: one superblock (`struct fuse_mount`),
//! - [`inode`], [`dentry`], [`file`](mod@file): the private data of the VFS's objects,
//! - [`dir`]: the operations on directories and inodes, one file for each group of them: [`lookup`],
//!   [`create`], [`atomic_open`], [`remove`], [`readdir`], [`symlink`], [`permission`], [`getattr`],
//!   [`setattr`],
//! - [`attr`]: cached attributes; [`pages`]: dropping what is cached of a file,
//! - [`req`]: sending requests; [`held`]: what a killed caller leaves behind, [`left`] and [`occupied`] who waits for
//!   it, [`behind`] what becomes of a file that it was opening.

mod atomic_open;
mod attr;
mod behind;
pub(crate) mod conn;
mod create;
pub(crate) mod dentry;
mod dir;
mod direct_io;
mod expiry;
pub(crate) mod file;
mod flush;
mod fs_type;
mod getattr;
mod held;
mod init;
pub(crate) mod inode;
mod iomode;
mod left;
mod lookup;
pub(crate) mod mount;
mod notify;
mod occupied;
mod open;
mod options;
mod pages;
mod permission;
mod read;
mod readdir;
mod regular;
mod remove;
mod req;
mod setattr;
mod super_ops;
mod symlink;
mod write;

use crate::kapi::{
    self,
    fuse::inval_wq::InvalWorker,
    vfs::{
        file_system_type,
        inode_cache::InodeCacheGuard,
        inode_hold::InodeHoldQueue, //
    },
};
use kernel::prelude::*;

/// The private types of this filesystem.
pub(crate) enum Fuse {}

impl kapi::vfs::types::Types for Fuse {
    type Super = mount::Mount;
    type Inode = inode::FuseInode;
    type Dentry = dentry::FuseDentry;
    type File = file::FuseFile;
}

/// A superblock of ours.
pub(crate) type SuperBlock = kapi::vfs::super_block::SuperBlock<Fuse>;
/// An inode of ours.
pub(crate) type Inode = kapi::vfs::inode::Inode<Fuse>;
/// A dentry of ours.
pub(crate) type Dentry = kapi::vfs::dentry::Dentry<Fuse>;
/// An open file of ours.
pub(crate) type File = kapi::vfs::file::File<Fuse>;
/// A file of ours that is being opened.
pub(crate) type OpeningFile = kapi::vfs::file::OpeningFile<Fuse>;

/// What the filesystem half has registered. Dropped in this order at unload, when there is no
/// superblock left: superblocks hold the module.
pub(crate) struct Registration {
    _type: file_system_type::Registration<Fuse>,
    _expiry: InvalWorker,
    _holds: InodeHoldQueue,
    /// Waits for inodes that are being freed.
    _inodes: InodeCacheGuard<Fuse>,
}

impl Registration {
    /// Makes filesystem type `fuse` known.
    ///
    /// # Errors
    ///
    /// ENOMEM, EBUSY.
    pub(crate) fn new() -> Result<Self> {
        let inodes = inode::init()?;
        let holds = InodeHoldQueue::new(c"fuse-iput")?;
        let expiry = expiry::start()?;
        Ok(Self {
            _type: fs_type::FUSE_FS_TYPE.register()?,
            _expiry: expiry,
            _holds: holds,
            _inodes: inodes,
        })
    }
}
