// SPDX-License-Identifier: GPL-2.0

//! Dentries.
//!
//! C header: [`include/linux/dcache.h`](srctree/include/linux/dcache.h).
//!
//! Rules of C encoded here:
//!
//! - A dentry's name and parent change under a rename; they are stable for whoever holds the
//!   parent's `i_rwsem`, as the VFS does around the operations that change or look up a directory:
//!   [`NamedDentry`].
//! - A positive dentry does not turn negative while someone else has a reference to it:
//!   [`PositiveDentry`]. A negative one turns positive under the parent's lock: held exclusively by
//!   the one who has it so ([`NegativeDentry`]), held shared by the one who looks it up, as the
//!   others wait for that ([`UnhashedDentry`]). An inode's list of dentries is corrupt once a
//!   dentry is on it twice (`d_instantiate()`, `d_splice_alias()`), so there is one of these for a
//!   dentry at a time, and it is used up.
//! - `d_splice_alias()` takes an unhashed, negative dentry, hashes it, and may be called until it
//!   has succeeded.
//! - A dentry and its inode are of one superblock. A directory has one dentry, which
//!   `d_splice_alias()` sees to, and `d_instantiate()` does not.

use super::{
    dentry_tree::DentryObject,
    inode::Inode,
    super_block::SuperBlock,
    types::Types, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

/// A `struct dentry` of a filesystem with the private types `T`.
///
/// # Invariants
///
/// `d_fsdata` points to a [`DentryObject<T>`]: made by `d_init`, freed a grace period after
/// `d_release`.
#[repr(transparent)]
pub(crate) struct Dentry<T: Types>(Opaque<bindings::dentry>, PhantomData<T>);

// SAFETY: `struct dentry` is shared between threads by design, `T::Dentry` is `Send` and `Sync`.
unsafe impl<T: Types> Send for Dentry<T> {}
// SAFETY: As above.
unsafe impl<T: Types> Sync for Dentry<T> {}

// SAFETY: `dget()` and `dput()` count references; a dentry with a reference stays alive.
unsafe impl<T: Types> AlwaysRefCounted for Dentry<T> {
    fn inc_ref(&self) {
        // SAFETY: The existence of `&self` outside of RCU walk means a reference, so that
        // `dget()`, which is this call, is allowed.
        unsafe { bindings::lockref_get(&raw mut (*self.as_ptr()).d_lockref) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference that it owns.
        unsafe { bindings::dput(obj.as_ref().as_ptr()) };
    }
}

impl<T: Types> Dentry<T> {
    /// Borrows a dentry.
    ///
    /// # Safety
    ///
    /// `ptr` is a dentry of a superblock of a filesystem type registered for `T`, past `d_init`,
    /// and stays alive for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::dentry) -> &'a Self {
        // SAFETY: The caller promises a live dentry of the right type; the layout is that of
        // `struct dentry`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::dentry {
        self.0.get()
    }

    /// The filesystem's own data (`d_fsdata`).
    pub(crate) fn data(&self) -> &T::Dentry {
        // SAFETY: By the type's invariant `d_fsdata` points to an object that lives as long as the
        // dentry.
        unsafe { &(*(*self.as_ptr()).d_fsdata.cast::<DentryObject<T>>()).data }
    }

    /// The superblock (`d_sb`).
    pub(crate) fn sb(&self) -> &SuperBlock<T> {
        // SAFETY: `d_sb` does not change, and the superblock outlives its dentries.
        unsafe { SuperBlock::from_raw((*self.as_ptr()).d_sb) }
    }

    /// The inode, or `None` for a negative dentry (`d_inode()`). Unless the parent is locked, a
    /// negative one may turn positive meanwhile.
    pub(crate) fn inode(&self) -> Option<&Inode<T>> {
        // SAFETY: The dentry is alive; the field is read once.
        let inode = unsafe { (&raw const (*self.as_ptr()).d_inode).read_volatile() };
        // SAFETY: A positive dentry holds a reference to its inode, and does not turn negative
        // while someone else holds a reference to the dentry.
        (!inode.is_null()).then(|| unsafe { Inode::from_raw(inode) })
    }

    /// Whether `inode` may be this dentry's.
    fn is_of_one_sb(&self, inode: &Inode<T>) -> bool {
        // SAFETY: Both are alive; these fields do not change.
        unsafe { (*self.as_ptr()).d_sb == (*inode.as_ptr()).i_sb }
    }

    /// Unhashes the dentry and what is below it, and detaches what is mounted there
    /// (`d_invalidate()`). May sleep.
    pub(crate) fn d_invalidate(&self) {
        // SAFETY: The dentry is alive and referenced.
        unsafe { bindings::d_invalidate(self.as_ptr()) };
    }

    /// Unhashes the dentry (`d_drop()`), so that its name is looked up anew: with what is below it
    /// and mounted there left alone.
    pub(crate) fn unhash(&self) {
        // SAFETY: The dentry is alive and referenced; the function takes the locks that it needs.
        unsafe { bindings::d_drop(self.as_ptr()) };
    }

    /// `d_unhashed()`. A hint, unless the parent is locked and nobody unhashes it from elsewhere.
    pub(crate) fn is_unhashed(&self) -> bool {
        // SAFETY: The dentry is alive.
        unsafe { bindings::d_unhashed(self.as_ptr()) }
    }

    /// Whether the parent, or one above it, is unhashed. To be called with the superblock's rename
    /// lock held, so that the parents do not change.
    pub(crate) fn has_unhashed_parent(&self) -> bool {
        // SAFETY: The dentry is alive, and with it its parents.
        unsafe { bindings::d_has_unhashed_parent(self.as_ptr()) }
    }

    /// Whether the last `dput()` asks `d_delete` (`DCACHE_OP_DELETE`). A hint, which may be stale.
    pub(crate) fn has_op_delete(&self) -> bool {
        // SAFETY: The dentry is alive; the field is 32 bits, read at once.
        let flags = unsafe { (&raw const (*self.as_ptr()).d_flags).read_volatile() };
        flags & bindings::FUSE_CONST_DCACHE_OP_DELETE != 0
    }

    /// Makes the last `dput()` ask `d_delete`, or not ask. Takes `d_lock`.
    pub(crate) fn set_op_delete(&self, ask: bool) {
        // SAFETY: The dentry is alive, and its table has `d_delete`, as all do that
        // `DentryOperationsTable` makes.
        unsafe { bindings::d_set_op_delete(self.as_ptr(), ask) };
    }
}

/// A dentry that has an inode, and keeps it for `'a`.
///
/// # Invariants
///
/// `d_inode` is set, and for `'a` somebody has a reference who does not make the dentry negative.
#[repr(transparent)]
pub(crate) struct PositiveDentry<'a, T: Types>(&'a Dentry<T>);

impl<T: Types> Clone for PositiveDentry<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Types> Copy for PositiveDentry<'_, T> {}

impl<T: Types> Deref for PositiveDentry<'_, T> {
    type Target = Dentry<T>;

    fn deref(&self) -> &Dentry<T> {
        self.0
    }
}

impl<'a, T: Types> PositiveDentry<'a, T> {
    /// Borrows a dentry that has an inode.
    ///
    /// # Safety
    ///
    /// As for [`Dentry::from_raw`], and the dentry is positive and stays so for `'a`.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::dentry) -> Self {
        // SAFETY: The caller's promise.
        // INVARIANT: As above.
        Self(unsafe { Dentry::from_raw(ptr) })
    }

    /// The inode.
    pub(crate) fn inode(&self) -> &'a Inode<T> {
        // SAFETY: By the type's invariant there is one, and the dentry has a reference to it.
        unsafe { Inode::from_raw((*self.0.as_ptr()).d_inode) }
    }
}

/// A dentry whose name and parent cannot change, because the parent is locked, or because nobody
/// else knows the dentry (`tmpfile`).
///
/// Made by the trampolines of the operations before which the VFS takes that lock; the lock is the
/// VFS's to release. It may be held shared (`lookup`, `atomic_open`) or exclusively.
pub(crate) struct NamedDentry<'a, T: Types>(&'a Dentry<T>);

impl<T: Types> Clone for NamedDentry<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Types> Copy for NamedDentry<'_, T> {}

impl<T: Types> Deref for NamedDentry<'_, T> {
    type Target = Dentry<T>;

    fn deref(&self) -> &Dentry<T> {
        self.0
    }
}

impl<'a, T: Types> NamedDentry<'a, T> {
    /// Borrows a dentry with a stable name.
    ///
    /// # Safety
    ///
    /// As for [`Dentry::from_raw`], and for `'a` the parent's `i_rwsem` is held, or nobody else
    /// knows the dentry.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::dentry) -> Self {
        // SAFETY: The caller's promise.
        Self(unsafe { Dentry::from_raw(ptr) })
    }

    /// The dentry without the evidence.
    pub(crate) fn dentry(&self) -> &'a Dentry<T> {
        self.0
    }

    /// The name (`d_name`), without the NUL that C has after it.
    pub(crate) fn name(&self) -> &'a [u8] {
        // SAFETY: The name does not change, by this type, and is not freed.
        unsafe { qstr_bytes(&raw const (*self.0.as_ptr()).__bindgen_anon_1.d_name) }
    }
}

/// A [`NamedDentry`] that is negative, and that nobody else can give an inode.
///
/// # Invariants
///
/// The parent's `i_rwsem` is held exclusively for `'a`, or nobody else knows the dentry. The dentry
/// is negative and not being looked up. There is no other of these for it, nor an
/// [`UnhashedDentry`].
pub(crate) struct NegativeDentry<'a, T: Types>(NamedDentry<'a, T>);

impl<'a, T: Types> Deref for NegativeDentry<'a, T> {
    type Target = NamedDentry<'a, T>;

    fn deref(&self) -> &NamedDentry<'a, T> {
        &self.0
    }
}

impl<'a, T: Types> NegativeDentry<'a, T> {
    /// Borrows a dentry that is to be made.
    ///
    /// # Safety
    ///
    /// As for [`Dentry::from_raw`], and for `'a` the parent's `i_rwsem` is held exclusively, or
    /// nobody else knows the dentry. The dentry is negative and not being looked up, and nobody
    /// else gives it an inode for `'a`.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::dentry) -> Self {
        // SAFETY: The caller's promise.
        // INVARIANT: As above.
        Self(unsafe { NamedDentry::from_raw(ptr) })
    }

    /// Unhashes the dentry (`d_drop()`), so that it can be spliced.
    pub(crate) fn d_drop(self) -> UnhashedDentry<'a, T> {
        self.unhash();
        // INVARIANT: Negative and ours alone, by this type; nobody hashes a negative dentry without
        // the parent's lock.
        UnhashedDentry(self.0)
    }

    /// Gives the dentry an inode (`d_instantiate()`), and takes over the reference.
    ///
    /// # Errors
    ///
    /// EISDIR for a directory, which may have a dentry already; EXDEV if the inode is another
    /// superblock's.
    pub(crate) fn d_instantiate(self, inode: ARef<Inode<T>>) -> Result {
        if inode.is_dir() {
            return Err(EISDIR);
        }
        if !self.is_of_one_sb(&inode) {
            return Err(EXDEV);
        }
        let inode = ARef::into_raw(inode).cast().as_ptr();
        // SAFETY: The dentry is negative, by this type; the inode is no directory and of the same
        // superblock. The dentry takes over the reference.
        unsafe { bindings::d_instantiate(self.0.as_ptr(), inode) };
        Ok(())
    }
}

/// A [`NamedDentry`] that is negative and not hashed: nobody finds it by its name, or those who do
/// wait for it to be looked up.
///
/// # Invariants
///
/// The dentry is negative and not hashed, and nobody else hashes it or gives it an inode. There is
/// no other of these for it, nor a [`NegativeDentry`].
pub(crate) struct UnhashedDentry<'a, T: Types>(NamedDentry<'a, T>);

impl<'a, T: Types> UnhashedDentry<'a, T> {
    /// Borrows a dentry that is to be looked up.
    ///
    /// # Safety
    ///
    /// As for [`NamedDentry::from_raw`], and for `'a` the dentry is negative and not hashed, and
    /// nobody else hashes it or gives it an inode.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::dentry) -> Self {
        // SAFETY: The caller's promise.
        // INVARIANT: As above.
        Self(unsafe { NamedDentry::from_raw(ptr) })
    }

    /// The dentry without the right to splice.
    pub(crate) fn named(&self) -> NamedDentry<'a, T> {
        self.0
    }

    /// Gives the dentry its inode, or none, and hashes it (`d_splice_alias()`). May sleep.
    ///
    /// A directory that has a dentry already gets no second one: that one is moved here and
    /// returned, and is to be used in this one's place.
    ///
    /// # Errors
    ///
    /// ELOOP if the directory would end up below itself; ESTALE if it could not be moved, while
    /// others have its old parent locked or the superblock's rename lock; EXDEV if the inode is
    /// another superblock's. Gives the dentry back, to try again.
    pub(crate) fn d_splice_alias(
        self,
        inode: Option<ARef<Inode<T>>>,
    ) -> Result<Option<Alias<'a, T>>, (Error, Self)> {
        if inode
            .as_ref()
            .is_some_and(|inode| !self.0.is_of_one_sb(inode))
        {
            return Err((EXDEV, self));
        }
        let inode = inode.map_or(ptr::null_mut(), |i| ARef::into_raw(i).cast().as_ptr());
        // SAFETY: The dentry is negative and not hashed, by this type, and stays so when the
        // function fails; the inode is of the same superblock. Its reference is taken over even
        // then.
        match from_err_ptr(unsafe { bindings::d_splice_alias(inode, self.0.as_ptr()) }) {
            Ok(alias) => Ok(NonNull::new(alias.cast()).map(|alias| {
                // SAFETY: A reference comes with what is returned.
                // INVARIANT: As above.
                Alias(unsafe { ARef::from_raw(alias) }, PhantomData)
            })),
            Err(e) => Err((e, self)),
        }
    }
}

/// The dentry of a directory that takes the place of one that was to be spliced.
///
/// # Invariants
///
/// `d_splice_alias()` has returned it for an [`UnhashedDentry`] of `'a`, and moved it there: the
/// VFS goes on with it as if it had found it in the directory that the operation of `'a` is about.
pub(crate) struct Alias<'a, T: Types>(ARef<Dentry<T>>, PhantomData<&'a Dentry<T>>);

impl<T: Types> Alias<'_, T> {
    /// The dentry.
    pub(super) fn into_dentry(self) -> ARef<Dentry<T>> {
        self.0
    }
}

impl<T: Types> Deref for Alias<'_, T> {
    type Target = Dentry<T>;

    fn deref(&self) -> &Dentry<T> {
        &self.0
    }
}

/// The bytes of a `struct qstr`.
///
/// # Safety
///
/// The name stays valid and unchanged for `'a`.
pub(super) unsafe fn qstr_bytes<'a>(name: *const bindings::qstr) -> &'a [u8] {
    // SAFETY: The caller's promise; both members of the union are initialised.
    let (ptr, len) = unsafe {
        (
            (*name).name,
            (*name).__bindgen_anon_1.__bindgen_anon_1.len as usize,
        )
    };
    // SAFETY: A qstr's name has that many bytes.
    unsafe { core::slice::from_raw_parts(ptr, len) }
}

/// A number for a name in a directory (`full_name_hash()`).
pub(crate) fn full_name_hash<T: Types>(dir: &Inode<T>, name: &[u8]) -> u32 {
    let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
    // SAFETY: The name has so many bytes; the salt is used as a number.
    unsafe { bindings::full_name_hash(dir.as_ptr().cast(), name.as_ptr().cast(), len) }
}

/// What a directory operation returns in C: null, or the dentry to use in place of the one that it
/// got, or an error (`ERR_PTR()`). A reference goes along.
pub(super) fn into_ptr<T: Types>(result: Result<Option<Alias<'_, T>>>) -> *mut bindings::dentry {
    match result {
        Ok(Some(alias)) => ARef::into_raw(alias.0).cast().as_ptr(),
        Ok(None) => ptr::null_mut(),
        Err(e) => e.to_ptr(),
    }
}
