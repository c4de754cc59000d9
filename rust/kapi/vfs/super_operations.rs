// SPDX-License-Identifier: GPL-2.0

//! The operations of a superblock.
//!
//! C header: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h),
//! `struct super_operations`; Documentation/filesystems/vfs.rst.
//!
//! C rules encoded here:
//! - `alloc_inode`, `d_init` and their ends are called by the tables that superblock and dentry had
//!   at that moment, so both tables are set together, before there is an inode
//!   ([`NewSuperBlock::set_operations`]).
//! - `put_super` is called when all dentries and inodes are gone that nobody has a reference to,
//!   before the superblock goes; there it waits for the others
//!   ([`SuperObjects`](super::super_objects::SuperObjects)).

use super::{
    dentry::Dentry,
    dentry_operations::DentryOperationsTable,
    inode_cache::{
        self,
        InodeCache,
        InodeLifecycle,
        OperationsWithCache, //
    },
    new_super::{
        NewSuperBlock,
        RootlessSuper, //
    },
    statfs::KStatFs,
    super_block::SuperBlock,
    types::Types,
    xattr::{
        self,
        XattrOperations, //
    },
};
use crate::bindings;
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

    /// `sync(2)`, `syncfs(2)`, a remount: what was written is to be durable, which with `wait` it
    /// is on return. `s_umount` is held. Not called when it is being shut down.
    fn sync_fs(root: &Dentry<T>, wait: bool) -> Result;

    /// The options in /proc/mounts, each with a comma before it.
    fn show_options(m: &SeqFile, root: &Dentry<T>) -> Result;
}

/// A `struct super_operations` of a filesystem, and its handlers of extended attributes.
pub(crate) struct SuperOperationsTable<T: Types> {
    ops: OperationsWithCache<T>,
    s_xattr: *const *const bindings::xattr_handler,
}

// SAFETY: The table is never written, nor are the handlers.
unsafe impl<T: Types> Sync for SuperOperationsTable<T> {}

impl<T: Types> SuperOperationsTable<T> {
    /// Makes the table; inodes come from `cache`.
    pub(crate) const fn new<O: SuperOperations<T>, I: InodeLifecycle<T>, X: XattrOperations<T>>(
        cache: &'static InodeCache<T>,
    ) -> Self {
        let ops = OperationsWithCache {
            table: bindings::super_operations {
                alloc_inode: Some(inode_cache::alloc_inode_callback::<T, I>),
                destroy_inode: Some(inode_cache::destroy_inode_callback::<T>),
                free_inode: Some(inode_cache::free_inode_callback::<T>),
                evict_inode: Some(inode_cache::evict_inode_callback::<T, I>),
                drop_inode: Some(bindings::inode_just_drop),
                put_super: Some(put_super_callback::<T>),
                sync_fs: Some(sync_fs_callback::<T, O>),
                statfs: Some(statfs_callback::<T, O>),
                umount_begin: Some(umount_begin_callback::<T, O>),
                show_options: Some(show_options_callback::<T, O>),
                ..pin_init::zeroed()
            },
            cache,
        };
        Self {
            ops,
            s_xattr: xattr::handlers::<T, X>(),
        }
    }
}

impl<'a, T: Types> NewSuperBlock<'a, T> {
    /// Sets the operations of the superblock, its handlers of extended attributes, and the
    /// operations of its dentries to come (`set_default_d_op()`).
    pub(crate) fn set_operations(
        self,
        ops: &'static SuperOperationsTable<T>,
        dentry_ops: &'static DentryOperationsTable<T>,
    ) -> RootlessSuper<'a, T> {
        self.object().use_cache(ops.ops.cache.users());
        // SAFETY: A new superblock, which nobody else uses, without inode and dentry; the tables
        // are static, and for `T`.
        unsafe {
            (*self.as_ptr()).s_op = &raw const ops.ops.table;
            (*self.as_ptr()).s_xattr = ops.s_xattr;
            bindings::set_default_d_op(self.as_ptr(), dentry_ops.as_ptr());
        }
        // SAFETY: Both tables were set above.
        unsafe { RootlessSuper::new(self.with_tables()) }
    }
}

/// `super_operations::put_super`.
///
/// # Safety
///
/// Called by the VFS, once, with a superblock with this table that is being shut down.
unsafe extern "C" fn put_super_callback<T: Types>(sb: *mut bindings::super_block) {
    // SAFETY: By the contract above.
    let sb: &SuperBlock<T> = unsafe { SuperBlock::from_raw(sb) };
    sb.objects().wait();
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

/// `super_operations::sync_fs`.
///
/// # Safety
///
/// Called by the VFS with a superblock with this table, and `s_umount` held.
unsafe extern "C" fn sync_fs_callback<T: Types, O: SuperOperations<T>>(
    sb: *mut bindings::super_block,
    wait: c_int,
) -> c_int {
    from_result(|| {
        // SAFETY: By the contract, the field does not change.
        let root = unsafe { (*sb).s_root };
        if !root.is_null() {
            // SAFETY: The superblock has a reference to its root, of the types of its table.
            O::sync_fs(unsafe { Dentry::from_raw(root) }, wait != 0)?;
        }
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
