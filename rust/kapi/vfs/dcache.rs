// SPDX-License-Identifier: GPL-2.0

//! Finding a dentry by its name, and taking it away, where the VFS has not called.
//!
//! C header: [`include/linux/dcache.h`](srctree/include/linux/dcache.h).
//!
//! Rules of C encoded here:
//!
//! - `d_lookup()` takes no lock that sleeps, and finds what is hashed.
//! - `d_delete()` is for a positive dentry, and makes it negative if nobody else has a reference
//!   to it: so it uses a reference up.
//! - The name of a directory that is to go is one that nothing can be mounted on any more
//!   (`dont_mount()`), before the directory is.

use super::{
    dentry::Dentry,
    inode::Inode,
    types::Types, //
};
use crate::bindings;
use core::ptr::NonNull;
use kernel::sync::aref::ARef;

impl<T: Types> Inode<T> {
    /// A dentry of the inode, one that is hashed unless it is a directory's (`d_find_alias()`).
    pub(crate) fn d_find_alias(&self) -> Option<ARef<Dentry<T>>> {
        // SAFETY: The inode is alive.
        let dentry = unsafe { bindings::d_find_alias(self.as_ptr()) };
        // SAFETY: A reference comes with what was found: a dentry of the inode's superblock, past
        // `d_init`.
        NonNull::new(dentry.cast()).map(|dentry| unsafe { ARef::from_raw(dentry) })
    }

    /// Drops the dentries of the inode that nobody uses (`d_prune_aliases()`). May sleep, as what
    /// is above them may be used by nobody then.
    pub(crate) fn d_prune_aliases(&self) {
        // SAFETY: The inode is alive and referenced.
        unsafe { bindings::d_prune_aliases(self.as_ptr()) };
    }
}

impl<T: Types> Dentry<T> {
    /// What is hashed under a name in this directory (`d_lookup()`). Does not sleep.
    pub(crate) fn d_lookup(&self, name: &[u8]) -> Option<ARef<Dentry<T>>> {
        let len = u32::try_from(name.len()).ok()?;
        // SAFETY: The dentry is alive, and the name has so many bytes.
        let dentry = unsafe { bindings::d_lookup_name(self.as_ptr(), name.as_ptr(), len) };
        // SAFETY: A reference comes with what was found: a dentry of the same superblock.
        NonNull::new(dentry.cast()).map(|dentry| unsafe { ARef::from_raw(dentry) })
    }

    /// Whether something is mounted there, in whichever namespace (`d_mountpoint()`).
    pub(crate) fn is_mountpoint(&self) -> bool {
        // SAFETY: The dentry is alive.
        unsafe { bindings::d_mountpoint(self.as_ptr()) }
    }

    /// From now on nothing is mounted there (`dont_mount()`).
    pub(crate) fn dont_mount(&self) {
        // SAFETY: The dentry is alive; the function takes its lock.
        unsafe { bindings::dont_mount(self.as_ptr()) };
    }

    /// Drops what nobody uses of all that is below (`shrink_dcache_parent()`). Sleeps.
    pub(crate) fn shrink_children(&self) {
        // SAFETY: The dentry is alive and referenced.
        unsafe { bindings::shrink_dcache_parent(self.as_ptr()) };
    }

    /// Whether no name below is hashed and of something (`simple_empty()`).
    pub(crate) fn has_no_children(&self) -> bool {
        // SAFETY: The dentry is alive and referenced.
        unsafe { bindings::simple_empty(self.as_ptr()) != 0 }
    }

    /// Takes the name away (`d_delete()`): unhashes it, and lets go of its inode if nobody else
    /// has the dentry. Nothing for a negative one. May sleep.
    pub(crate) fn d_delete(this: ARef<Self>) {
        if this.inode().is_some() {
            // SAFETY: The dentry is positive, and stays so until this call, as there is our
            // reference, by which nobody has a borrow of its inode when it is made negative.
            unsafe { bindings::d_delete(this.as_ptr()) };
        }
    }
}
