// SPDX-License-Identifier: GPL-2.0

//! Filesystems that live in the dcache alone: a few directories and files, made by the kernel.
//!
//! C counterpart: `fs/libfs.c`, `d_make_persistent()`.
//!
//! C rules encoded here:
//!
//! - A persistent dentry keeps its inode and stays until it is removed by name, or
//!   `kill_anon_super()` takes all.
//! - `i_private` belongs to whoever makes the inode. It is an `Arc` that `evict_inode` drops, so
//!   that an operation on an open file, which holds the inode, can borrow it.
//! - A directory's link count changes with its `i_rwsem` held, as `simple_remove_by_name()` has it.

use super::{
    new_super::{
        FilledSuper,
        NewSuperBlock, //
    },
    stat::{
        S_IFDIR,
        S_IFREG, //
    },
    super_block::SuperBlock,
    types::{
        kind,
        SuperTypes, //
    },
};
use crate::{
    bindings,
    kapi::{
        lib::kstrtox::UserText,
        task::uidgid::Kgid, //
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
        from_result,
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    ffi::{
        c_char,
        c_void, //
    },
    module::this_module,
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc,
        ArcBorrow, //
    },
    task::Kuid,
    types::{
        ForeignOwnable,
        Opaque, //
    },
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceWriter, //
    },
};

/// A filesystem that lives in the dcache, without inodes and dentries of its own.
pub(crate) trait SimpleTypes: SuperTypes<Kind = kind::Simple> {
    /// Behind `inode::i_private` of its directories and files, the root excepted.
    type Node: Send + Sync + 'static;
}

/// The operations of superblocks; C: `simple_super_operations`, and nodes.
struct SuperOperations<T>(PhantomData<T>);

impl<T: SimpleTypes> SuperOperations<T> {
    const TABLE: &'static bindings::super_operations = &bindings::super_operations {
        statfs: Some(bindings::simple_statfs),
        evict_inode: Some(evict_inode_callback::<T>),
        ..pin_init::zeroed()
    };
}

impl<'a, T: SimpleTypes> NewSuperBlock<'a, T> {
    /// Gives the superblock an empty root directory and operations (`simple_fill_super()`), and
    /// lets others reach it. Sleeps.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn simple_fill_super(self, magic: u32) -> Result<FilledSuper<'a, T>> {
        let mut no_files = bindings::tree_descr {
            name: c"".as_char_ptr(),
            ops: ptr::null(),
            mode: 0,
        };
        let sb = self.as_ptr();
        // SAFETY: A superblock that is being set up, without root; the name that is empty ends the
        // list of files, which is used during the call only.
        to_result(unsafe { bindings::simple_fill_super(sb, magic as usize, &raw mut no_files) })?;
        // SAFETY: Nobody else uses the superblock. The root's inode, the only one, was allocated by
        // the default, as ours are.
        unsafe { (*sb).s_op = SuperOperations::<T>::TABLE };
        // SAFETY: It has its tables (dentries have none), and its root.
        Ok(unsafe { FilledSuper::new(self.with_tables()) })
    }
}

impl<T: SimpleTypes> SuperBlock<T> {
    /// The root directory, after [`NewSuperBlock::simple_fill_super`].
    pub(crate) fn simple_root(&self) -> Option<SimpleDir<'_, T>> {
        // SAFETY: A live superblock, which has its root until it is shut down.
        let root = unsafe { (*self.as_ptr()).s_root };
        let root = NonNull::new(root)?;
        // SAFETY: The superblock has a reference.
        unsafe { bindings::lockref_get(&raw mut (*root.as_ptr()).d_lockref) };
        // INVARIANT: A directory of this superblock, and the reference taken above.
        Some(SimpleDir {
            dentry: root,
            _sb: PhantomData,
        })
    }
}

/// A directory.
///
/// # Invariants
///
/// A positive dentry of a superblock of `T`, of which this owns a reference.
pub(crate) struct SimpleDir<'a, T: SimpleTypes> {
    dentry: NonNull<bindings::dentry>,
    _sb: PhantomData<&'a SuperBlock<T>>,
}

impl<T: SimpleTypes> Drop for SimpleDir<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::dput(self.dentry.as_ptr()) };
    }
}

/// Who owns a directory or a file, and what it stands for.
pub(crate) struct Attach<'a, N: 'static> {
    /// `i_uid`.
    pub(crate) uid: Kuid,
    /// `i_gid`.
    pub(crate) gid: Kgid,
    /// `i_private`.
    pub(crate) node: &'a Arc<N>,
}

impl<'a, T: SimpleTypes> SimpleDir<'a, T> {
    /// Makes a directory with the permissions `perm`. May sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn mkdir(
        &self,
        name: &CStr,
        perm: u16,
        attach: &Attach<'_, T::Node>,
    ) -> Result<SimpleDir<'a, T>> {
        let dir = self.add(name, S_IFDIR | perm, attach, |inode| {
            // SAFETY: A new inode, which nobody else has seen; the tables are static.
            unsafe {
                (*inode).i_op = &raw const bindings::simple_dir_inode_operations;
                (*inode).__bindgen_anon_3.i_fop = &raw const bindings::simple_dir_operations;
                bindings::inc_nlink(inode);
            }
        })?;
        // SAFETY: A positive dentry, by the type's invariant, whose inode is locked for the change,
        // as it is where directories are removed.
        unsafe {
            let inode = (*self.dentry.as_ptr()).d_inode;
            bindings::down_write(&raw mut (*inode).i_rwsem);
            bindings::inc_nlink(inode);
            bindings::up_write(&raw mut (*inode).i_rwsem);
        }
        Ok(dir)
    }

    /// Makes a file with the permissions `perm`. May sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn create(
        &self,
        name: &CStr,
        perm: u16,
        attach: &Attach<'_, T::Node>,
        ops: &'static SimpleFileOperationsTable<T>,
    ) -> Result {
        self.add(name, S_IFREG | perm, attach, |inode| {
            // SAFETY: A new inode, which nobody else has seen; the table is static.
            unsafe { (*inode).__bindgen_anon_3.i_fop = &raw const ops.0 };
        })?;
        Ok(())
    }

    /// Makes a persistent dentry and its inode.
    fn add(
        &self,
        name: &CStr,
        mode: u16,
        attach: &Attach<'_, T::Node>,
        set_operations: impl FnOnce(*mut bindings::inode),
    ) -> Result<SimpleDir<'a, T>> {
        let parent = self.dentry.as_ptr();
        // SAFETY: A live directory; the name is copied.
        let dentry = unsafe { bindings::d_alloc_name(parent, name.as_char_ptr()) };
        let dentry = NonNull::new(dentry).ok_or(ENOMEM)?;
        // SAFETY: The superblock of a live dentry.
        let inode = unsafe { bindings::new_inode((*parent).d_sb) };
        if inode.is_null() {
            // SAFETY: Our reference to a negative dentry that nobody else knows.
            unsafe { bindings::dput(dentry.as_ptr()) };
            return Err(ENOMEM);
        }
        // SAFETY: A new inode, which nobody else has seen. `evict_inode` takes the node back.
        unsafe {
            (*inode).i_ino = bindings::get_next_ino().into();
            (*inode).i_mode = mode;
            (*inode).i_uid = attach.uid.into_raw();
            (*inode).i_gid = attach.gid.into_raw();
            bindings::simple_inode_init_ts(inode);
            (*inode).i_private = attach.node.clone().into_foreign();
        }
        set_operations(inode);
        // SAFETY: A negative dentry that nobody else knows, and an inode whose reference passes to
        // it.
        unsafe { bindings::d_make_persistent(dentry.as_ptr(), inode) };
        // INVARIANT: Positive now, and the reference from `d_alloc_name()` is ours.
        Ok(SimpleDir {
            dentry,
            _sb: PhantomData,
        })
    }

    /// Removes what is there by that name, and all below it (`simple_remove_by_name()`). May sleep.
    pub(crate) fn remove_by_name(&self, name: &CStr) {
        // SAFETY: A live directory, whose lock is not held; no callback.
        unsafe { bindings::simple_remove_by_name(self.dentry.as_ptr(), name.as_char_ptr(), None) };
    }
}

/// `super_operations::evict_inode`.
///
/// # Safety
///
/// Called by the VFS, once, for an inode of a superblock of `T` that nobody can find any more.
unsafe extern "C" fn evict_inode_callback<T: SimpleTypes>(inode: *mut bindings::inode) {
    // SAFETY: As every filesystem must, by the contract above.
    unsafe {
        bindings::truncate_inode_pages_final(&raw mut (*inode).i_data);
        bindings::clear_inode(inode);
    }
    // SAFETY: Nobody else uses the inode.
    let node = unsafe { ptr::replace(&raw mut (*inode).i_private, ptr::null_mut()) };
    if !node.is_null() {
        // SAFETY: From `into_foreign()` in `add()`, and taken back once.
        drop(unsafe { Arc::<T::Node>::from_foreign(node) });
    }
}

/// An open file.
///
/// # Invariants
///
/// Its inode was made by [`SimpleDir::create`]; `private_data` is a number of the file's own.
#[repr(transparent)]
pub(crate) struct SimpleFile<T: SimpleTypes>(Opaque<bindings::file>, PhantomData<T>);

impl<T: SimpleTypes> SimpleFile<T> {
    /// # Safety
    ///
    /// `ptr` is an open file whose inode was made by [`SimpleDir::create`] of `T`, during `'a`.
    unsafe fn from_raw<'a>(ptr: *mut bindings::file) -> &'a Self {
        // SAFETY: The caller's promise; the layout is that of `struct file`.
        unsafe { &*ptr.cast() }
    }

    /// What the file stands for.
    pub(crate) fn node(&self) -> ArcBorrow<'_, T::Node> {
        // SAFETY: By the type's invariant, `i_private` is from `into_foreign()`, and the file holds
        // the inode, so that `evict_inode` has not run.
        unsafe { Arc::<T::Node>::borrow((*(*self.0.get()).f_inode).i_private) }
    }

    /// A number of the file's own (`private_data`), 0 at first.
    pub(crate) fn private(&self) -> &Atomic<usize> {
        // SAFETY: A word that nobody else uses, by the type's invariant, as long as the file lives.
        unsafe { Atomic::from_ptr((&raw mut (*self.0.get()).private_data).cast()) }
    }
}

/// The operations of a file. All are called in task context and may sleep.
#[vtable]
pub(crate) trait SimpleFileOperations<T: SimpleTypes>: 'static {
    /// read(2), or one piece of readv(2), at `pos`, which is the file's to move.
    fn read(_file: &SimpleFile<T>, _to: UserSliceWriter, _pos: &mut i64) -> Result<usize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// write(2), or one piece of writev(2), at `pos`, which is the file's to move.
    fn write(_file: &SimpleFile<T>, _from: UserText, _pos: &mut i64) -> Result<usize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A `struct file_operations` of a file that is not seekable.
pub(crate) struct SimpleFileOperationsTable<T>(bindings::file_operations, PhantomData<T>);

// SAFETY: The table is never written to after it was built.
unsafe impl<T> Sync for SimpleFileOperationsTable<T> {}

impl<T: SimpleTypes> SimpleFileOperationsTable<T> {
    /// The table of `O`'s operations, with the module as owner.
    pub(crate) const fn new<O: SimpleFileOperations<T>>() -> Self {
        let table = bindings::file_operations {
            owner: this_module::<O::OwnerModule>().as_ptr(),
            open: Some(bindings::nonseekable_open),
            read: if O::HAS_READ {
                Some(read::<T, O>)
            } else {
                None
            },
            write: if O::HAS_WRITE {
                Some(write::<T, O>)
            } else {
                None
            },
            ..pin_init::zeroed()
        };
        Self(table, PhantomData)
    }
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn read<T: SimpleTypes, O: SimpleFileOperations<T>>(
    file: *mut bindings::file,
    to: *mut c_char,
    len: usize,
    pos: *mut bindings::loff_t,
) -> isize {
    // SAFETY: An open file of `T`, and a position that is ours for the call.
    let (file, pos) = unsafe { (SimpleFile::from_raw(file), &mut *pos) };
    let to = UserSlice::new(UserPtr::from_ptr(to.cast::<c_void>()), len).writer();
    from_result(|| O::read(file, to, pos).map(|n| isize::try_from(n).unwrap_or(isize::MAX)))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn write<T: SimpleTypes, O: SimpleFileOperations<T>>(
    file: *mut bindings::file,
    from: *const c_char,
    len: usize,
    pos: *mut bindings::loff_t,
) -> isize {
    // SAFETY: An open file of `T`, and a position that is ours for the call.
    let (file, pos) = unsafe { (SimpleFile::from_raw(file), &mut *pos) };
    let from = UserText::new(from, len);
    from_result(|| O::write(file, from, pos).map(|n| isize::try_from(n).unwrap_or(isize::MAX)))
}
