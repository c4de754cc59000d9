// SPDX-License-Identifier: GPL-2.0

//! Open files of a filesystem.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/file.h`](srctree/include/linux/file.h).
//!
//! A `struct file` is an [`OpeningFile`] until `open` has succeeded, then a [`File`], and in
//! `release` a [`ReleasedFile`]: only the second has private data. The table of operations is in
//! [`file_operations`](super::file_operations).

use super::{
    dentry::Dentry,
    inode::Inode,
    types::Types, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    mm::virt::VmaNew,
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    types::Opaque, //
};

/// Who holds a POSIX lock (`fl_owner_t`): the address of a `files_struct` or of a file, to be
/// compared and scrambled, never followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlOwner(usize);

impl FlOwner {
    /// Nobody.
    pub(crate) const NONE: Self = Self(0);

    /// From what C has.
    pub(super) fn from_ptr<T>(ptr: *mut T) -> Self {
        Self(ptr.addr())
    }

    /// The address as a number.
    pub(crate) fn addr(self) -> u64 {
        self.0 as u64
    }

    /// The current task's open files (`current->files`), which own its POSIX locks; `None` for a
    /// task without any.
    pub(crate) fn current_files() -> Option<Self> {
        // SAFETY: `current` is valid in task context, and the pointer is not followed.
        let files = unsafe { (*bindings::get_current()).files };
        (!files.is_null()).then_some(Self::from_ptr(files))
    }
}

/// A `struct file` of a filesystem with the private types `T`, after a successful `open`.
///
/// # Invariants
///
/// `private_data` points to a live `T::File` inside an `Arc`, one reference of which belongs to the
/// file, from `open` to `release`.
#[repr(transparent)]
pub(crate) struct File<T: Types>(Opaque<bindings::file>, PhantomData<T>);

impl<T: Types> File<T> {
    /// Borrows a file.
    ///
    /// # Safety
    ///
    /// `ptr` is an open file of a filesystem type registered for `T`, past a successful `open`, and
    /// stays alive for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::file) -> &'a Self {
        // SAFETY: The caller promises a live file of the right type; the layout is that of
        // `struct file`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::file {
        self.0.get()
    }

    /// The filesystem's own data (`private_data`).
    pub(crate) fn data(&self) -> &T::File {
        // SAFETY: By the type's invariant.
        unsafe { &*(*self.as_ptr()).private_data.cast() }
    }

    /// The filesystem's own data, so that a reference may be kept beyond `release`.
    pub(crate) fn data_arc(&self) -> ArcBorrow<'_, T::File> {
        // SAFETY: By the type's invariant the data is in an `Arc` of which the file owns a
        // reference, and nobody has unique access to it.
        unsafe { ArcBorrow::from_raw((*self.as_ptr()).private_data.cast()) }
    }

    /// The inode (`file_inode()`).
    pub(crate) fn inode(&self) -> &Inode<T> {
        // SAFETY: `f_inode` is set by open, does not change, and is pinned by the file.
        unsafe { Inode::from_raw((*self.as_ptr()).f_inode) }
    }

    /// The dentry (`file_dentry()`).
    pub(crate) fn dentry(&self) -> &Dentry<T> {
        // SAFETY: The file is live and open: it pins its dentry, which does not change and is of
        // the same superblock.
        unsafe { Dentry::from_raw(bindings::file_dentry(self.as_ptr())) }
    }

    /// The flags that the file was opened with or `fcntl(2)` gave it since (`f_flags`).
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: The file is live. `fcntl(F_SETFL)` may store at the same time: a single load.
        unsafe { (&raw const (*self.as_ptr()).f_flags).read_volatile() }
    }

    /// `generic_file_llseek()`: moves the position within the limits of the superblock and of the
    /// inode's size.
    pub(crate) fn generic_file_llseek(&self, offset: i64, whence: i32) -> Result<i64> {
        // SAFETY: The file is live and open.
        loff_result(unsafe { bindings::generic_file_llseek(self.as_ptr(), offset, whence) })
    }

    /// `generic_file_mmap()`: the mapping is served from the page cache.
    ///
    /// # Errors
    ///
    /// EINVAL if the mapping is another file's.
    pub(crate) fn generic_file_mmap(&self, vma: &VmaNew) -> Result {
        // SAFETY: `vma` is being set up, and its file does not change meanwhile.
        if unsafe { (*vma.as_ptr()).vm_file } != self.as_ptr() {
            return Err(EINVAL);
        }
        // SAFETY: `vma` is being set up to map this file.
        to_result(unsafe { bindings::generic_file_mmap(self.as_ptr(), vma.as_ptr()) })
    }

    /// `file_write_and_wait_range()`: writes dirty folios back and waits; reports, once for this
    /// file, an error of writeback. May sleep.
    pub(crate) fn file_write_and_wait_range(&self, start: i64, end: i64) -> Result {
        // SAFETY: The file is live and open.
        to_result(unsafe { bindings::file_write_and_wait_range(self.as_ptr(), start, end) })
    }

    /// `file_check_and_advance_wb_err()`: an error of writeback that this file has not seen yet.
    pub(crate) fn file_check_and_advance_wb_err(&self) -> Result {
        // SAFETY: The file is live and open.
        to_result(unsafe { bindings::file_check_and_advance_wb_err(self.as_ptr()) })
    }
}

impl<T: Types> File<T> {
    /// A reference to the file (`get_file()`), which keeps it open, and its mount busy; `None` if
    /// the last one is gone, which no operation that gets a `File` sees.
    pub(crate) fn hold(&self) -> Option<HeldFile<T>> {
        // SAFETY: The file is live; the count is raised unless it is 0.
        let held = unsafe { bindings::file_get_unless_released(self.as_ptr()) };
        // INVARIANT: The reference was taken above.
        held.then(|| HeldFile(NonNull::from(self)))
    }
}

/// A reference to an open file. Dropping the last one (`fput()`) leaves the rest to the return to
/// user space or, of a task of the kernel's, to a work item.
///
/// # Invariants
///
/// The pointer is to a live file, of which this owns a reference.
pub(crate) struct HeldFile<T: Types>(NonNull<File<T>>);

// SAFETY: References to files may be passed between threads.
unsafe impl<T: Types> Send for HeldFile<T> {}
// SAFETY: What a file offers takes the locks it needs.
unsafe impl<T: Types> Sync for HeldFile<T> {}

impl<T: Types> core::ops::Deref for HeldFile<T> {
    type Target = File<T>;

    fn deref(&self) -> &File<T> {
        // SAFETY: By the type's invariant.
        unsafe { self.0.as_ref() }
    }
}

impl<T: Types> Drop for HeldFile<T> {
    fn drop(&mut self) {
        // SAFETY: The reference is ours.
        unsafe { bindings::fput(self.0.as_ptr().cast()) };
    }
}

/// A `struct file` in `release`: nobody else has it, and its private data has been taken out of it.
#[repr(transparent)]
pub(crate) struct ReleasedFile<T: Types>(Opaque<bindings::file>, PhantomData<T>);

impl<T: Types> ReleasedFile<T> {
    /// Borrows a file, and takes its private data.
    ///
    /// # Safety
    ///
    /// `ptr` is a file of a filesystem type registered for `T`, past a successful `open`, that
    /// `release` was called with, once; it stays alive for `'a`, in which nobody makes a [`File`]
    /// of it.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::file) -> (&'a Self, Arc<T::File>) {
        // SAFETY: A successful `open` has left an `Arc` there, a reference of which belongs to the
        // file; the caller promises that nobody uses or takes it any more.
        let data = unsafe { Arc::from_raw((*ptr).private_data.cast::<T::File>()) };
        // SAFETY: The caller promises a live file; the layout is that of `struct file`.
        (unsafe { &*ptr.cast() }, data)
    }

    /// The flags that the file was closed with (`f_flags`).
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: The file is live, and nobody has a descriptor of it by which to change them.
        unsafe { (*self.0.get()).f_flags }
    }
}

/// A `struct file` before `open` has succeeded: without private data.
#[repr(transparent)]
pub(crate) struct OpeningFile<T: Types>(Opaque<bindings::file>, PhantomData<T>);

impl<T: Types> OpeningFile<T> {
    /// Borrows a file.
    ///
    /// # Safety
    ///
    /// `ptr` is a file that `open` or `atomic_open` was called with, of a filesystem type
    /// registered for `T`, and stays alive and unshared for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::file) -> &'a Self {
        // SAFETY: The caller promises a live file; the layout is that of `struct file`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::file {
        self.0.get()
    }

    /// Gives the file its private data.
    ///
    /// # Safety
    ///
    /// To be called once, before anyone can see the file as open; if the open fails after all,
    /// [`take_private`](Self::take_private) must be called.
    pub(super) unsafe fn set_private(&self, data: Arc<T::File>) {
        // SAFETY: The file is not shared before it is open.
        unsafe { (*self.as_ptr()).private_data = Arc::into_raw(data).cast_mut().cast() };
    }

    /// Takes back what [`set_private`](Self::set_private) gave.
    ///
    /// # Safety
    ///
    /// `set_private` was called, and nobody can see the file as open.
    pub(super) unsafe fn take_private(&self) -> Arc<T::File> {
        // SAFETY: The file is not shared before it is open.
        let data = unsafe {
            core::mem::replace(&mut (*self.as_ptr()).private_data, core::ptr::null_mut())
        };
        // SAFETY: By the caller's promise, this is the pointer that `set_private` stored.
        unsafe { Arc::from_raw(data.cast::<T::File>()) }
    }

    /// The flags of `open(2)` (`f_flags`).
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: The file is live and not shared.
        unsafe { (*self.as_ptr()).f_flags }
    }

    /// `generic_file_open()`: EOVERFLOW for a large file without O_LARGEFILE.
    pub(crate) fn generic_file_open(&self, inode: &Inode<T>) -> Result {
        // SAFETY: Both are live.
        to_result(unsafe { bindings::generic_file_open(inode.as_ptr(), self.as_ptr()) })
    }

    /// `stream_open()`: a file without a position. Never fails.
    pub(crate) fn stream_open(&self, inode: &Inode<T>) {
        // SAFETY: Both are live, and the file is not shared, so its mode may be changed.
        unsafe { bindings::stream_open(inode.as_ptr(), self.as_ptr()) };
    }

    /// `nonseekable_open()`: a file whose position only reads and writes move. Never fails.
    pub(crate) fn nonseekable_open(&self, inode: &Inode<T>) {
        // SAFETY: Both are live, and the file is not shared, so its mode may be changed.
        unsafe { bindings::nonseekable_open(inode.as_ptr(), self.as_ptr()) };
    }
}

/// The `loff_t` convention: a position, or a negative error.
fn loff_result(ret: bindings::loff_t) -> Result<i64> {
    match i32::try_from(ret) {
        Ok(errno) if errno < 0 => Err(Error::from_errno(errno)),
        _ => Ok(ret),
    }
}

/// The `ssize_t` convention: a number of bytes, or a negative error.
pub(in crate::kapi) fn ssize_result(ret: isize) -> Result<usize> {
    match usize::try_from(ret) {
        Ok(n) => Ok(n),
        Err(_) => Err(i32::try_from(ret).map_or(EINVAL, Error::from_errno)),
    }
}

/// The other way round.
pub(super) fn ssize_from(ret: Result<usize>) -> isize {
    match ret {
        Ok(n) => isize::try_from(n).unwrap_or(isize::MAX),
        // A negative errno fits.
        Err(e) => e.to_errno() as isize,
    }
}
