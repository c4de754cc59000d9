// SPDX-License-Identifier: GPL-2.0

//! Opening a file from within `atomic_open`.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`finish_open()`).
//!
//! Rules of C encoded here:
//!
//! - `finish_open()` is called at most once for a file, which is not open before it
//!   (`FMODE_OPENED` makes it BUG).
//! - When it fails after the file counts as open, `release` runs in the end all the same, and the
//!   private data stays with the file; when it fails before that, `release` does not run.

use super::{
    dentry::Dentry,
    file::OpeningFile,
    inode::Inode,
    types::Types, //
};
use crate::bindings;
use core::ffi::c_int;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
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

impl<T: Types> OpeningFile<T> {
    /// Notes that the file was created by this open (`FMODE_CREATED`).
    pub(crate) fn set_created(&self) {
        // SAFETY: The file is not shared before it is open.
        unsafe { (*self.as_ptr()).f_mode |= bindings::FUSE_CONST_FMODE_CREATED };
    }

    /// Opens the file on `dentry`, which is positive, with `data` (`finish_open()`).
    ///
    /// # Errors
    ///
    /// What `O` or the VFS says, and the data, unless it has gone to the file, which is to be
    /// released then.
    pub(crate) fn finish_open<O: FinishOpen<T>>(
        &self,
        dentry: &Dentry<T>,
        data: Arc<T::File>,
    ) -> Result<(), NotOpened<T>> {
        if self.is_opened() || dentry.inode().is_none() {
            return Err((EINVAL, Some(data)));
        }
        // SAFETY: The file is not open yet; see below for failures.
        unsafe { self.set_private(data) };
        // SAFETY: The file is not open, the dentry positive.
        let ret =
            unsafe { bindings::finish_open(self.as_ptr(), dentry.as_ptr(), Some(finish::<T, O>)) };
        to_result(ret).map_err(|e| {
            if self.is_opened() {
                (e, None)
            } else {
                // SAFETY: The data was set above, and nobody sees the file as open.
                (e, Some(unsafe { self.take_private() }))
            }
        })
    }

    /// `FMODE_OPENED`.
    fn is_opened(&self) -> bool {
        // SAFETY: The file is not shared before it is open.
        unsafe { (*self.as_ptr()).f_mode & bindings::FUSE_CONST_FMODE_OPENED != 0 }
    }
}
