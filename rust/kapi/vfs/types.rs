// SPDX-License-Identifier: GPL-2.0

//! The private data that a filesystem hangs on the VFS's objects.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h).
//!
//! This names types and nothing else: operations are attached table by table, as in C. Several
//! filesystem types may have the same; each names them
//! ([`FileSystem::Types`](super::file_system::FileSystem)).

/// What a superblock's inodes and dentries are.
pub(crate) mod kind {
    /// The filesystem's own ([`Types`](super::Types)).
    pub(crate) enum Own {}

    /// Of `fs/libfs.c`, without data of the filesystem's
    /// ([`SimpleTypes`](super::super::libfs::SimpleTypes)).
    pub(crate) enum Simple {}
}

/// The type of a superblock's private data.
pub(crate) trait SuperTypes: Sized + 'static {
    /// Behind `super_block::s_fs_info`, from `sget_fc()` until a grace period after `kill_sb`.
    type Super: Send + Sync + 'static;

    /// Of [`kind`]: so that a superblock cannot be set up in one way and then used in the other.
    type Kind;
}

/// The types of the private data of a filesystem with inodes and dentries of its own.
///
/// A wrapper such as [`Inode<T>`](super::inode::Inode) is made only for objects of a superblock
/// that was set up for the same `T`, so that the pointers below have the named types.
pub(crate) trait Types: SuperTypes<Kind = kind::Own> {
    /// In the slab object around `struct inode`, from `alloc_inode` to `free_inode`.
    type Inode: Send + Sync + 'static;

    /// Beside it, behind the lock under which the inode's attributes change
    /// ([`inode_inner`](super::inode_inner)).
    type InodeInner: Send + Unpin + 'static;

    /// Behind `dentry::d_fsdata`, from `d_init` until a grace period after `d_release`.
    type Dentry: Send + Sync + 'static;

    /// Behind `file::private_data`, from a successful `open` to `release`.
    type File: Send + Sync + 'static;
}
