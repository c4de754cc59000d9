// SPDX-License-Identifier: GPL-2.0

//! Registering a type of filesystem.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct file_system_type`.
//!
//! C rules encoded here:
//! - The structure holds the lock classes of its superblocks and inodes, so it must be static.
//! - Unregistered when no superblock is left: superblocks hold the module (`owner`).
//! - When a superblock was shut down, `s_fs_info` is freed, by RCU. It may still be on the lists of
//!   superblocks then, so nobody takes `s_fs_info` from one that was (`SB_DYING`).
//! - `put_super` is not called for a superblock without root, whose inodes and dentries are waited
//!   for here therefore.

use super::{
    file_system::{
        FileSystem,
        FileSystemObject,
        Making, //
    },
    fs_context_operations::Operations,
    new_super::DyingSuper,
    super_block::SuperObject, //
};
use crate::{
    bindings,
    kapi::sync::rcu::RcuBox, //
};
use core::marker::PhantomData;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::c_int,
    prelude::*,
    str::as_char_ptr_in_const_context, //
};

/// `FS_HAS_SUBTYPE`: the type may be followed by a dot and a subtype.
pub(crate) const FS_HAS_SUBTYPE: u32 = bindings::FS_HAS_SUBTYPE;
/// `FS_USERNS_MOUNT`: root of a user namespace may mount it.
pub(crate) const FS_USERNS_MOUNT: u32 = bindings::FS_USERNS_MOUNT;
/// `FS_ALLOW_IDMAP`: can be mounted with ids mapped.
pub(crate) const FS_ALLOW_IDMAP: u32 = bindings::FS_ALLOW_IDMAP;

/// What a filesystem says of itself: the others are told by how its superblocks are made, or the
/// VFS's.
const OUR_FLAGS: u32 = FS_HAS_SUBTYPE | FS_USERNS_MOUNT | FS_ALLOW_IDMAP;

/// A `struct file_system_type`; to be made as a static and then registered.
pub(crate) struct FileSystemType<F>(FileSystemObject, PhantomData<F>);

// SAFETY: Registration is synchronised by the VFS; nothing else is offered.
unsafe impl<F> Sync for FileSystemType<F> {}

impl<F: FileSystem> FileSystemType<F> {
    /// Makes a type that belongs to this module.
    pub(crate) const fn new(module: &'static ThisModule) -> Self {
        let mut fs: bindings::file_system_type = pin_init::zeroed();
        fs.owner = module.as_ptr();
        fs.name = as_char_ptr_in_const_context(F::NAME);
        fs.fs_flags = (F::FS_FLAGS & OUR_FLAGS | F::Making::TYPE_FLAGS) as c_int;
        fs.init_fs_context = Some(init_fs_context_callback::<F>);
        fs.parameters = F::PARAMETERS.as_ptr().cast();
        fs.kill_sb = Some(kill_sb_callback::<F>);
        Self(FileSystemObject::new(fs), PhantomData)
    }

    /// Makes the type known (`register_filesystem()`) until the registration is dropped.
    ///
    /// # Errors
    ///
    /// EBUSY if the name is taken.
    pub(crate) fn register(&'static self) -> Result<Registration> {
        // SAFETY: A static, whose callbacks fit `F`; the VFS refuses one that is registered.
        to_result(unsafe { bindings::register_filesystem(self.0.as_ptr()) })?;
        Ok(Registration(&self.0))
    }
}

/// The right to the name of a [`FileSystemType`].
pub(crate) struct Registration(&'static FileSystemObject);

// SAFETY: Registration is synchronised by the VFS.
unsafe impl Send for Registration {}
// SAFETY: Offers nothing but to be dropped.
unsafe impl Sync for Registration {}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: It is registered. Its superblocks are gone, since they hold the module.
        unsafe { bindings::unregister_filesystem(self.0.as_ptr()) };
    }
}

/// `file_system_type::init_fs_context`.
///
/// # Safety
///
/// Called by the VFS with a new context of type `F`.
unsafe extern "C" fn init_fs_context_callback<F: FileSystem>(
    fc: *mut kernel::bindings::fs_context,
) -> c_int {
    from_result(|| {
        // SAFETY: By the contract above.
        unsafe { Operations::<F>::init(fc.cast()) }?;
        Ok(0)
    })
}

/// `file_system_type::kill_sb`.
///
/// # Safety
///
/// Called by the VFS with a superblock of type `F`, which has lost its last active reference, and
/// `s_umount` held for writing.
unsafe extern "C" fn kill_sb_callback<F: FileSystem>(ptr: *mut bindings::super_block) {
    // SAFETY: By the contract above the superblock is there, and `s_root` does not change any more;
    // `sget_fc()` has set `s_fs_info`, which is freed below.
    unsafe {
        if !(*ptr).s_root.is_null() {
            let object = SuperObject::<F::Types>::of(ptr);
            object.live.close();
            F::abort(&object.data);
        }
    }
    // SAFETY: By the contract above; `sget_fc()` has set `s_fs_info`.
    let sb: DyingSuper<'_, F::Types> = unsafe { DyingSuper::new(ptr) };
    let rootless = !sb.has_root();
    F::kill_sb(sb);
    // SAFETY: The object is freed below.
    let object = unsafe { SuperObject::<F::Types>::of(ptr) };
    if rootless {
        object.objects.wait();
    }
    // SAFETY: `s_umount` is held, which this drops; it is what goes with how the superblock was
    // made. It does not use `s_fs_info` but by `put_super`.
    unsafe { F::Making::KILL(ptr) };
    object.leave_cache();
    // SAFETY: The pointer is the one from `RcuBox::into_raw()` in `get_tree_make()`; our caller
    // keeps the superblock's memory. The superblock is shut down: it has no dentries and no
    // inodes, and those who read it under RCU are waited for by the box.
    drop(unsafe { RcuBox::from_raw((*ptr).s_fs_info.cast::<SuperObject<F::Types>>()) });
}
