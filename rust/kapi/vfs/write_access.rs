// SPDX-License-Identifier: GPL-2.0

//! Who may write to a file, and who keeps others from it.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`get_write_access()`,
//! `deny_write_access()`).
//!
//! C rule encoded here: `i_writecount` counts the files that are open for writing, or, below 0,
//! those that deny it because they are being executed; what was taken is given back once.

use super::{
    inode::Inode,
    types::Types, //
};
use crate::bindings;
use kernel::sync::aref::ARef;

/// One more use of an inode of a kind that there is already.
pub(crate) struct KeptAccess<T: Types> {
    inode: ARef<Inode<T>>,
    writes: bool,
}

impl<T: Types> KeptAccess<T> {
    /// For as long as this lives the inode counts as open for writing; `None` if it is not.
    pub(crate) fn write(inode: &Inode<T>) -> Option<Self> {
        // SAFETY: The inode is alive; the count is raised if it is above 0.
        unsafe { bindings::inode_keep_write_access(inode.as_ptr()) }.then(|| Self {
            inode: inode.into(),
            writes: true,
        })
    }

    /// For as long as this lives nobody can open the inode for writing; `None` if it is open so.
    pub(crate) fn deny_write(inode: &Inode<T>) -> Option<Self> {
        // SAFETY: The inode is alive.
        unsafe { bindings::inode_deny_write_access(inode.as_ptr()) }.then(|| Self {
            inode: inode.into(),
            writes: false,
        })
    }
}

impl<T: Types> Drop for KeptAccess<T> {
    fn drop(&mut self) {
        let inode = self.inode.as_ptr();
        // SAFETY: The inode is alive, and this gives back what was taken.
        unsafe {
            if self.writes {
                bindings::inode_put_write_access(inode);
            } else {
                bindings::inode_allow_write_access(inode);
            }
        }
    }
}
