// SPDX-License-Identifier: GPL-2.0

//! Finding and making the dentries of a directory by name, as a lookup does.
//!
//! C header: [`include/linux/dcache.h`](srctree/include/linux/dcache.h); rules:
//! [locking](srctree/Documentation/filesystems/locking.rst),
//! [porting](srctree/Documentation/filesystems/porting.rst) on `d_alloc_parallel()`.
//!
//! Rules of C encoded here:
//!
//! - `d_alloc_parallel()` is called with the directory locked, at least shared: [`LockedDir`]. Of
//!   several callers for one name one gets a dentry that is being looked up ([`InLookup`]), which
//!   is its own; the others wait until that is done.
//! - That dentry is negative and not hashed; `d_splice_alias()` hashes it, and `d_lookup_done()`
//!   lets the others go on in any case.

use super::{
    dentry::{
        Dentry,
        UnhashedDentry, //
    },
    inode::Inode,
    types::Types, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::aref::ARef,
    types::NotThreadSafe, //
};

/// A name with its hash in a directory.
fn qstr<T: Types>(parent: &Dentry<T>, name: &[u8]) -> bindings::qstr {
    // A name that is longer than this is cut off; nobody has one.
    let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
    // SAFETY: The name has so many bytes; the salt is used as a number.
    let hash =
        unsafe { bindings::full_name_hash(parent.as_ptr().cast(), name.as_ptr().cast(), len) };
    bindings::qstr {
        __bindgen_anon_1: bindings::qstr__bindgen_ty_1 {
            __bindgen_anon_1: bindings::qstr__bindgen_ty_1__bindgen_ty_1 { hash, len },
        },
        name: name.as_ptr(),
    }
}

/// `d_lookup()`, of a name that is hashed.
///
/// # Safety
///
/// The name is valid for the call, and its hash that of the directory.
unsafe fn d_lookup<T: Types>(parent: &Dentry<T>, name: &bindings::qstr) -> Option<ARef<Dentry<T>>> {
    // SAFETY: The parent is alive; the caller promises the rest.
    let dentry = unsafe { bindings::d_lookup(parent.as_ptr(), name) };
    // SAFETY: A reference comes with what is found, which is of the same superblock.
    NonNull::new(dentry.cast()).map(|dentry| unsafe { ARef::from_raw(dentry) })
}

/// A directory that the VFS has locked around an operation, at least shared; the lock is the VFS's
/// to release, and belongs to the current task.
///
/// # Invariants
///
/// The inode is a directory, and its `i_rwsem` is held for `'a`.
pub(crate) struct LockedDir<'a, T: Types>(&'a Dentry<T>, NotThreadSafe);

impl<'a, T: Types> LockedDir<'a, T> {
    /// Borrows a directory.
    ///
    /// # Safety
    ///
    /// As for [`Dentry::from_raw`], and for `'a` the dentry is a directory's whose `i_rwsem` the
    /// current task holds.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::dentry) -> Self {
        // SAFETY: The caller's promise.
        // INVARIANT: As above.
        Self(unsafe { Dentry::from_raw(ptr) }, NotThreadSafe)
    }

    /// A name in the directory, to be found or made.
    pub(crate) fn name<'n>(&self, name: &'n [u8]) -> NameIn<'a, 'n, T> {
        NameIn {
            dir: self.0,
            qstr: qstr(self.0, name),
            _name: PhantomData,
        }
    }
}

/// A name in a [`LockedDir`], with its hash.
///
/// # Invariants
///
/// As of the [`LockedDir`], and `qstr` is the hashed name, valid for `'n`.
pub(crate) struct NameIn<'a, 'n, T: Types> {
    dir: &'a Dentry<T>,
    qstr: bindings::qstr,
    _name: PhantomData<&'n [u8]>,
}

/// What [`NameIn::d_alloc_parallel`] finds.
pub(crate) enum Parallel<'a, T: Types> {
    /// A dentry that was there, positive or negative.
    Known(ARef<Dentry<T>>),
    /// A new one, which is the caller's to look up.
    New(InLookup<'a, T>),
}

impl<'a, T: Types> NameIn<'a, '_, T> {
    /// The dentry, if there is one (`d_lookup()`).
    pub(crate) fn d_lookup(&self) -> Option<ARef<Dentry<T>>> {
        // SAFETY: By the type's invariant.
        unsafe { d_lookup(self.dir, &self.qstr) }
    }

    /// The dentry, or a new one (`d_alloc_parallel()`). Sleeps while others look the name up.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn d_alloc_parallel(&self) -> Result<Parallel<'a, T>> {
        // SAFETY: By the type's invariants: the directory is locked, the name valid and hashed.
        let dentry = from_err_ptr(unsafe {
            bindings::d_alloc_parallel(self.dir.as_ptr(), &raw const self.qstr)
        })?;
        // SAFETY: The function returned a reference to a dentry of this superblock.
        let dentry: ARef<Dentry<T>> =
            unsafe { ARef::from_raw(NonNull::new_unchecked(dentry.cast())) };
        // SAFETY: The dentry is alive.
        if unsafe { bindings::d_in_lookup(dentry.as_ptr()) } {
            // INVARIANT: Only to the caller that made it is a dentry returned that is being looked
            // up; the directory is locked for `'a`.
            Ok(Parallel::New(InLookup(dentry, PhantomData)))
        } else {
            Ok(Parallel::Known(dentry))
        }
    }
}

/// A dentry that the current task looks up, and others wait for. Dropped, it is not there, and the
/// next one who asks looks it up.
///
/// # Invariants
///
/// The dentry is ours in the sense of `DCACHE_PAR_LOOKUP`: negative, not hashed, and nobody else
/// hashes it or gives it an inode. Its parent is locked for `'a`.
pub(crate) struct InLookup<'a, T: Types>(ARef<Dentry<T>>, PhantomData<(&'a (), NotThreadSafe)>);

impl<T: Types> Deref for InLookup<'_, T> {
    type Target = Dentry<T>;

    fn deref(&self) -> &Dentry<T> {
        &self.0
    }
}

impl<T: Types> InLookup<'_, T> {
    /// Gives the dentry its inode, or none, hashes it, and lets the others go on. Returns the
    /// dentry to be used: of a directory that has one already, that one, moved here.
    ///
    /// # Errors
    ///
    /// As of [`UnhashedDentry::d_splice_alias`].
    pub(crate) fn d_splice_alias(self, inode: Option<ARef<Inode<T>>>) -> Result<ARef<Dentry<T>>> {
        // SAFETY: By the type's invariant; used up with `self`, so that there is one of these.
        let unhashed = unsafe { UnhashedDentry::from_raw(self.0.as_ptr()) };
        match unhashed.d_splice_alias(inode) {
            Ok(Some(alias)) => Ok(alias.into_dentry()),
            Ok(None) => Ok(self.0.clone()),
            Err((e, _unspliced)) => Err(e),
        }
    }
}

impl<T: Types> Drop for InLookup<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The dentry is alive, and if it is still being looked up, that is ours to end.
        unsafe { bindings::d_lookup_done(self.0.as_ptr()) };
    }
}
