// SPDX-License-Identifier: GPL-2.0

//! The operations of a context: how the VFS has a [`FileSystem`] set up, find or reconfigure a
//! superblock.
//!
//! C header: [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h),
//! `struct fs_context_operations`; Documentation/filesystems/mount_api.rst.
//!
//! C rules encoded here:
//! - `fs_private` is made by `init_fs_context` and freed by `free`.
//! - `get_tree` gives the context a root, or fails. So a filesystem says which it is to be, and all
//!   else is done here.
//! - `s_fs_info` of the context passes to the superblock that `sget_fc()` makes, if it makes one.
//! - `sget_fc()` tests superblocks under its lock, in whatever state they are: being set up, or
//!   shut down already. So the test sees private data alone, and none that may be gone.

use super::{
    file_system::{
        FileSystem,
        FileSystemObject,
        Making,
        Tree, //
    },
    fs_context::FsContext,
    fs_parameter::FsParameter,
    new_super::NewSuperBlock,
    super_block::{
        self,
        SuperBlock,
        SuperObject, //
    },
    types::SuperTypes, //
};
use crate::{
    bindings,
    kapi::sync::rcu::RcuBox, //
};
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    ffi::c_int,
    prelude::*, //
};

/// The private data of the superblocks of `F`.
type Super<F> = <<F as FileSystem>::Types as SuperTypes>::Super;

/// Makes a superblock for [`Tree::Make`] and has it filled.
///
/// # Safety
///
/// `fc` is a context of type `F`, this task's alone, in `get_tree`.
unsafe fn get_tree_make<F: FileSystem>(fc: *mut bindings::fs_context, data: Super<F>) -> Result {
    // SAFETY: The type of a context of `F` lies in a static `FileSystemObject`.
    let killsb = unsafe { FileSystemObject::killsb((*fc).fs_type) };
    let object = SuperObject::<F::Types>::new(data, killsb)?;
    // SAFETY: Ours alone, by the contract. The object passes to the context, and from there to the
    // superblock.
    unsafe { (*fc).s_fs_info = object.into_raw().cast() };
    // SAFETY: Called from `get_tree`, on its context, with a function of the right type.
    let ret = unsafe { F::Making::GET_TREE(fc, Some(fill_super::<F>)) };
    // SAFETY: As above.
    let left = unsafe { ptr::replace(&raw mut (*fc).s_fs_info, ptr::null_mut()) };
    if let Some(left) = NonNull::new(left.cast::<SuperObject<F::Types>>()) {
        // No superblock was made.
        // SAFETY: The pointer is the one from `RcuBox::into_raw()`, and nobody took it.
        drop(unsafe { RcuBox::from_raw(left.as_ptr()) });
    }
    to_result(ret)
}

/// Fills a superblock for [`get_tree_make`].
///
/// # Safety
///
/// Called from there, with a new superblock.
unsafe extern "C" fn fill_super<F: FileSystem>(
    sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> c_int {
    from_result(|| {
        // SAFETY: The context is ours; nobody has borrowed it.
        let (ctx, fc) = unsafe { Operations::<F>::borrow(fc) };
        // SAFETY: A fresh superblock of our type with `s_fs_info`, and `s_umount` held. `kill_sb`
        // makes a `DyingSuper` of it.
        let new = unsafe { NewSuperBlock::from_raw(sb) };
        F::fill_super(ctx, fc, new)?;
        Ok(0)
    })
}

/// Finds a superblock for [`Tree::Existing`], and makes its root the context's. C: `sget_fc()` with
/// a `set` that always fails.
///
/// # Safety
///
/// As for [`get_tree_make`].
unsafe fn get_tree_existing<F: FileSystem>(fc: *mut bindings::fs_context, none: Error) -> Result {
    // SAFETY: Ours alone, by the contract.
    unsafe { (*fc).sget_key = ptr::from_ref(&none).cast_mut().cast() };
    // SAFETY: `set_existing()` takes the context's `sget_key` for an error, which it is until the
    // call returns. `s_fs_info` is null, and stays so as no superblock is made.
    let sb = unsafe { bindings::sget_fc(fc, Some(test_existing::<F>), Some(set_existing)) };
    // SAFETY: As above.
    unsafe { (*fc).sget_key = ptr::null_mut() };
    let sb = from_err_ptr(sb)?;
    // SAFETY: `sget_fc()` found a born superblock, active and with `s_umount` held: it has a root,
    // which it references. The context takes a new reference to it, and with it `sget_fc()`'s
    // reference to the superblock.
    unsafe {
        let root = (*sb).s_root;
        bindings::lockref_get(&raw mut (*root).d_lockref);
        (*fc).root = root;
    }
    Ok(())
}

/// The test of [`get_tree_existing`].
///
/// # Safety
///
/// Called by `sget_fc()`, called by that, with a superblock of the context's type.
unsafe extern "C" fn test_existing<F: FileSystem>(
    sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> c_int {
    // SAFETY: `sget_fc()` finds it under its lock. One that was shut down is not to be had.
    if unsafe { super_block::is_dying(sb) } {
        return 0;
    }
    // SAFETY: The context is ours; nobody has borrowed it.
    let (ctx, _) = unsafe { Operations::<F>::borrow(fc) };
    // SAFETY: The superblock has had `s_fs_info` since it became visible, and was not shut down
    // when we looked. The lock, in an RCU read side critical section, is held until we return.
    let object = unsafe { SuperObject::<F::Types>::of(sb) };
    F::test_super(ctx, &object.data).into()
}

/// Makes no superblock for [`get_tree_existing`].
///
/// # Safety
///
/// Called by `sget_fc()`, called by that.
unsafe extern "C" fn set_existing(
    _sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> c_int {
    // SAFETY: Called from `get_tree_existing()` with its context.
    unsafe { &*(*fc).sget_key.cast::<Error>() }.to_errno()
}

/// The operations of a context of type `F`.
pub(super) struct Operations<F>(PhantomData<F>);

impl<F: FileSystem> Operations<F> {
    const TABLE: &'static bindings::fs_context_operations = &bindings::fs_context_operations {
        free: Some(Self::free),
        dup: None,
        parse_param: if F::HAS_PARSE_PARAM {
            Some(Self::parse_param)
        } else {
            None
        },
        parse_monolithic: None,
        get_tree: Some(Self::get_tree),
        reconfigure: if F::HAS_RECONFIGURE {
            Some(Self::reconfigure)
        } else {
            None
        },
    };

    /// Gives a new context its operations and its private data.
    ///
    /// # Safety
    ///
    /// `fc` is a context that `init_fs_context` was called with, of type `F`.
    pub(super) unsafe fn init(fc: *mut bindings::fs_context) -> Result {
        // SAFETY: The context is new: ours alone.
        let private = F::init_fs_context(unsafe { FsContext::from_raw(fc) })?;
        // SAFETY: As above. `free()` takes the box back.
        unsafe {
            (*fc).fs_private = KBox::into_raw(private).cast();
            (*fc).ops = Self::TABLE;
        }
        Ok(())
    }

    /// # Safety
    ///
    /// `fc` is a context with this table, this task's alone for `'a`, and not borrowed so already.
    unsafe fn borrow<'a>(fc: *mut bindings::fs_context) -> (&'a mut F::Context, &'a FsContext) {
        // SAFETY: `fs_private` is what `init()` put there. `FsContext` does not lend it, so this is
        // the only borrow.
        let ctx = unsafe { &mut *(*fc).fs_private.cast() };
        // SAFETY: The caller promises it.
        (ctx, unsafe { FsContext::from_raw(fc) })
    }

    /// `fs_context_operations::free`.
    ///
    /// # Safety
    ///
    /// Called by the VFS with a context that has this table, once.
    unsafe extern "C" fn free(fc: *mut bindings::fs_context) {
        // SAFETY: The context is about to be freed: ours alone.
        let private = unsafe { ptr::replace(&raw mut (*fc).fs_private, ptr::null_mut()) };
        if !private.is_null() {
            // SAFETY: The pointer is the one from `KBox::into_raw()` in `init()`.
            drop(unsafe { KBox::from_raw(private.cast::<F::Context>()) });
        }
    }

    /// `fs_context_operations::parse_param`.
    ///
    /// # Safety
    ///
    /// Called by the VFS with a context that has this table, under its mutex.
    unsafe extern "C" fn parse_param(
        fc: *mut bindings::fs_context,
        param: *mut bindings::fs_parameter,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The VFS calls an operation with a context that has it, under its mutex.
            let (ctx, fc) = unsafe { Self::borrow(fc) };
            // SAFETY: The parameter is the caller's, lent to us, with its value.
            F::parse_param(ctx, fc, unsafe { FsParameter::from_raw(param) })?;
            Ok(0)
        })
    }

    /// `fs_context_operations::get_tree`.
    ///
    /// # Safety
    ///
    /// As for `parse_param()`.
    unsafe extern "C" fn get_tree(ptr: *mut bindings::fs_context) -> c_int {
        from_result(|| {
            // SAFETY: As in `parse_param()`.
            let (ctx, fc) = unsafe { Self::borrow(ptr) };
            match F::get_tree(ctx, fc)? {
                // SAFETY: As above, and the borrow is over.
                Tree::Make(data) => unsafe { get_tree_make::<F>(ptr, data)? },
                // SAFETY: As above.
                Tree::Existing(none) => unsafe { get_tree_existing::<F>(ptr, none)? },
            }
            Ok(0)
        })
    }

    /// `fs_context_operations::reconfigure`.
    ///
    /// # Safety
    ///
    /// As for `parse_param()`; `s_umount` of the superblock is held for writing.
    unsafe extern "C" fn reconfigure(fc: *mut bindings::fs_context) -> c_int {
        from_result(|| {
            // SAFETY: A context for reconfiguration has a root, of a superblock of its type, which
            // therefore has its tables.
            let sb: &SuperBlock<F::Types> = unsafe { SuperBlock::from_raw((*(*fc).root).d_sb) };
            // As in C, what cannot be written does not stop it.
            let _ = sb.sync_filesystem();
            // SAFETY: As in `parse_param()`.
            let (ctx, fc) = unsafe { Self::borrow(fc) };
            F::reconfigure(ctx, fc)?;
            Ok(0)
        })
    }
}
