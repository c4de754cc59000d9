// SPDX-License-Identifier: GPL-2.0

//! The lock of an inode that a filesystem has beside the VFS's, and what changes under it: the
//! attributes that the VFS shows.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).
//!
//! Rules of C encoded here:
//!
//! - Those who write `i_size` exclude each other: on 32 bits `i_size_write()` is a section of a
//!   sequence count, and readers would spin for ever after two at a time.
//! - So do those who write the link count, which `s_remove_count` follows when it becomes 0 or
//!   ceases to be, and those who change a bit of `i_flags` by reading and writing all.
//! - The type of an inode does not change once others can see it: the tables that it has, and what
//!   the VFS does with its dentries and files, follow from it.
//!
//! The lock lies in the inode's slab object, so that there is one for each inode, and the guard
//! knows which. Readers take no lock: see [`inode`](super::inode) on single accesses.

use super::{
    inode::Inode,
    stat,
    types::Types, //
};
use crate::{
    bindings,
    kapi::{
        task::uidgid::Kgid,
        time::time64::Timespec64, //
    },
};
use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::{
    prelude::*,
    sync::{
        SpinLock,
        SpinLockGuard, //
    },
    task::Kuid, //
};

/// What a filesystem tells the VFS about an inode, apart from size and link count.
pub(crate) struct Attributes {
    /// `i_ino`.
    pub(crate) ino: u64,
    /// `i_mode` without the type, which stays.
    pub(crate) perm: u16,
    /// `i_uid`.
    pub(crate) uid: Kuid,
    /// `i_gid`.
    pub(crate) gid: Kgid,
    /// `i_blocks`, in units of 512 bytes.
    pub(crate) blocks: u64,
    /// `i_atime`.
    pub(crate) atime: Timespec64,
    /// `i_mtime`.
    pub(crate) mtime: Timespec64,
    /// `i_ctime`.
    pub(crate) ctime: Timespec64,
}

/// The lock of a new inode, around the filesystem's data for it.
///
/// All have one class, as one filesystem has inodes of its own.
pub(super) fn new_inner<T: Types>(inner: T::InodeInner) -> impl PinInit<SpinLock<T::InodeInner>> {
    kernel::new_spinlock!(inner, "Inode::inner")
}

impl<T: Types> Inode<T> {
    /// Takes the inode's lock for as long as the guard lives. A spinlock: no sleeping.
    pub(crate) fn lock_inner(&self) -> InodeInner<'_, T> {
        InodeInner {
            inode: self,
            guard: self.inner().lock(),
        }
    }
}

/// An inode whose lock we hold, and the filesystem's data behind that lock.
pub(crate) struct InodeInner<'a, T: Types> {
    inode: &'a Inode<T>,
    guard: SpinLockGuard<'a, T::InodeInner>,
}

impl<T: Types> Deref for InodeInner<'_, T> {
    type Target = T::InodeInner;

    fn deref(&self) -> &T::InodeInner {
        &self.guard
    }
}

impl<T: Types> DerefMut for InodeInner<'_, T> {
    fn deref_mut(&mut self) -> &mut T::InodeInner {
        &mut self.guard
    }
}

/// One write of a field that others may read (`WRITE_ONCE()`).
macro_rules! write_once {
    ($inner:expr, $field:ident, $value:expr) => {
        // SAFETY: The inode is alive, and its lock held, so that nobody else writes the field;
        // readers make single accesses.
        unsafe { (&raw mut (*$inner.inode.as_ptr()).$field).write_volatile($value) }
    };
}

impl<T: Types> InodeInner<'_, T> {
    /// Sets what the filesystem knows of the inode's attributes. Nanoseconds are below 10^9.
    ///
    /// Returns the inode's type (`S_IFMT` of `i_mode`).
    pub(crate) fn set_attributes(&mut self, attr: &Attributes) -> u16 {
        let kind = self.inode.i_mode() & stat::S_IFMT;
        write_once!(self, i_ino, attr.ino);
        write_once!(self, i_mode, kind | (attr.perm & !stat::S_IFMT));
        write_once!(self, i_uid, attr.uid.into_raw());
        write_once!(self, i_gid, attr.gid.into_raw());
        write_once!(self, i_blocks, attr.blocks);
        write_once!(self, i_atime_sec, attr.atime.sec);
        write_once!(self, i_atime_nsec, attr.atime.nsec);
        write_once!(self, i_mtime_sec, attr.mtime.sec);
        write_once!(self, i_mtime_nsec, attr.mtime.nsec);
        // SAFETY: The inode is alive; the function writes the time fields only.
        unsafe { bindings::inode_set_ctime_to_ts(self.inode.as_ptr(), attr.ctime.into_raw()) };
        kind
    }

    /// Sets the size in bytes (`i_size_write()`).
    pub(crate) fn i_size_write(&mut self, size: i64) {
        // SAFETY: The inode is alive, and its lock held, so that nobody else writes the size.
        unsafe { bindings::i_size_write(self.inode.as_ptr(), size) };
    }

    /// `set_nlink()`.
    pub(crate) fn set_nlink(&mut self, nlink: u32) {
        // SAFETY: The inode is alive, and its lock held, so that nobody else changes the count.
        unsafe { bindings::set_nlink(self.inode.as_ptr(), nlink) };
    }

    /// `drop_nlink()`, and nothing when the count is zero already.
    pub(crate) fn drop_nlink(&mut self) {
        if self.inode.i_nlink() > 0 {
            // SAFETY: The inode is alive, and its link count is not zero: its lock is held, so that
            // nobody else changes it.
            unsafe { bindings::drop_nlink(self.inode.as_ptr()) };
        }
    }

    /// `clear_nlink()`.
    pub(crate) fn clear_nlink(&mut self) {
        // SAFETY: The inode is alive, and its lock held, so that nobody else changes the count.
        unsafe { bindings::clear_nlink(self.inode.as_ptr()) };
    }

    /// Clears `S_NOSEC`: whether writes must strip privileges is to be asked again.
    pub(crate) fn clear_nosec(&mut self) {
        // Others set flags without this lock, so what is written back may be old by then: not
        // without need.
        let flags = self.inode.i_flags();
        if flags & bindings::S_NOSEC != 0 {
            write_once!(self, i_flags, flags & !bindings::S_NOSEC);
        }
    }
}
