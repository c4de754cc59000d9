// SPDX-License-Identifier: GPL-2.0

//! Finding inodes by number, and setting up new ones.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).
//!
//! Rules of C encoded here:
//!
//! - `iget5_locked()` returns an inode that others may be using, or one with `I_NEW`, which others
//!   find but wait for. The latter belongs to the caller until `unlock_new_inode()`: [`NewInode`].
//! - The `test` and `set` callbacks run under spinlocks and see the private data alone.
//! - `set` runs before anyone else can find the inode.
//! - The operation tables of an inode do not change once others can see it.

use super::{
    address_space::AddressSpaceOperationsTable,
    file_operations::FileOperationsTable,
    inode::Inode,
    inode_operations::InodeOperationsTable,
    stat,
    super_block::SuperBlock,
    types::Types, //
};
use crate::bindings;
use core::{
    ffi::{
        c_int,
        c_void, //
    },
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// What [`iget5_locked`](SuperBlock::iget5_locked) finds.
pub(crate) enum Iget<T: Types> {
    /// One that was there.
    Old(ARef<Inode<T>>),
    /// One that is to be set up.
    New(NewInode<T>),
}

/// How a filesystem compares and sets the number of an inode.
pub(crate) trait InodeKey<T: Types>: Sync {
    /// Whether this is the inode. Called under a spinlock.
    fn test(&self, inode: &T::Inode) -> bool;

    /// Gives the inode its number. Called under a spinlock, before anyone sees it.
    fn set(&self, inode: &T::Inode);
}

/// A new inode, `I_NEW`: others that find it wait until
/// [`unlock_new_inode`](Self::unlock_new_inode).
///
/// Dropping it is `iget_failed()`.
///
/// # Invariants
///
/// `I_NEW` is set, and this owns the reference that came with it.
pub(crate) struct NewInode<T: Types>(ManuallyDrop<ARef<Inode<T>>>);

impl<T: Types> Deref for NewInode<T> {
    type Target = Inode<T>;

    fn deref(&self) -> &Inode<T> {
        &self.0
    }
}

impl<T: Types> Drop for NewInode<T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant the inode is new and its reference ours to give up.
        unsafe { bindings::iget_failed(self.as_ptr()) };
    }
}

impl<T: Types> NewInode<T> {
    /// Lets others use the inode (`unlock_new_inode()`).
    pub(crate) fn unlock_new_inode(self) -> ARef<Inode<T>> {
        let mut me = ManuallyDrop::new(self);
        // SAFETY: `me` is not used again, nor dropped.
        let inode = unsafe { ManuallyDrop::take(&mut me.0) };
        // SAFETY: By the type's invariant `I_NEW` is set.
        unsafe { bindings::unlock_new_inode(inode.as_ptr()) };
        inode
    }

    /// Sets the inode's type; permissions come with
    /// [`set_attributes`](Inode::set_attributes).
    pub(crate) fn set_type(&mut self, mode: u16) {
        // SAFETY: The inode is alive, and others wait for `I_NEW` before they look.
        unsafe { (*self.as_ptr()).i_mode = mode & stat::S_IFMT };
    }

    /// Sets `i_generation`.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        // SAFETY: As for `set_type()`.
        unsafe { (*self.as_ptr()).i_generation = generation };
    }

    /// Sets `S_NOATIME`: the VFS leaves atime alone.
    pub(crate) fn set_noatime(&mut self) {
        // SAFETY: As for `set_type()`.
        unsafe { (*self.as_ptr()).i_flags |= bindings::S_NOATIME };
    }

    /// Sets `S_NOCMTIME`: the VFS leaves mtime and ctime alone.
    pub(crate) fn set_nocmtime(&mut self) {
        // SAFETY: As for `set_type()`.
        unsafe { (*self.as_ptr()).i_flags |= bindings::S_NOCMTIME };
    }

    /// Makes the VFS ask `get_inode_acl` each time instead of keeping ACLs (`ACL_DONT_CACHE`).
    pub(crate) fn set_acl_dont_cache(&mut self) {
        // SAFETY: As for `set_type()`; the fields hold `ACL_NOT_CACHED`, which is not counted.
        unsafe { bindings::inode_set_acl_dont_cache(self.as_ptr()) };
    }

    /// Attaches the inode operations.
    pub(crate) fn set_iops(&mut self, table: &'static InodeOperationsTable<T>) {
        // SAFETY: As for `set_type()`; the table is static and made for the same `T`.
        unsafe { (*self.as_ptr()).i_op = table.as_ptr() };
    }

    /// Attaches the file operations.
    pub(crate) fn set_fops(&mut self, table: &'static FileOperationsTable<T>) {
        // SAFETY: As for `set_type()`; the table is static and made for the same `T`.
        unsafe { (*self.as_ptr()).__bindgen_anon_3.i_fop = table.as_ptr() };
    }

    /// Attaches the operations of the page cache.
    pub(crate) fn set_aops(&mut self, table: &'static AddressSpaceOperationsTable<T>) {
        // SAFETY: As for `set_type()`; the table is static and made for the same `T`.
        unsafe { (*self.as_ptr()).i_data.a_ops = table.as_ptr() };
    }

    /// Makes this a device node, fifo or socket, and attaches the file operations for that
    /// (`init_special_inode()`). `rdev` is in the kernel's own encoding.
    pub(crate) fn init_special_inode(&mut self, rdev: u32) {
        // SAFETY: As for `set_type()`. For other types the function says so and does nothing else.
        unsafe { bindings::init_special_inode(self.as_ptr(), self.i_mode(), rdev) };
    }
}

/// # Safety
///
/// Called by `iget5_locked()` and `ilookup5()` with a live inode of a superblock registered for
/// `T`, and the key that they were given.
unsafe extern "C" fn test<T: Types, K: InodeKey<T>>(
    inode: *mut bindings::inode,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By this function's contract.
    let (inode, key) = unsafe { (Inode::<T>::from_raw(inode), &*key.cast::<K>()) };
    key.test(inode.data()).into()
}

/// # Safety
///
/// As for [`test()`].
unsafe extern "C" fn set<T: Types, K: InodeKey<T>>(
    inode: *mut bindings::inode,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By this function's contract.
    let (inode, key) = unsafe { (Inode::<T>::from_raw(inode), &*key.cast::<K>()) };
    key.set(inode.data());
    0
}

impl<T: Types> SuperBlock<T> {
    /// Finds the inode that `key` names, or makes it (`iget5_locked()`). May sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn iget5_locked<K: InodeKey<T>>(&self, hash: u64, key: &K) -> Result<Iget<T>> {
        let data = core::ptr::from_ref(key).cast_mut().cast();
        // SAFETY: The superblock is alive, and the key for as long as this takes.
        let inode = unsafe {
            bindings::iget5_locked(
                self.as_ptr(),
                hash,
                Some(test::<T, K>),
                Some(set::<T, K>),
                data,
            )
        };
        let inode = NonNull::new(inode.cast::<Inode<T>>()).ok_or(ENOMEM)?;
        // SAFETY: A reference comes with what was found.
        let inode = unsafe { ARef::from_raw(inode) };

        // SAFETY: The inode is alive.
        if unsafe { bindings::inode_is_new(inode.as_ptr()) } {
            // INVARIANT: `I_NEW` is set.
            Ok(Iget::New(NewInode(ManuallyDrop::new(inode))))
        } else {
            Ok(Iget::Old(inode))
        }
    }
}
