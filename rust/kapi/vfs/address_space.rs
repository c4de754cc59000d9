// SPDX-License-Identifier: GPL-2.0

//! The page cache's calls into a filesystem: `struct address_space_operations`.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h).

use super::{
    file::{
        ssize_from,
        File, //
    },
    inode::Inode,
    kiocb::Kiocb,
    types::Types, //
};
use crate::{
    bindings,
    kapi::mm::iov::{
        is_source,
        Dest,
        IovIter,
        Source, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    ffi::c_int,
    prelude::*, //
};

/// A folio that the page cache wants to be read, locked. Drop unlocks it: not read.
///
/// # Invariants
///
/// The folio is in the page cache of an inode of `T`, locked, and the lock is ours.
pub(crate) struct LockedForRead<'a, T: Types> {
    folio: NonNull<bindings::folio>,
    _inode: PhantomData<&'a Inode<T>>,
}

impl<T: Types> LockedForRead<'_, T> {
    /// Hands the lock to C.
    pub(in crate::kapi) fn into_raw(self) -> *mut bindings::folio {
        ManuallyDrop::new(self).folio.as_ptr()
    }
}

impl<T: Types> Drop for LockedForRead<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::folio_unlock(self.folio.as_ptr()) };
    }
}

/// A readahead: folios that have been added to the page cache, locked, in the hope that they will
/// be read. Those that are not taken are unlocked again by the page cache.
///
/// # Invariants
///
/// `inner` is valid and used by nobody else; its mapping is that of an inode of `T`.
pub(crate) struct ReadaheadControl<'a, T: Types> {
    inner: NonNull<bindings::readahead_control>,
    _phantom: PhantomData<(&'a mut bindings::readahead_control, T)>,
}

impl<'a, T: Types> ReadaheadControl<'a, T> {
    pub(in crate::kapi) fn as_ptr(&mut self) -> *mut bindings::readahead_control {
        self.inner.as_ptr()
    }

    /// The file that is read, if it is a file of this inode.
    pub(crate) fn file(&self) -> Option<&'a File<T>> {
        // SAFETY: By the type's invariant.
        let rac = unsafe { self.inner.as_ref() };
        // SAFETY: By the type's invariant the mapping is as said. The file is open for the call.
        unsafe { file_of(rac.file, rac.mapping) }
    }
}

/// The file that a page cache is read for, if there is one and it is of the same inode. Another
/// filesystem may use the page cache for a file of its own (`f_mapping`), as coda does for one that
/// it maps, and posix_fadvise(2) reads ahead with that file, whose private data is not ours. (C's
/// fuse takes it for a `struct fuse_file`.)
///
/// # Safety
///
/// `mapping` is that of an inode of `T`. `file` is null, or open for as long as `'a`.
unsafe fn file_of<'a, T: Types>(
    file: *mut bindings::file,
    mapping: *mut bindings::address_space,
) -> Option<&'a File<T>> {
    // SAFETY: Both are valid, and their inodes do not change.
    let own = !file.is_null() && unsafe { (*file).f_inode == (*mapping).host };
    // SAFETY: An open file of an inode of `T`.
    own.then(|| unsafe { File::from_raw(file) })
}

/// The operations of a page cache. All are called in task context and may sleep.
#[vtable]
pub(crate) trait AddressSpaceOperations<T: Types>: 'static {
    /// Reads a folio, and unlocks it when that is done.
    fn read_folio(_file: Option<&File<T>>, _folio: LockedForRead<'_, T>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads folios ahead; called with `memalloc_nofs_save()` in effect.
    fn readahead(_rac: &mut ReadaheadControl<'_, T>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads around the page cache (`direct_IO`), without moving the position of `iocb`.
    fn direct_read(_iocb: &mut Kiocb<'_, T>, _to: &mut IovIter<Dest>) -> Result<usize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes around the page cache (`direct_IO`), without moving the position of `iocb`.
    fn direct_write(_iocb: &mut Kiocb<'_, T>, _from: &mut IovIter<Source>) -> Result<usize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The block of the block device behind that block `block` of a file lies in; 0 if in none.
    fn bmap(_inode: &Inode<T>, _block: u64) -> u64 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A `struct address_space_operations`. It lives in a `static`, and inodes use it by reference.
#[repr(transparent)]
pub(crate) struct AddressSpaceOperationsTable<T: Types>(
    bindings::address_space_operations,
    PhantomData<T>,
);

// SAFETY: The table is never written to after it was built.
unsafe impl<T: Types> Sync for AddressSpaceOperationsTable<T> {}

impl<T: Types> AddressSpaceOperationsTable<T> {
    /// The table of `O`'s operations; what iomap keeps with a folio, iomap looks after.
    pub(crate) const fn new_iomap<O: AddressSpaceOperations<T>>() -> Self {
        let table = bindings::address_space_operations {
            read_folio: if O::HAS_READ_FOLIO {
                Some(read_folio::<T, O>)
            } else {
                None
            },
            readahead: if O::HAS_READAHEAD {
                Some(readahead::<T, O>)
            } else {
                None
            },
            direct_IO: if O::HAS_DIRECT_READ && O::HAS_DIRECT_WRITE {
                Some(direct_io::<T, O>)
            } else {
                None
            },
            bmap: if O::HAS_BMAP {
                Some(bmap::<T, O>)
            } else {
                None
            },
            dirty_folio: Some(bindings::iomap_dirty_folio),
            release_folio: Some(bindings::iomap_release_folio),
            invalidate_folio: Some(bindings::iomap_invalidate_folio),
            is_partially_uptodate: Some(bindings::iomap_is_partially_uptodate),
            migrate_folio: if_configured!(CONFIG_MIGRATION, bindings::filemap_migrate_folio),
            ..pin_init::zeroed()
        };
        Self(table, PhantomData)
    }

    /// The C table, for `a_ops`.
    pub(super) const fn as_ptr(&'static self) -> *const bindings::address_space_operations {
        &raw const self.0
    }
}

// The functions below are put into a table that is attached to inodes of superblocks registered for
// `T` only, so that the inode they get is one of `T`. A file that comes with a folio or with a
// readahead need not be, see `file_of()`; that of a kiocb is, as only our own file operations come
// to `direct_IO`.

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn read_folio<T: Types, O: AddressSpaceOperations<T>>(
    file: *mut bindings::file,
    raw: *mut bindings::folio,
) -> c_int {
    // INVARIANT: The page cache calls with a locked folio of an inode of `T`, and leaves it to us
    // to unlock it.
    let folio = LockedForRead {
        // SAFETY: As above, so it is not null.
        folio: unsafe { NonNull::new_unchecked(raw) },
        _inode: PhantomData,
    };
    // SAFETY: If there is a file it is open. The folio is locked, and so in its mapping, that of an
    // inode of `T`.
    let file = unsafe { file_of(file, bindings::folio_mapping_locked(raw)) };
    from_result(|| O::read_folio(file, folio).map(|()| 0))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn readahead<T: Types, O: AddressSpaceOperations<T>>(
    rac: *mut bindings::readahead_control,
) {
    let mut rac = ReadaheadControl {
        // SAFETY: The page cache calls with a valid pointer to what is ours for the call.
        inner: unsafe { NonNull::new_unchecked(rac) },
        _phantom: PhantomData,
    };
    O::readahead(&mut rac);
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn direct_io<T: Types, O: AddressSpaceOperations<T>>(
    iocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: `ki_filp` is an open file of `T`, see above; the kiocb is ours for the call.
    let mut iocb = unsafe { Kiocb::from_raw(iocb) };
    // SAFETY: `direct_IO` is called with a valid iterator, of either direction.
    ssize_from(if unsafe { is_source(iter) } {
        // SAFETY: A source, ours for the call.
        O::direct_write(&mut iocb, unsafe { IovIter::from_raw(iter) })
    } else {
        // SAFETY: A destination, ours for the call.
        O::direct_read(&mut iocb, unsafe { IovIter::from_raw(iter) })
    })
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in, for an inode that its caller has open.
unsafe extern "C" fn bmap<T: Types, O: AddressSpaceOperations<T>>(
    mapping: *mut bindings::address_space,
    block: bindings::sector_t,
) -> bindings::sector_t {
    // SAFETY: The page cache is that of a live inode, its host, of `T`.
    let inode = unsafe { Inode::<T>::from_raw((*mapping).host) };
    O::bmap(inode, block)
}
