// SPDX-License-Identifier: GPL-2.0

//! What a type of filesystem is: the functions that mount and unmount it, and its private types.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct file_system_type`),
//! [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h)
//! (`struct fs_context_operations`).
//!
//! A filesystem names its types here, not the other way round, so that several can have the same.

use super::{
    fs_context::FsContext,
    fs_parameter::FsParameter,
    fs_parser::FsParameterTable,
    new_super::{
        DyingSuper,
        FilledSuper,
        NewSuperBlock, //
    },
    types::SuperTypes, //
};
use crate::bindings;
use core::mem::ManuallyDrop;
use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    ffi::c_int,
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

/// `get_tree_nodev()` and the like.
pub(super) type GetTree =
    unsafe extern "C" fn(*mut bindings::fs_context, Option<FillSuper>) -> c_int;
/// What such a function calls to fill a superblock.
pub(super) type FillSuper =
    unsafe extern "C" fn(*mut bindings::super_block, *mut bindings::fs_context) -> c_int;

/// How superblocks come and go.
///
/// # Safety
///
/// [`KILL`](Self::KILL) is what shuts down superblocks that [`GET_TREE`](Self::GET_TREE) makes; it
/// begins with `generic_shutdown_super()`.
pub(crate) unsafe trait Making {
    /// What follows from it for the type (`FS_*`).
    #[doc(hidden)]
    const TYPE_FLAGS: u32 = 0;
    /// Makes one and has it filled.
    #[doc(hidden)]
    const GET_TREE: GetTree;
    /// Shuts one down.
    #[doc(hidden)]
    const KILL: unsafe extern "C" fn(*mut bindings::super_block);
}

/// A `struct file_system_type`, and what goes with it.
#[repr(C)]
pub(super) struct FileSystemObject {
    fs: Opaque<bindings::file_system_type>,
    /// The lock class of the killsb semaphore: of a type with superblocks below another's it is not
    /// that one's.
    killsb: ManuallyDrop<LockClassKey>,
}

impl FileSystemObject {
    /// Makes one, of which nothing is dropped.
    pub(super) const fn new(fs: bindings::file_system_type) -> Self {
        Self {
            fs: Opaque::new(fs),
            // SAFETY: Used by `killsb()` alone, of an object that is static; not dropped.
            killsb: ManuallyDrop::new(unsafe { LockClassKey::new_static() }),
        }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::file_system_type {
        self.fs.get()
    }

    /// The lock class of the killsb semaphore.
    ///
    /// # Safety
    ///
    /// The C object lies in a static of this type.
    pub(super) unsafe fn killsb(fs: *mut bindings::file_system_type) -> Pin<&'static LockClassKey> {
        // SAFETY: By the contract; it is the first field.
        let object: &'static Self = unsafe { &*fs.cast() };
        Pin::static_ref(&object.killsb)
    }
}

/// As many as are asked for, without a device (`get_tree_nodev()`, `kill_anon_super()`).
pub(crate) enum NoDevice {}

// SAFETY: `get_tree_nodev()` makes superblocks with `set_anon_super_fc()`.
unsafe impl Making for NoDevice {
    const GET_TREE: GetTree = bindings::get_tree_nodev;
    const KILL: unsafe extern "C" fn(*mut bindings::super_block) = bindings::kill_anon_super;
}

/// One for each block device, which is the source (`get_tree_bdev()`, `kill_block_super()`).
#[cfg(CONFIG_BLOCK)]
pub(crate) enum BlockDevice {}

#[cfg(CONFIG_BLOCK)]
// SAFETY: `get_tree_bdev()` makes superblocks with a device, or fails before there is one, which
// `kill_block_super()` sees.
unsafe impl Making for BlockDevice {
    const TYPE_FLAGS: u32 = bindings::FS_REQUIRES_DEV;
    const GET_TREE: GetTree = bindings::get_tree_bdev;
    const KILL: unsafe extern "C" fn(*mut bindings::super_block) = bindings::kill_block_super;
}

/// One, which all mounts share, without a device (`get_tree_single()`, `kill_anon_super()`).
pub(crate) enum Single {}

// SAFETY: `get_tree_single()` makes superblocks with `set_anon_super_fc()`.
unsafe impl Making for Single {
    const GET_TREE: GetTree = bindings::get_tree_single;
    const KILL: unsafe extern "C" fn(*mut bindings::super_block) = bindings::kill_anon_super;
}

/// Which superblock a mount is of.
pub(crate) enum Tree<S> {
    /// One that is made for it, with this data, as [`FileSystem::Making`] says; or one that is
    /// there, of which there is to be one only, and the data is dropped.
    Make(S),
    /// A live one of the same type for which [`FileSystem::test_super`] holds; without, it fails
    /// with this error. Also EBUSY if that one belongs to another user namespace or a new one was
    /// asked for.
    Existing(Error),
}

/// A type of filesystem.
///
/// All but [`test_super`](Self::test_super) may sleep.
#[vtable]
pub(crate) trait FileSystem: Sized + 'static {
    /// The name for mount(2).
    const NAME: &'static CStr;
    /// `FS_*`.
    const FS_FLAGS: u32;
    /// The parameters that [`parse_param`](Self::parse_param) knows.
    const PARAMETERS: FsParameterTable;

    /// The private types of its superblocks, and of what is in them.
    type Types: SuperTypes;

    /// How its superblocks come and go.
    type Making: Making;

    /// A mount in the making (`fs_private`).
    type Context: Send + 'static;

    /// A new mount in the making, or a new remount.
    fn init_fs_context(fc: &FsContext) -> Result<KBox<Self::Context>>;

    /// One parameter (`mount -o`, `fsconfig()`). Without this there are none but the source.
    fn parse_param(_ctx: &mut Self::Context, _fc: &FsContext, _param: FsParameter<'_>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// All parameters are there: which superblock is it?
    fn get_tree(
        ctx: &mut Self::Context,
        fc: &FsContext,
    ) -> Result<Tree<<Self::Types as SuperTypes>::Super>>;

    /// Whether [`Tree::Existing`] is the superblock with this data, which may be in the making.
    /// Called under a spinlock.
    fn test_super(_ctx: &Self::Context, _data: &<Self::Types as SuperTypes>::Super) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets up a superblock that was made for [`Tree::Make`], with `s_umount` held for writing. On
    /// failure it is shut down, by [`kill_sb`](Self::kill_sb).
    fn fill_super<'a>(
        ctx: &mut Self::Context,
        fc: &FsContext,
        sb: NewSuperBlock<'a, Self::Types>,
    ) -> Result<FilledSuper<'a, Self::Types>>;

    /// Remount. The superblock's `s_umount` is held for writing; what is dirty has been written.
    fn reconfigure(_ctx: &mut Self::Context, _fc: &FsContext) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A superblock with a root is about to be shut down. Nobody gets to it by
    /// [`LiveSuper`](super::super_block::LiveSuper) any more, but some may still be there: ends
    /// what they may wait for. `s_umount` is held for writing; may sleep.
    fn abort(_data: &<Self::Types as SuperTypes>::Super) {}

    /// A superblock is about to be shut down, and is not reached any more. `s_umount` is held for
    /// writing.
    fn kill_sb(sb: DyingSuper<'_, Self::Types>);
}
