// SPDX-License-Identifier: GPL-2.0

//! Registering a type of filesystem.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct file_system_type`.
//!
//! C rules encoded here:
//! - The structure holds the lock classes of its superblocks and inodes, so it must be static.
//! - Unregistered when no superblock is left: superblocks hold the module (`owner`).
//! - `kill_sb` ends with `kill_anon_super()`; only then is `s_fs_info` freed, by RCU.

use super::{
    fs_context::{
        self,
        FsContextOperations, //
    },
    fs_parser::FsParameterTable,
    super_block::{
        self,
        SuperBlock,
        SuperObject, //
    },
    types::Types, //
};
use crate::{
    bindings,
    kapi::sync::rcu::RcuBox, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::c_int,
    prelude::*,
    str::as_char_ptr_in_const_context,
    types::Opaque, //
};

/// `FS_HAS_SUBTYPE`: the type may be followed by a dot and a subtype.
pub(crate) const FS_HAS_SUBTYPE: u32 = bindings::FS_HAS_SUBTYPE;
/// `FS_USERNS_MOUNT`: root of a user namespace may mount it.
pub(crate) const FS_USERNS_MOUNT: u32 = bindings::FS_USERNS_MOUNT;
/// `FS_ALLOW_IDMAP`: can be mounted with ids mapped.
pub(crate) const FS_ALLOW_IDMAP: u32 = bindings::FS_ALLOW_IDMAP;

/// A type of filesystem, without a device.
pub(crate) trait FileSystem: Types {
    /// The name for mount(2).
    const NAME: &'static CStr;
    /// `FS_*`.
    const FS_FLAGS: u32;
    /// The parameters that [`FsContextOperations::parse_param`] knows.
    const PARAMETERS: FsParameterTable;

    /// A mount in the making.
    type Context: FsContextOperations<Types = Self>;

    /// A new mount in the making.
    fn init_fs_context() -> Result<KBox<Self::Context>>;

    /// A superblock is about to be shut down: it may have no root, if it could not be set up.
    /// `s_umount` is held for writing. From outside, nobody reaches the superblock any more.
    fn kill_sb(sb: &SuperBlock<Self>);
}

/// A `struct file_system_type`; to be made as a static and then registered.
#[repr(transparent)]
pub(crate) struct FileSystemType<T>(Opaque<bindings::file_system_type>, PhantomData<T>);

// SAFETY: Registration is synchronised by the VFS; nothing else is offered.
unsafe impl<T> Sync for FileSystemType<T> {}

impl<T: FileSystem> FileSystemType<T> {
    /// Makes a type that belongs to this module.
    pub(crate) const fn new(module: &'static ThisModule) -> Self {
        let mut fs: bindings::file_system_type = pin_init::zeroed();
        fs.owner = module.as_ptr();
        fs.name = as_char_ptr_in_const_context(T::NAME);
        fs.fs_flags = T::FS_FLAGS as c_int;
        fs.init_fs_context = Some(init_fs_context_callback::<T>);
        fs.parameters = T::PARAMETERS.as_ptr().cast();
        fs.kill_sb = Some(kill_sb_callback::<T>);
        Self(Opaque::new(fs), PhantomData)
    }

    /// Makes the type known (`register_filesystem()`) until the registration is dropped.
    ///
    /// # Errors
    ///
    /// EBUSY if the name is taken.
    pub(crate) fn register(&'static self) -> Result<Registration<T>> {
        // SAFETY: A static, whose callbacks fit `T`; the VFS refuses one that is registered.
        to_result(unsafe { bindings::register_filesystem(self.0.get()) })?;
        Ok(Registration(self))
    }
}

/// The right to the name of a [`FileSystemType`].
pub(crate) struct Registration<T: 'static>(&'static FileSystemType<T>);

impl<T: 'static> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: It is registered. Its superblocks are gone, since they hold the module.
        unsafe { bindings::unregister_filesystem(self.0 .0.get()) };
    }
}

/// `file_system_type::init_fs_context`.
///
/// # Safety
///
/// Called by the VFS with a new context of a type registered for `T`.
unsafe extern "C" fn init_fs_context_callback<T: FileSystem>(
    fc: *mut kernel::bindings::fs_context,
) -> c_int {
    from_result(|| {
        let private = T::init_fs_context()?;
        // SAFETY: The VFS calls it with a new context of this type.
        unsafe { fs_context::init_fs_context(fc.cast(), private) };
        Ok(0)
    })
}

/// `file_system_type::kill_sb`.
///
/// # Safety
///
/// Called by the VFS with a superblock of a type registered for `T`, which has lost its last active
/// reference, and `s_umount` held for writing.
unsafe extern "C" fn kill_sb_callback<T: FileSystem>(ptr: *mut bindings::super_block) {
    // SAFETY: By the contract above; `sget_fc()` has set `s_fs_info`.
    let sb: &SuperBlock<T> = unsafe { SuperBlock::from_raw(ptr) };
    super_block::clear_live(sb);
    T::kill_sb(sb);
    // SAFETY: `s_umount` is held, `kill_anon_super()` drops it.
    unsafe { bindings::kill_anon_super(ptr) };
    // SAFETY: The passive reference of our caller keeps the superblock's memory.
    let object = unsafe { (*ptr).s_fs_info };
    if let Some(object) = NonNull::new(object.cast::<SuperObject<T>>()) {
        // SAFETY: The pointer is the one from `RcuBox::into_raw()` in `get_tree_nodev()`. The
        // superblock is dead: `sget_fc()` does not look at it, it has no dentries and no inodes,
        // and those who read it under RCU are waited for by the box.
        drop(unsafe { RcuBox::from_raw(object.as_ptr()) });
    }
}
