// SPDX-License-Identifier: GPL-2.0

//! The operations of a superblock.
//!
//! C header: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h),
//! `struct super_operations`; Documentation/filesystems/vfs.rst.

use super::{
    dentry::Dentry,
    dentry_operations::DentryOperationsTable,
    inode_cache::{
        self,
        InodeLifecycle, //
    },
    statfs::KStatFs,
    super_block::{
        NewSuperBlock,
        SuperBlock, //
    },
    types::Types, //
};
use crate::bindings;
use core::marker::PhantomData;
use kernel::{
    error::from_result,
    ffi::c_int,
    prelude::*,
    seq_file::SeqFile, //
};

/// `struct super_operations`, apart from the life of inodes ([`InodeLifecycle`]).
///
/// All are called in process context, may sleep, and with a reference to the superblock.
pub(crate) trait SuperOperations<T: Types>: 'static {
    /// `statfs(2)` on `dentry` or below.
    fn statfs(dentry: &Dentry<T>, buf: &mut KStatFs) -> Result;

    /// `umount(2)` with `MNT_FORCE`, before anything else.
    fn umount_begin(sb: &SuperBlock<T>);

    /// The options in /proc/mounts, each with a comma before it.
    fn show_options(m: &SeqFile, root: &Dentry<T>) -> Result;
}

/// A `struct super_operations` of a filesystem.
pub(crate) struct SuperOperationsTable<T: Types>(bindings::super_operations, PhantomData<T>);

// SAFETY: The table is never written.
unsafe impl<T: Types> Sync for SuperOperationsTable<T> {}

impl<T: Types> SuperOperationsTable<T> {
    /// Makes the table.
    pub(crate) const fn new<O: SuperOperations<T>, I: InodeLifecycle<T>>() -> Self {
        Self(
            bindings::super_operations {
                alloc_inode: Some(inode_cache::alloc_inode_callback::<T, I>),
                free_inode: Some(inode_cache::free_inode_callback::<T, I>),
                evict_inode: Some(inode_cache::evict_inode_callback::<T, I>),
                drop_inode: Some(bindings::inode_just_drop),
                statfs: Some(statfs_callback::<T, O>),
                umount_begin: Some(umount_begin_callback::<T, O>),
                show_options: Some(show_options_callback::<T, O>),
                ..pin_init::zeroed()
            },
            PhantomData,
        )
    }

    /// The C table.
    fn as_ptr(&'static self) -> *const bindings::super_operations {
        &raw const self.0
    }
}

impl<T: Types> NewSuperBlock<'_, T> {
    /// Sets the operations.
    pub(crate) fn set_s_op(&mut self, ops: &'static SuperOperationsTable<T>) {
        // SAFETY: Only the mounter uses this field of a superblock that is being set up; the table
        // is static.
        unsafe { (*self.as_ptr()).s_op = ops.as_ptr() };
    }

    /// Sets the operations of the dentries to come (`set_default_d_op()`).
    pub(crate) fn set_default_d_op(&mut self, ops: &'static DentryOperationsTable<T>) {
        // SAFETY: The superblock has no dentry yet; the table is static.
        unsafe { bindings::set_default_d_op(self.as_ptr(), ops.as_ptr()) };
    }
}

/// `super_operations::statfs`.
///
/// # Safety
///
/// Called by the VFS with a referenced dentry of a superblock with this table.
unsafe extern "C" fn statfs_callback<T: Types, O: SuperOperations<T>>(
    dentry: *mut bindings::dentry,
    buf: *mut kernel::bindings::kstatfs,
) -> c_int {
    from_result(|| {
        // SAFETY: The VFS passes a referenced dentry of a superblock with this table, ...
        let dentry = unsafe { Dentry::from_raw(dentry) };
        // SAFETY: ... and a zeroed buffer of its own.
        let buf = unsafe { KStatFs::from_raw(buf.cast()) };
        O::statfs(dentry, buf)?;
        Ok(0)
    })
}

/// `super_operations::umount_begin`.
///
/// # Safety
///
/// Called by the VFS with a referenced superblock with this table.
unsafe extern "C" fn umount_begin_callback<T: Types, O: SuperOperations<T>>(
    sb: *mut bindings::super_block,
) {
    // SAFETY: The VFS passes a referenced superblock with this table.
    O::umount_begin(unsafe { SuperBlock::from_raw(sb) });
}

/// `super_operations::show_options`.
///
/// # Safety
///
/// Called by the VFS with the referenced root of a superblock with this table.
unsafe extern "C" fn show_options_callback<T: Types, O: SuperOperations<T>>(
    m: *mut bindings::seq_file,
    root: *mut bindings::dentry,
) -> c_int {
    from_result(|| {
        // SAFETY: The VFS passes a sequence file that this task alone writes to, ...
        let m = unsafe { SeqFile::from_raw(m) };
        // SAFETY: ... and the referenced root of a superblock with this table.
        let root = unsafe { Dentry::from_raw(root) };
        O::show_options(m, root)?;
        Ok(0)
    })
}
