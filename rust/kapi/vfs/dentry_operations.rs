// SPDX-License-Identifier: GPL-2.0

//! The operations of a filesystem on its dentries.
//!
//! C header: [`include/linux/dcache.h`](srctree/include/linux/dcache.h)
//! (`struct dentry_operations`); rules: [locking](srctree/Documentation/filesystems/locking.rst).
//!
//! Rules of C encoded here:
//!
//! - `d_init` runs before anyone sees the dentry, `d_release` when nobody can find it any more; RCU
//!   walk may still be reading `d_fsdata`, which is freed a grace period later.
//! - `d_revalidate` runs in RCU walk when `LOOKUP_RCU` is among its flags: [`super::rcu_walk`]. The
//!   name it gets is a stable copy or was checked; `d_name` may change meanwhile.
//! - `d_delete` runs under `d_lock`: it sees the private data alone.

use super::{
    dentry::{
        qstr_bytes,
        Dentry, //
    },
    dentry_tree::DentryObject,
    inode::Inode,
    namei::LookupFlags,
    rcu_walk::{
        RcuDentry,
        RcuInode, //
    },
    super_block::SuperBlock,
    types::Types, //
};
use crate::{
    bindings,
    kapi::sync::rcu::RcuBox, //
};
use core::{
    ffi::{
        c_int,
        c_uint, //
    },
    marker::PhantomData, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

/// `struct dentry_operations`.
pub(crate) trait DentryOperations<T: Types> {
    /// Whether a cached dentry may be used, with references held. May sleep.
    ///
    /// `dir` is the parent; `name` the name that is looked up.
    ///
    /// # Errors
    ///
    /// What the lookup is to fail with.
    fn d_revalidate(
        dir: &Inode<T>,
        name: &[u8],
        dentry: &Dentry<T>,
        flags: LookupFlags,
    ) -> Result<bool>;

    /// The same in RCU walk.
    ///
    /// # Errors
    ///
    /// ECHILD if it cannot be told without sleeping.
    fn d_revalidate_rcu(
        dir: &RcuInode<'_, T>,
        dentry: &RcuDentry<'_, T>,
        flags: LookupFlags,
    ) -> Result<bool>;

    /// Whether the dentry is to be dropped when its last reference goes. Must not sleep. Not
    /// optional: a dentry whose flag says that it is asked must have it.
    fn d_delete(data: &T::Dentry) -> bool;

    /// Makes the private data of a new dentry, which is dropped a grace period after the dentry.
    fn d_init() -> T::Dentry;
}

/// A table of dentry operations for `T`.
#[repr(transparent)]
pub(crate) struct DentryOperationsTable<T: Types>(bindings::dentry_operations, PhantomData<fn(T)>);

// SAFETY: The table is never written.
unsafe impl<T: Types> Sync for DentryOperationsTable<T> {}

impl<T: Types> DentryOperationsTable<T> {
    /// The table of `O`.
    pub(crate) const fn new<O: DentryOperations<T>>() -> Self {
        Self(
            bindings::dentry_operations {
                d_revalidate: Some(d_revalidate::<T, O>),
                d_delete: Some(d_delete::<T, O>),
                d_init: Some(d_init::<T, O>),
                d_release: Some(d_release::<T>),
                ..pin_init::zeroed()
            },
            PhantomData,
        )
    }

    /// The C object.
    pub(super) const fn as_ptr(&self) -> *const bindings::dentry_operations {
        &raw const self.0
    }
}

/// # Safety
///
/// Called by the VFS: parent and dentry are of a superblock registered for `T`, and referenced, or,
/// with `LOOKUP_RCU`, found in the RCU read side critical section that this runs in.
unsafe extern "C" fn d_revalidate<T: Types, O: DentryOperations<T>>(
    dir: *mut bindings::inode,
    name: *const bindings::qstr,
    dentry: *mut bindings::dentry,
    flags: c_uint,
) -> c_int {
    let flags = LookupFlags::from_raw(flags);
    from_result(|| {
        if flags.rcu() {
            // SAFETY: By this function's contract.
            let (dir, dentry) =
                unsafe { (RcuInode::<T>::from_raw(dir), RcuDentry::from_raw(dentry)) };
            O::d_revalidate_rcu(&dir, &dentry, flags)
        } else {
            // SAFETY: By this function's contract; the name is valid for the call.
            let (dir, name, dentry) = unsafe {
                (
                    Inode::<T>::from_raw(dir),
                    qstr_bytes(name),
                    Dentry::from_raw(dentry),
                )
            };
            O::d_revalidate(dir, name, dentry, flags)
        }
        .map(c_int::from)
    })
}

/// # Safety
///
/// Called by the VFS, with `d_lock` held, for a dentry past `d_init`.
unsafe extern "C" fn d_delete<T: Types, O: DentryOperations<T>>(
    dentry: *const bindings::dentry,
) -> c_int {
    // SAFETY: By this function's contract.
    let dentry = unsafe { Dentry::<T>::from_raw(dentry.cast_mut()) };
    O::d_delete(dentry.data()).into()
}

/// # Safety
///
/// Called by the VFS, once, for a dentry that nobody else sees.
unsafe extern "C" fn d_init<T: Types, O: DentryOperations<T>>(
    dentry: *mut bindings::dentry,
) -> c_int {
    from_result(|| {
        // Charged as the dentry itself is: names are as many as a task looks up.
        let object = DentryObject::<T>::new(O::d_init(), dentry);
        let object = RcuBox::pin_init(object, GFP_KERNEL_ACCOUNT)?.into_raw();
        // SAFETY: Nobody else knows the object.
        unsafe { DentryObject::init(object) };
        // SAFETY: Nobody else sees the dentry.
        unsafe { (*dentry).d_fsdata = object.cast() };
        // SAFETY: A dentry is made of a live superblock, which has its tables.
        let sb: &SuperBlock<T> = unsafe { SuperBlock::from_raw((*dentry).d_sb) };
        sb.objects().add();
        Ok(0)
    })
}

/// # Safety
///
/// Called by the VFS, once, for a dentry that only RCU walk still sees.
unsafe extern "C" fn d_release<T: Types>(dentry: *mut bindings::dentry) {
    // SAFETY: The dentry is alive.
    let object = unsafe { (*dentry).d_fsdata }.cast::<DentryObject<T>>();
    // SAFETY: The superblock waits for its dentries.
    let sb: &SuperBlock<T> = unsafe { SuperBlock::from_raw((*dentry).d_sb) };
    // SAFETY: Past `d_init`, and nobody has a reference to the dentry.
    unsafe { sb.live().tree().remove(object) };
    // SAFETY: The pointer came from `into_raw()` in `d_init()`, and is not used any more but by
    // RCU walk, which the box waits for.
    drop(unsafe { RcuBox::from_raw(object) });
    // The last use of the superblock.
    sb.objects().remove();
}
