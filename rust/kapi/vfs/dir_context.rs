// SPDX-License-Identifier: GPL-2.0

//! Reading directories.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct dir_context`).

use crate::bindings;
use kernel::types::Opaque;

/// Where `getdents` puts the entries of a directory.
#[repr(transparent)]
pub(crate) struct DirContext(Opaque<bindings::dir_context>);

impl DirContext {
    /// Borrows the context of a read.
    ///
    /// # Safety
    ///
    /// `ptr` is valid, initialised and not used otherwise for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::dir_context) -> &'a mut Self {
        // SAFETY: The caller's promise; the layout is that of `struct dir_context`.
        unsafe { &mut *ptr.cast() }
    }

    /// The position to go on from, in the filesystem's own terms.
    pub(crate) fn pos(&self) -> i64 {
        // SAFETY: Valid, by the contract of `from_raw()`.
        unsafe { (*self.0.get()).pos }
    }

    /// Sets the position after the entry that was emitted last.
    pub(crate) fn set_pos(&mut self, pos: i64) {
        // SAFETY: Valid and exclusively borrowed.
        unsafe { (*self.0.get()).pos = pos };
    }

    /// How many bytes the reader has room for: 0 unknown, `i32::MAX` without a limit.
    pub(crate) fn count(&self) -> i32 {
        // SAFETY: Valid, by the contract of `from_raw()`.
        unsafe { (*self.0.get()).count }
    }

    /// Hands over one entry at the present position (`dir_emit()` with `FILLDIR_FLAG_NOINTR`).
    ///
    /// `kind` is a `DT_*`. Returns whether there was room. May fault and so sleep.
    pub(crate) fn dir_emit(&mut self, name: &[u8], ino: u64, kind: u32) -> bool {
        let Ok(len) = i32::try_from(name.len()) else {
            return false;
        };
        let ctx = self.0.get();
        // SAFETY: The actor was set by whoever made the context, and copies the name. Only the
        // flags that the actor says it supports go along with the type.
        unsafe { bindings::dir_emit_nointr(ctx, name.as_ptr().cast(), len, ino, kind) }
    }
}
