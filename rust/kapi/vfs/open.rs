// SPDX-License-Identifier: GPL-2.0

//! Opening a file from within `atomic_open` or `tmpfile`.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`finish_open()`,
//! `finish_no_open()`).
//!
//! Rules of C encoded here:
//!
//! - `atomic_open` ends with one call of either function, or fails. The first is for a file that
//!   is not open (`FMODE_OPENED` makes it BUG) nor being opened by `open`. So an [`AtomicFile`] is
//!   used up by either, and what they return is what `atomic_open` returns.
//! - `tmpfile` has opened the file when it succeeds, for the VFS takes its inode then. So it
//!   returns what the first of them returns.
//! - The dentry of a `tmpfile` is new: it has no name in its directory, and nobody else knows it.
//! - `finish_open()` calls the function that it is given in place of the `open` of the inode's
//!   table, and the file gets that table: of a fifo or a device it would be one that takes our
//!   private data for its own.
//! - When it fails after the file counts as open, `release` runs in the end all the same, and the
//!   private data stays with the file; when it fails before that, `release` does not run.

use super::{
    dentry::{
        into_ptr,
        Alias,
        NamedDentry,
        NegativeDentry,
        UnhashedDentry, //
    },
    fcntl::O_CREAT,
    file::OpeningFile,
    inode::Inode,
    mnt_idmapping::MntIdmap,
    types::Types, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ops::Deref, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::c_int,
    prelude::*,
    sync::Arc, //
};

/// The end of an open, once the VFS has set the file up.
pub(crate) trait FinishOpen<T: Types> {
    /// Called with the private data that the file is going to have.
    fn finish_open(inode: &Inode<T>, file: &OpeningFile<T>, data: &T::File) -> Result;
}

/// Why a file was not opened, and its data unless that has gone to the file.
pub(crate) type NotOpened<T> = (Error, Option<Arc<<T as Types>::File>>);

/// The file that `atomic_open` or `tmpfile` is called with, and the dentry that it is to be of.
///
/// # Invariants
///
/// The file is not open, and there is no other of these for it. `dentry` is the one that the
/// operation was called with; with `exclusive`, the parent's `i_rwsem` is held exclusively for
/// `'a`, or nobody else knows the dentry. Without `taken` there is no [`UnhashedDentry`] for it.
pub(crate) struct AtomicFile<'a, T: Types> {
    file: &'a OpeningFile<T>,
    dentry: NamedDentry<'a, T>,
    exclusive: bool,
    taken: bool,
}

/// `atomic_open` has ended: the file is open, or the VFS is to open what was found or made.
///
/// # Invariants
///
/// `finish_open()` or `finish_no_open()` was called for the file of `'a`, and succeeded.
#[must_use]
pub(crate) struct AtomicOpen<'a, T: Types>(PhantomData<&'a OpeningFile<T>>);

/// The file is open.
///
/// # Invariants
///
/// `finish_open()` was called for the file of `'a`, and succeeded.
#[must_use]
pub(crate) struct OpenedFile<'a, T: Types>(PhantomData<&'a OpeningFile<T>>);

impl<'a, T: Types> From<OpenedFile<'a, T>> for AtomicOpen<'a, T> {
    fn from(_: OpenedFile<'a, T>) -> Self {
        // INVARIANT: By that of what it was.
        Self(PhantomData)
    }
}

/// # Safety
///
/// Called by `finish_open()` for a file whose private data was set for `T`.
unsafe extern "C" fn finish<T: Types, O: FinishOpen<T>>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: By this function's contract; the private data came from `Arc::into_raw()`.
    let (inode, opening, data) = unsafe {
        (
            Inode::from_raw(inode),
            OpeningFile::from_raw(file),
            &*(*file).private_data.cast::<T::File>(),
        )
    };
    from_result(|| O::finish_open(inode, opening, data).map(|()| 0))
}

impl<T: Types> Deref for AtomicFile<'_, T> {
    type Target = OpeningFile<T>;

    fn deref(&self) -> &OpeningFile<T> {
        self.file
    }
}

impl<'a, T: Types> AtomicFile<'a, T> {
    /// Borrows what `atomic_open` was called with.
    ///
    /// # Safety
    ///
    /// To be called once by each `atomic_open`, with the file, the dentry and the flags that it has
    /// got; the first two are of a filesystem type registered for `T`, and `'a` ends with the call.
    pub(super) unsafe fn from_raw(
        file: *mut bindings::file,
        dentry: *mut bindings::dentry,
        flags: u32,
    ) -> Self {
        Self {
            // SAFETY: The caller's promise.
            file: unsafe { OpeningFile::from_raw(file) },
            // SAFETY: The caller's promise; the parent is locked at least shared.
            dentry: unsafe { NamedDentry::from_raw(dentry) },
            // INVARIANT: With `O_CREAT` the VFS has locked the parent exclusively.
            exclusive: flags & O_CREAT != 0,
            taken: false,
        }
    }

    /// Borrows what `tmpfile` was called with.
    ///
    /// # Safety
    ///
    /// To be called once by each `tmpfile`, with the file that it has got, of a filesystem type
    /// registered for `T`; `'a` ends with the call.
    pub(super) unsafe fn from_tmpfile(file: *mut bindings::file) -> Self {
        // SAFETY: The caller's promise; the VFS has set the dentry.
        let dentry = unsafe { (*file).__bindgen_anon_1.f_path.dentry };
        Self {
            // SAFETY: The caller's promise.
            file: unsafe { OpeningFile::from_raw(file) },
            // SAFETY: `vfs_tmpfile()` has allocated the dentry and keeps it for the call. Nobody
            // else knows it, so that it keeps its name and its parent.
            dentry: unsafe { NamedDentry::from_raw(dentry) },
            // INVARIANT: As above.
            exclusive: true,
            taken: false,
        }
    }

    /// The id mapping of the file's mount (`file_mnt_idmap()`).
    pub(crate) fn mnt_idmap(&self) -> &'a MntIdmap {
        // SAFETY: The VFS has set the file's mount, keeps it for `'a`, and the mount its mapping.
        unsafe { MntIdmap::from_raw(bindings::file_mnt_idmap(self.as_ptr())) }
    }

    /// The dentry.
    pub(crate) fn dentry(&self) -> NamedDentry<'a, T> {
        self.dentry
    }

    /// The dentry, if it is being looked up, by us (`d_in_lookup()`). To be had once.
    pub(crate) fn in_lookup(&mut self) -> Option<UnhashedDentry<'a, T>> {
        let dentry = self.dentry.as_ptr();
        // SAFETY: The dentry is alive.
        if self.taken || !unsafe { bindings::d_in_lookup(dentry) } {
            return None;
        }
        // INVARIANT: There is one now.
        self.taken = true;
        // SAFETY: Of a dentry that is being looked up, which is negative and not hashed, others
        // wait for the end of that, which is ours to bring about. This is the only one by the
        // type's invariant, and as there is no `NegativeDentry` as long as it is looked up.
        Some(unsafe { UnhashedDentry::from_raw(dentry) })
    }

    /// The dentry, if it is negative, and the name may be made (`O_CREAT`).
    pub(crate) fn negative(&mut self) -> Option<NegativeDentry<'_, T>> {
        let dentry = self.dentry.as_ptr();
        // SAFETY: The dentry is alive.
        let in_lookup = unsafe { bindings::d_in_lookup(dentry) };
        let negative = self.exclusive && !in_lookup && self.dentry.inode().is_none();
        // SAFETY: The parent is locked exclusively, or nobody else knows the dentry, so that nobody
        // else gives it an inode; and `self` is borrowed, so that this is the only one. An
        // `UnhashedDentry` that there was has been used up, as the dentry is not being looked up
        // any more.
        negative.then(|| unsafe { NegativeDentry::from_raw(dentry) })
    }

    /// Notes that the file was created by this open (`FMODE_CREATED`).
    pub(crate) fn set_created(&self) {
        // SAFETY: The file is not shared before it is open.
        unsafe { (*self.as_ptr()).f_mode |= bindings::FUSE_CONST_FMODE_CREATED };
    }

    /// Opens the file on its dentry with `data` (`finish_open()`).
    ///
    /// # Errors
    ///
    /// EINVAL if the dentry is not a regular file's; else what `O` or the VFS says. The data comes
    /// back, unless it has gone to the file, which is to be released then.
    pub(crate) fn finish_open<O: FinishOpen<T>>(
        self,
        data: Arc<T::File>,
    ) -> Result<OpenedFile<'a, T>, NotOpened<T>> {
        if !self.dentry.inode().is_some_and(Inode::is_reg) {
            return Err((EINVAL, Some(data)));
        }
        // SAFETY: The file is not open yet, by this type; see below for failures.
        unsafe { self.set_private(data) };
        // SAFETY: The file is not open, by this type. The dentry is positive, and its inode a
        // regular file, whose table (`InodeKind::Regular`) was made for `T`; or a bad inode, whose
        // table looks at no private data.
        let ret = unsafe {
            bindings::finish_open(self.as_ptr(), self.dentry.as_ptr(), Some(finish::<T, O>))
        };
        match to_result(ret) {
            // INVARIANT: As above.
            Ok(()) => Ok(OpenedFile(PhantomData)),
            Err(e) if self.is_opened() => Err((e, None)),
            // SAFETY: The data was set above, and nobody sees the file as open.
            Err(e) => Err((e, Some(unsafe { self.take_private() }))),
        }
    }

    /// Leaves it to the VFS to open what the dentry is now, or `other` in its place
    /// (`finish_no_open()`). Never fails.
    pub(crate) fn finish_no_open(self, other: Option<Alias<'a, T>>) -> Result<AtomicOpen<'a, T>> {
        let other = into_ptr(Ok(other));
        // SAFETY: The file is not open, by this type. What takes the dentry's place is in the same
        // directory; the function takes over the reference.
        to_result(unsafe { bindings::finish_no_open(self.as_ptr(), other) })?;
        // INVARIANT: As above.
        Ok(AtomicOpen(PhantomData))
    }

    /// `FMODE_OPENED`.
    fn is_opened(&self) -> bool {
        // SAFETY: The file is not shared before it is open.
        unsafe { (*self.as_ptr()).f_mode & bindings::FUSE_CONST_FMODE_OPENED != 0 }
    }
}
