// SPDX-License-Identifier: GPL-2.0

//! Setting up, finding and reconfiguring superblocks.
//!
//! C header: [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h);
//! Documentation/filesystems/mount_api.rst.
//!
//! C rules encoded here:
//! - A context is used by one task at a time (`uapi_mutex`, or nobody else knows it).
//! - `fs_private` is made by `init_fs_context` and freed by `free`.
//! - `s_fs_info` of the context passes to the superblock that `sget_fc()` makes, if it makes one.

use super::{
    dentry::Dentry,
    fs_parameter::{
        FsParameter,
        ParamString, //
    },
    super_block::{
        self,
        NewSuperBlock,
        SuperBlock,
        SuperObject, //
    },
    types::Types, //
};
use crate::{
    bindings,
    kapi::{
        sync::rcu::RcuBox,
        task::user_namespace::UserNamespace, //
    },
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
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    ffi::c_int,
    prelude::*,
    sync::aref::ARef,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// `struct fs_context_operations`. `Self` is what `fs_private` points to.
#[vtable]
pub(crate) trait FsContextOperations: Sized + 'static {
    /// The private types of the superblocks.
    type Types: Types;

    /// One parameter (`mount -o`, `fsconfig()`). Without this there are none but the source.
    fn parse_param(&mut self, _fc: &FsContext<Self>, _param: &mut FsParameter) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// All parameters are there: give the context a root, by [`FsContext::get_tree_nodev`],
    /// [`FsContext::get_tree_single`] or [`FsContext::get_tree_existing`].
    fn get_tree(&mut self, fc: &FsContext<Self>) -> Result;

    /// Sets up a superblock that [`FsContext::get_tree_nodev`] or [`FsContext::get_tree_single`]
    /// has made: at least its root. On failure the superblock is shut down, with `kill_sb`.
    fn fill_super(
        &mut self,
        fc: &FsContext<Self>,
        sb: &mut NewSuperBlock<'_, Self::Types>,
    ) -> Result;

    /// Remount. The superblock's `s_umount` is held for writing; what is dirty has been written.
    fn reconfigure(&mut self, _fc: &FsContext<Self>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A `struct fs_context` whose `fs_private` is a `C`.
///
/// # Invariants
///
/// Used by this task alone.
#[repr(transparent)]
pub(crate) struct FsContext<C: FsContextOperations>(
    Opaque<bindings::fs_context>,
    PhantomData<C>,
    NotThreadSafe,
);

impl<C: FsContextOperations> FsContext<C> {
    /// Borrows a context.
    ///
    /// # Safety
    ///
    /// `ptr` is a context with the operations of `C`, this task's alone for `'a`.
    unsafe fn from_raw<'a>(ptr: *mut bindings::fs_context) -> &'a Self {
        // SAFETY: The caller promises it; the layout is that of `struct fs_context`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::fs_context {
        self.0.get()
    }

    /// The namespace of the mounter.
    pub(crate) fn user_ns(&self) -> &UserNamespace {
        // SAFETY: Referenced by the context as long as it lives.
        unsafe { UserNamespace::from_raw((*self.as_ptr()).user_ns) }
    }

    /// Whether this is a remount.
    pub(crate) fn is_reconfigure(&self) -> bool {
        // SAFETY: Ours alone, by the type's invariant.
        let purpose = unsafe { (*self.as_ptr()).purpose() };
        purpose == bindings::fs_context_purpose_FS_CONTEXT_FOR_RECONFIGURE
    }

    /// Whether the parameters come from mount(2), rather than fsconfig(2).
    pub(crate) fn oldapi(&self) -> bool {
        // SAFETY: Ours alone, by the type's invariant.
        unsafe { (*self.as_ptr()).oldapi() }
    }

    /// The superblock's flags to be.
    pub(crate) fn sb_flags(&self) -> usize {
        // SAFETY: Ours alone, by the type's invariant.
        unsafe { (*self.as_ptr()).sb_flags as usize }
    }

    /// Sets the source, which is shown in /proc/mounts. Gives it back if there is one already.
    pub(crate) fn set_source(&self, source: ParamString) -> Result<(), ParamString> {
        // SAFETY: Ours alone, by the type's invariant.
        let slot = unsafe { &mut (*self.as_ptr()).source };
        if !slot.is_null() {
            return Err(source);
        }
        // The context owns the string: `put_fs_context()` frees it.
        *slot = source.into_raw().cast();
        Ok(())
    }

    /// Writes a message to the context's log, for the mounter, or with mount(2) to the kernel's,
    /// and gives EINVAL. C: `invalfc()`.
    pub(crate) fn invalfc(&self, message: &CStr) -> Error {
        // SAFETY: Ours alone, by the type's invariant.
        let log = unsafe { &(*self.as_ptr()).log };
        // SAFETY: The log is null or the context's; `%s` takes a string that ends with zero, and
        // is formatted before the call returns.
        unsafe {
            bindings::logfc(
                log.log,
                log.prefix,
                b'e',
                c"%s".as_char_ptr(),
                message.as_char_ptr(),
            )
        };
        EINVAL
    }

    /// Makes a superblock without device and has `ctx` fill it ([`get_tree_nodev()`]).
    ///
    /// [`get_tree_nodev()`]: srctree/fs/super.c
    pub(crate) fn get_tree_nodev(&self, ctx: &mut C, data: <C::Types as Types>::Super) -> Result {
        self.get_tree(ctx, data, bindings::get_tree_nodev)
    }

    /// The same, if there is no superblock of this type yet; else takes that one
    /// ([`get_tree_single()`]).
    ///
    /// [`get_tree_single()`]: srctree/fs/super.c
    pub(crate) fn get_tree_single(&self, ctx: &mut C, data: <C::Types as Types>::Super) -> Result {
        self.get_tree(ctx, data, bindings::get_tree_single)
    }

    fn get_tree(&self, ctx: &mut C, data: <C::Types as Types>::Super, get_tree: GetTree) -> Result {
        let data = SuperObject::<C::Types>::new(data)?;
        let fc = self.as_ptr();
        // SAFETY: Ours alone, by the type's invariant. The object passes to the context, and from
        // there to the superblock.
        unsafe { (*fc).s_fs_info = data.into_raw().cast() };
        // `fill_super` reaches `ctx` through the context, by a pointer made from our borrow.
        // SAFETY: As above.
        let private = unsafe { ptr::replace(&raw mut (*fc).fs_private, ptr::from_mut(ctx).cast()) };
        // SAFETY: Called from `get_tree`, on its context, with a function of the right type.
        let ret = unsafe { get_tree(fc, Some(fill_super_callback::<C>)) };
        // SAFETY: As above. `private` is the pointer that `ctx` was made from.
        unsafe { (*fc).fs_private = private };
        // SAFETY: As above.
        let left = unsafe { ptr::replace(&raw mut (*fc).s_fs_info, ptr::null_mut()) };
        if let Some(left) = NonNull::new(left.cast::<SuperObject<C::Types>>()) {
            // No superblock was made.
            // SAFETY: The pointer is the one from `RcuBox::into_raw()`, and nobody took it.
            drop(unsafe { RcuBox::from_raw(left.as_ptr()) });
        }
        to_result(ret)
    }

    /// Finds a live superblock of this type for which `test` holds, and makes its root the
    /// context's; fails with `none` if there is none. `test` is called under a spinlock and must
    /// not sleep. C: `sget_fc()` with a `set` that always fails.
    ///
    /// # Errors
    ///
    /// `none`; EBUSY if the superblock belongs to another user namespace or a new one was asked
    /// for; ENOMEM.
    pub(crate) fn get_tree_existing<F>(&self, test: F, none: Error) -> Result
    where
        F: Fn(&SuperBlock<C::Types>) -> bool,
    {
        let key = Key { test, none };
        let fc = self.as_ptr();
        // SAFETY: Ours alone, by the type's invariant.
        unsafe { (*fc).sget_key = ptr::from_ref(&key).cast_mut().cast() };
        // SAFETY: The callbacks take the context's `sget_key` for a `Key<F>`, which it is until
        // the call returns. `s_fs_info` is null, and stays so as no superblock is made.
        let sb =
            unsafe { bindings::sget_fc(fc, Some(test_callback::<C, F>), Some(set_callback::<F>)) };
        // SAFETY: As above.
        unsafe { (*fc).sget_key = ptr::null_mut() };
        let sb = from_err_ptr(sb)?;
        // SAFETY: `sget_fc()` found a born superblock, active and with `s_umount` held: it has a
        // root, which it references.
        let root: &Dentry<C::Types> = unsafe { Dentry::from_raw((*sb).s_root) };
        let root = ARef::into_raw(ARef::from(root));
        // SAFETY: Ours alone. The context takes the new reference to the root, and with it
        // `sget_fc()`'s reference to the superblock.
        unsafe { (*fc).root = root.as_ref().as_ptr() };
        Ok(())
    }
}

/// `get_tree_nodev()`, `get_tree_single()`.
type GetTree = unsafe extern "C" fn(*mut bindings::fs_context, Option<FillSuper>) -> c_int;
type FillSuper =
    unsafe extern "C" fn(*mut bindings::super_block, *mut bindings::fs_context) -> c_int;

/// What [`FsContext::get_tree_existing`] hands to its callbacks.
struct Key<F> {
    test: F,
    none: Error,
}

/// The test of [`FsContext::get_tree_existing`].
///
/// # Safety
///
/// Called by `sget_fc()`, called by that, with a superblock of the context's type.
unsafe extern "C" fn test_callback<C, F>(
    sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> c_int
where
    C: FsContextOperations,
    F: Fn(&SuperBlock<C::Types>) -> bool,
{
    // SAFETY: Called from `get_tree_existing()` with its context.
    let key = unsafe { &*(*fc).sget_key.cast::<Key<F>>() };
    // SAFETY: `sget_fc()` passes superblocks of the context's filesystem type, which have had
    // `s_fs_info` since they became visible. A dead one is not passed, and the test is over before
    // one can die.
    c_int::from((key.test)(unsafe { SuperBlock::from_raw(sb) }))
}

/// Makes no superblock for [`FsContext::get_tree_existing`].
///
/// # Safety
///
/// Called by `sget_fc()`, called by that.
unsafe extern "C" fn set_callback<F>(
    _sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> c_int {
    // SAFETY: Called from `get_tree_existing()` with its context.
    unsafe { &*(*fc).sget_key.cast::<Key<F>>() }.none.to_errno()
}

/// Fills a superblock for [`FsContext::get_tree`].
///
/// # Safety
///
/// Called by `get_tree_nodev()`, called by that, with a new superblock.
unsafe extern "C" fn fill_super_callback<C: FsContextOperations>(
    sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> c_int {
    from_result(|| {
        // SAFETY: Called from `get_tree_nodev()`, which set `fs_private` to a borrow of its own.
        let ctx = unsafe { &mut *(*fc).fs_private.cast::<C>() };
        // SAFETY: A fresh superblock of our type with `s_fs_info`, and `s_umount` held.
        let mut new = unsafe { NewSuperBlock::from_raw(sb) };
        // SAFETY: `kill_sb` clears it before it shuts the superblock down.
        unsafe { super_block::set_live(&*new) };
        // SAFETY: Our context, from `get_tree_nodev()`.
        ctx.fill_super(unsafe { FsContext::from_raw(fc) }, &mut new)?;
        Ok(0)
    })
}

/// The operations of a context whose `fs_private` is a `C`.
struct Operations<C>(PhantomData<C>);

impl<C: FsContextOperations> Operations<C> {
    const TABLE: bindings::fs_context_operations = bindings::fs_context_operations {
        free: Some(Self::free),
        dup: None,
        parse_param: if C::HAS_PARSE_PARAM {
            Some(Self::parse_param)
        } else {
            None
        },
        parse_monolithic: None,
        get_tree: Some(Self::get_tree),
        reconfigure: if C::HAS_RECONFIGURE {
            Some(Self::reconfigure)
        } else {
            None
        },
    };

    /// # Safety
    ///
    /// `fc` is a context with this table, this task's alone for `'a`.
    unsafe fn borrow<'a>(fc: *mut bindings::fs_context) -> (&'a mut C, &'a FsContext<C>) {
        // SAFETY: `fs_private` is the `C` that `init_fs_context()` put there. `FsContext` does not
        // lend it, so this is the only borrow.
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
            // SAFETY: The pointer is the one from `KBox::into_raw()` in `init_fs_context()`.
            drop(unsafe { KBox::from_raw(private.cast::<C>()) });
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
            // SAFETY: The parameter is the caller's, lent to us.
            ctx.parse_param(fc, unsafe { &mut *param.cast() })?;
            Ok(0)
        })
    }

    /// `fs_context_operations::get_tree`.
    ///
    /// # Safety
    ///
    /// As for `parse_param()`.
    unsafe extern "C" fn get_tree(fc: *mut bindings::fs_context) -> c_int {
        from_result(|| {
            // SAFETY: As in `parse_param()`.
            let (ctx, fc) = unsafe { Self::borrow(fc) };
            ctx.get_tree(fc)?;
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
            // SAFETY: A context for reconfiguration has a root, of a superblock of its type.
            let sb: &SuperBlock<C::Types> = unsafe { SuperBlock::from_raw((*(*fc).root).d_sb) };
            // As in C, what cannot be written does not stop it.
            let _ = sb.sync_filesystem();
            // SAFETY: As in `parse_param()`.
            let (ctx, fc) = unsafe { Self::borrow(fc) };
            ctx.reconfigure(fc)?;
            Ok(0)
        })
    }
}

/// Gives a new context its operations and its private data.
///
/// # Safety
///
/// `fc` is a context that `init_fs_context` was called with, of a filesystem type registered for
/// `C::Types`.
pub(super) unsafe fn init_fs_context<C: FsContextOperations>(
    fc: *mut bindings::fs_context,
    private: KBox<C>,
) {
    // SAFETY: The context is new: ours alone. `free()` takes the box back.
    unsafe { (*fc).fs_private = KBox::into_raw(private).cast() };
    // SAFETY: As above.
    unsafe { (*fc).ops = &raw const *Operations::<C>::TABLE_REF };
}

impl<C: FsContextOperations> Operations<C> {
    const TABLE_REF: &'static bindings::fs_context_operations = &Self::TABLE;
}
