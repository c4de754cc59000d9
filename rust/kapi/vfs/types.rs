// SPDX-License-Identifier: GPL-2.0

//! The private data that a filesystem hangs on the VFS's objects.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h).
//!
//! This names types and nothing else: operations are attached table by table, as in C.

/// The types of a filesystem's private data.
///
/// A wrapper such as [`Inode<T>`](super::inode::Inode) is made only for objects of a superblock
/// whose `file_system_type` was registered for the same `T`, so that the pointers below have the
/// named types.
pub(crate) trait Types: Sized + 'static {
    /// Behind `super_block::s_fs_info`, from `sget_fc()` until a grace period after `kill_sb`.
    type Super: Send + Sync + 'static;

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
