// SPDX-License-Identifier: GPL-2.0

//! Symbolic links, whose text comes from memory of the filesystem's or from the page cache.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`page_get_link_raw()`,
//! `struct delayed_call`), [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h); rules:
//! [locking](srctree/Documentation/filesystems/locking.rst) on `->get_link()`.
//!
//! Rules of C encoded here:
//!
//! - `get_link` without a dentry is RCU walk: [`super::rcu_walk`].
//! - What it returns ends with a NUL, and stays until path walk calls what it left in the
//!   `struct delayed_call`.
//! - `page_get_link_raw()` takes the first folio of the page cache as it is, which must not be in
//!   high memory (`inode_nohighmem()`), and has it read by the mapping's `read_folio`. So the
//!   tables of inode and page cache come together: [`SymlinkTables`]. A folio is valid only if
//!   [`LinkFolio::fill`] has put a text with a NUL there.
//! - A folio that is locked stays in its mapping; whoever has the lock may unlock it from any task.

use super::{
    inode::Inode,
    inode_operations::{
        AttributeOperations,
        InodeOperationsTable, //
    },
    rcu_walk::RcuInode,
    types::Types, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::from_result,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*,
    sync::aref::ARef, //
};

/// Where the text of a link comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkSource {
    /// Each time from [`SymlinkOperations::read_link`].
    Anew,
    /// From the page cache, filled by [`SymlinkOperations::read_folio`].
    PageCache {
        /// Whether a task that waits for another one's reading may be killed.
        killable: bool,
    },
}

/// How the text of symbolic links is read. All but `source` run in task context and may sleep.
pub(crate) trait SymlinkOperations<T: Types>: 'static {
    /// Where this link's text comes from. Also called in RCU walk: must not sleep.
    fn source(inode: &RcuInode<'_, T>) -> Result<LinkSource>;

    /// Reads the text, without a NUL after it.
    fn read_link(inode: &Inode<T>) -> Result<KVVec<u8>>;

    /// Reads the text into the page cache.
    fn read_folio(folio: LinkFolio<T>) -> Result;
}

/// The tables of symbolic links.
pub(crate) struct SymlinkTables<T: Types> {
    iops: InodeOperationsTable<T>,
    aops: bindings::address_space_operations,
    _types: PhantomData<fn(T)>,
}

// SAFETY: The tables are never written.
unsafe impl<T: Types> Sync for SymlinkTables<T> {}

impl<T: Types> SymlinkTables<T> {
    /// Those of `O` and `A`.
    pub(crate) const fn new<O: SymlinkOperations<T>, A: AttributeOperations<T>>() -> Self {
        Self {
            iops: InodeOperationsTable::with_get_link::<A>(get_link::<T, O>),
            aops: bindings::address_space_operations {
                read_folio: Some(read_folio::<T, O>),
                ..pin_init::zeroed()
            },
            _types: PhantomData,
        }
    }

    /// Gives a new inode, which is a symbolic link, its tables.
    ///
    /// # Safety
    ///
    /// The inode is new, of a superblock registered for `T`, and nobody else uses it yet.
    pub(super) unsafe fn attach(&'static self, inode: *mut bindings::inode) {
        // SAFETY: By the contract; the tables are static and made for the same `T`.
        unsafe {
            (*inode).i_op = self.iops.as_ptr();
            (*inode).i_data.a_ops = &raw const self.aops;
            bindings::inode_nohighmem(inode);
        }
    }
}

/// The folio that a link's text is to be read into, locked. Drop unlocks it: not read.
///
/// # Invariants
///
/// The folio is the first one in the page cache of the inode, a link with [`SymlinkTables`],
/// locked, and the lock is ours.
pub(crate) struct LinkFolio<T: Types> {
    folio: NonNull<bindings::folio>,
    inode: ARef<Inode<T>>,
}

// SAFETY: A folio's lock belongs to no task.
unsafe impl<T: Types> Send for LinkFolio<T> {}

impl<T: Types> LinkFolio<T> {
    /// The link.
    pub(crate) fn inode(&self) -> &ARef<Inode<T>> {
        &self.inode
    }

    /// Puts the text there. What comes after a NUL in it, nobody sees.
    ///
    /// # Errors
    ///
    /// EIO if there is no room for it and a NUL.
    pub(crate) fn fill(self, text: &[u8]) -> Result {
        let folio = self.folio.as_ptr();
        // SAFETY: By the type's invariant the folio is alive.
        let size = unsafe { bindings::folio_size(folio) };
        let rest = size.checked_sub(text.len()).filter(|&rest| rest > 0);
        let rest = rest.ok_or(EIO)?;
        // SAFETY: The text and what comes after it are in the folio, whose lock is ours.
        unsafe {
            bindings::memcpy_to_folio(folio, 0, text.as_ptr().cast(), text.len());
            bindings::folio_zero_range(folio, text.len(), rest);
            bindings::folio_mark_uptodate(folio);
        }
        Ok(())
    }
}

impl<T: Types> Drop for LinkFolio<T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::folio_unlock(self.folio.as_ptr()) };
    }
}

// The functions below are put into tables that only `SymlinkTables::attach()` gives to an inode, so
// that they are called for links of a superblock registered for `T`.

/// # Safety
///
/// See above. Called by the VFS; `dentry` is null in RCU walk, in which nothing is referenced.
unsafe extern "C" fn get_link<T: Types, O: SymlinkOperations<T>>(
    dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    done: *mut bindings::delayed_call,
) -> *const c_char {
    // SAFETY: In RCU walk, or referenced for the call, which is longer.
    let source = O::source(&unsafe { RcuInode::from_raw(inode) });
    match source {
        Err(e) => return e.to_ptr(),
        Ok(LinkSource::PageCache { killable }) => {
            // SAFETY: By the contract; the inode has `read_folio`, which has read when it returns
            // 0, and no folios in high memory, as `attach()` sees to it, and folios that are valid
            // have a NUL. The first function needs an inode that is referenced.
            return unsafe {
                if killable && !dentry.is_null() {
                    bindings::page_get_link_killable(inode, done)
                } else {
                    bindings::page_get_link_raw(dentry, inode, done)
                }
            };
        }
        Ok(LinkSource::Anew) if dentry.is_null() => return ECHILD.to_ptr(),
        Ok(LinkSource::Anew) => {}
    }
    // SAFETY: By the contract, and not in RCU walk.
    let text = O::read_link(unsafe { Inode::from_raw(inode) }).and_then(|mut text| {
        text.push(0, GFP_KERNEL)?;
        Ok(text)
    });
    match text {
        Ok(text) => {
            let (text, _, _) = text.into_raw_parts();
            // SAFETY: `done` is the caller's.
            unsafe {
                *done = bindings::delayed_call {
                    fn_: Some(put_link),
                    arg: text.cast(),
                }
            };
            text.cast()
        }
        Err(e) => e.to_ptr(),
    }
}

/// Frees the text of a link when path walk is done with it.
///
/// # Safety
///
/// Called once, with what [`get_link`] put into its `delayed_call`.
unsafe extern "C" fn put_link(text: *mut c_void) {
    // SAFETY: `kvfree()` is what frees the memory of a `KVVec`, which this was.
    unsafe { bindings::kvfree(text) };
}

/// # Safety
///
/// See above. Called by the page cache with a locked folio, which is ours to unlock.
unsafe extern "C" fn read_folio<T: Types, O: SymlinkOperations<T>>(
    _file: *mut bindings::file,
    folio: *mut bindings::folio,
) -> c_int {
    // SAFETY: The folio is locked, and so in its mapping, whose inode its caller keeps.
    let inode = unsafe { Inode::from_raw((*bindings::folio_mapping_locked(folio)).host) };
    let folio = LinkFolio {
        // SAFETY: Not null, as above.
        // INVARIANT: By the contract. Nobody asks for any but the first folio: a link cannot be
        // opened for reading, nor mapped.
        folio: unsafe { NonNull::new_unchecked(folio) },
        inode: inode.into(),
    };
    from_result(|| O::read_folio(folio).map(|()| 0))
}
