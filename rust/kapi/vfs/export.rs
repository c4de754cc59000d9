// SPDX-License-Identifier: GPL-2.0

//! File handles: names of inodes that outlive their dentries, for `name_to_handle_at(2)`,
//! `open_by_handle_at(2)`, fanotify, overlayfs and nfsd.
//!
//! C header: [`include/linux/exportfs.h`](srctree/include/linux/exportfs.h); rules:
//! [exporting](srctree/Documentation/filesystems/nfs/exporting.rst).
//!
//! C rules encoded here:
//!
//! - `encode_fh` writes no more than `*max_len` words, and says in `*max_len` how many it has
//!   written, or would have: [`Fid`] is copied, or not, by the callback alone. The words that it
//!   finds there may be uninitialised, and the pointer is null where there is no room for any.
//! - What is to be decoded came from anywhere: its length is that of the words, nothing more is
//!   known of it.
//! - The dentry that `fh_to_dentry`, `fh_to_parent` and `get_parent` return is of the superblock
//!   that was asked, whose caller keeps it mounted.

use super::{
    dentry::Dentry,
    inode::Inode,
    new_super::NewSuperBlock,
    super_block::SuperBlock,
    types::Types, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::from_err_ptr,
    ffi::c_int,
    prelude::*,
    sync::aref::ARef, //
};

/// What a handle consists of (`enum fid_type`), of the kinds that are used here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FidType {
    /// A number of 64 bits and a generation (`FILEID_INO64_GEN`): three words.
    Ino64Gen,
    /// The same of the inode and then of its parent (`FILEID_INO64_GEN_PARENT`): six words.
    Ino64GenParent,
}

impl FidType {
    const INO64_GEN: c_int = bindings::fid_type_FILEID_INO64_GEN as c_int;
    const INO64_GEN_PARENT: c_int = bindings::fid_type_FILEID_INO64_GEN_PARENT as c_int;

    fn from_raw(raw: c_int) -> Option<Self> {
        match raw {
            Self::INO64_GEN => Some(Self::Ino64Gen),
            Self::INO64_GEN_PARENT => Some(Self::Ino64GenParent),
            _ => None,
        }
    }

    fn to_raw(self) -> c_int {
        match self {
            Self::Ino64Gen => Self::INO64_GEN,
            Self::Ino64GenParent => Self::INO64_GEN_PARENT,
        }
    }

    /// Words of such a handle.
    const fn words(self) -> usize {
        match self {
            Self::Ino64Gen => 3,
            Self::Ino64GenParent => 6,
        }
    }
}

/// A handle (`struct fid`).
pub(crate) struct Fid {
    kind: FidType,
    words: [u32; FidType::Ino64GenParent.words()],
}

impl Fid {
    /// A handle for an inode.
    pub(crate) fn ino64_gen([a, b, c]: [u32; 3]) -> Self {
        Self {
            kind: FidType::Ino64Gen,
            words: [a, b, c, 0, 0, 0],
        }
    }

    /// A handle for an inode that tells its parent too.
    pub(crate) fn ino64_gen_parent([a, b, c]: [u32; 3], [d, e, f]: [u32; 3]) -> Self {
        Self {
            kind: FidType::Ino64GenParent,
            words: [a, b, c, d, e, f],
        }
    }
}

/// `struct export_operations`. All run in task context, without locks, and may sleep.
///
/// What decodes a handle returns `None` if it is none of ours. The callers make ESTALE of that and
/// of most errors.
pub(crate) trait ExportOperations<T: Types>: 'static {
    /// The handle of an inode; with the parent, if that is to be found by it too.
    fn encode_fh(inode: &Inode<T>, parent: Option<&Inode<T>>) -> Fid;

    /// The dentry of what a handle stands for, any of them. The words are as somebody gave them, as
    /// many as he likes.
    fn fh_to_dentry(
        sb: &SuperBlock<T>,
        kind: FidType,
        fid: &[u32],
    ) -> Result<Option<ARef<Dentry<T>>>>;

    /// The dentry of the parent that a handle tells.
    fn fh_to_parent(
        sb: &SuperBlock<T>,
        kind: FidType,
        fid: &[u32],
    ) -> Result<Option<ARef<Dentry<T>>>>;

    /// The dentry of the directory that a directory is in.
    fn get_parent(child: &Dentry<T>) -> Result<ARef<Dentry<T>>>;
}

/// The `struct export_operations` of a filesystem, and of a superblock of it whose handles are only
/// made.
pub(crate) struct ExportOperationsTable<T: Types> {
    all: bindings::export_operations,
    /// Without those that decode. The one that finds a parent stays: exportfs looks at it twice,
    /// once to see whether it is there, and the tables may be exchanged in between.
    encode: bindings::export_operations,
    _types: PhantomData<T>,
}

// SAFETY: The tables are never written.
unsafe impl<T: Types> Sync for ExportOperationsTable<T> {}

impl<T: Types> ExportOperationsTable<T> {
    /// The tables of `O`'s operations.
    pub(crate) const fn new<O: ExportOperations<T>>() -> Self {
        // SAFETY: Of optional pointers and a number, none and zero.
        let none: bindings::export_operations = unsafe { core::mem::zeroed() };
        let encode = bindings::export_operations {
            encode_fh: Some(encode_fh::<T, O>),
            get_parent: Some(get_parent::<T, O>),
            ..none
        };
        Self {
            all: bindings::export_operations {
                fh_to_dentry: Some(fh_to_dentry::<T, O>),
                fh_to_parent: Some(fh_to_parent::<T, O>),
                ..encode
            },
            encode,
            _types: PhantomData,
        }
    }
}

impl<T: Types> NewSuperBlock<'_, T> {
    /// Lets inodes have handles.
    pub(crate) fn set_s_export_op(&mut self, ops: &'static ExportOperationsTable<T>) {
        // SAFETY: Nobody else uses the field, by the type's invariant; the table is static, and for
        // `T`.
        unsafe { (*self.as_ptr()).s_export_op = (&raw const ops.all).cast() };
    }
}

impl<T: Types> SuperBlock<T> {
    /// From now on inodes of a superblock still have handles, by which nobody finds them, so that
    /// they only say which inode is meant. Others may be using one just now.
    pub(crate) fn set_encode_only(&self) {
        // SAFETY: A live superblock, of which this is a field.
        let field = unsafe { &raw mut (*self.as_ptr()).s_export_op };
        // SAFETY: As above; like C, whoever reads or writes it does so at once.
        let ops = unsafe { field.read_volatile() }.cast::<bindings::export_operations>();
        // SAFETY: The field is null, or points to either table of a static `ExportOperationsTable`,
        // as `set_s_export_op()` and this set it.
        if ops.is_null() || unsafe { (*ops).fh_to_dentry.is_none() } {
            return;
        }
        // SAFETY: With this operation it is `all` of such a pair.
        let tables = unsafe { &*kernel::container_of!(ops, ExportOperationsTable<T>, all) };
        // SAFETY: As above. exportfs goes on to use the table in which it has seen an operation,
        // but for `get_parent`, which both have.
        unsafe { field.write_volatile((&raw const tables.encode).cast()) };
    }
}

impl<T: Types> Dentry<T> {
    /// A dentry of an inode: any that it has, or else a new one without a name and a parent, which
    /// is connected when somebody looks the name up (`d_obtain_alias()`). May sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn d_obtain_alias(inode: ARef<Inode<T>>) -> Result<ARef<Self>> {
        let inode = ARef::into_raw(inode).cast().as_ptr();
        // SAFETY: The function takes over the reference, even when it fails.
        let dentry = from_err_ptr(unsafe { bindings::d_obtain_alias(inode) })?;
        let dentry = NonNull::new(dentry.cast()).ok_or(ESTALE)?;
        // SAFETY: A reference comes with what is returned, which is of the inode's superblock, and
        // so of `T`, past `d_init`.
        Ok(unsafe { ARef::from_raw(dentry) })
    }
}

// The functions below are put into a table that superblocks registered for `T` have only, so that
// what they get is of `T`.

/// # Safety
///
/// Called by exportfs, through the table it is in: live inodes; `fh` has room for `*max_len` words,
/// and is used by nobody else.
unsafe extern "C" fn encode_fh<T: Types, O: ExportOperations<T>>(
    inode: *mut bindings::inode,
    fh: *mut u32,
    max_len: *mut c_int,
    parent: *mut bindings::inode,
) -> c_int {
    // SAFETY: By this function's contract.
    let (inode, parent) = unsafe {
        let parent = (!parent.is_null()).then(|| Inode::<T>::from_raw(parent));
        (Inode::<T>::from_raw(inode), parent)
    };
    let fid = O::encode_fh(inode, parent);
    let words = fid.kind.words();
    // SAFETY: By this function's contract.
    let room = usize::try_from(unsafe { max_len.read() }).unwrap_or(0);
    // SAFETY: As above. The number is small.
    unsafe { max_len.write(words as c_int) };
    if room < words {
        return bindings::fid_type_FILEID_INVALID as c_int;
    }
    // SAFETY: There is room for so many, and `Fid` has as many.
    unsafe { ptr::copy_nonoverlapping(fid.words.as_ptr(), fh, words) };
    fid.kind.to_raw()
}

/// The words of a handle that is to be decoded.
///
/// # Safety
///
/// `fid` points to `len` words that do not change during `'a`, `len` not being negative.
unsafe fn words<'a>(fid: *const bindings::fid, len: c_int) -> &'a [u32] {
    let len = usize::try_from(len).unwrap_or(0);
    if len == 0 {
        return &[];
    }
    // SAFETY: By the contract. `raw` is where a `struct fid` starts.
    unsafe { core::slice::from_raw_parts(fid.cast(), len) }
}

/// What a decoder returns to C: what was found, if it is of the superblock that was asked.
fn found<T: Types>(
    sb: &SuperBlock<T>,
    result: Result<Option<ARef<Dentry<T>>>>,
) -> *mut bindings::dentry {
    match result {
        Ok(Some(dentry)) if ptr::eq(dentry.sb(), sb) => ARef::into_raw(dentry).cast().as_ptr(),
        Ok(Some(_)) => ESTALE.to_ptr(),
        Ok(None) => ptr::null_mut(),
        Err(e) => e.to_ptr(),
    }
}

/// What `to_dentry` makes of a handle, if it is of a kind that is used here.
///
/// # Safety
///
/// A superblock registered for `T` that stays mounted, and `fh_len` words at `fid` that do not
/// change meanwhile.
unsafe fn decode<T: Types>(
    sb: *mut bindings::super_block,
    fid: *mut bindings::fid,
    fh_len: c_int,
    fh_type: c_int,
    to_dentry: impl FnOnce(&SuperBlock<T>, FidType, &[u32]) -> Result<Option<ARef<Dentry<T>>>>,
) -> *mut bindings::dentry {
    // SAFETY: By this function's contract.
    let (sb, fid) = unsafe { (SuperBlock::<T>::from_raw(sb), words(fid, fh_len)) };
    match FidType::from_raw(fh_type) {
        Some(kind) => found(sb, to_dentry(sb, kind, fid)),
        None => ptr::null_mut(),
    }
}

/// # Safety
///
/// Called by exportfs, through the table it is in: a superblock that stays mounted, and `fh_len`
/// words that do not change meanwhile.
unsafe extern "C" fn fh_to_dentry<T: Types, O: ExportOperations<T>>(
    sb: *mut bindings::super_block,
    fid: *mut bindings::fid,
    fh_len: c_int,
    fh_type: c_int,
) -> *mut bindings::dentry {
    // SAFETY: By this function's contract.
    unsafe { decode(sb, fid, fh_len, fh_type, O::fh_to_dentry) }
}

/// # Safety
///
/// As for [`fh_to_dentry`].
unsafe extern "C" fn fh_to_parent<T: Types, O: ExportOperations<T>>(
    sb: *mut bindings::super_block,
    fid: *mut bindings::fid,
    fh_len: c_int,
    fh_type: c_int,
) -> *mut bindings::dentry {
    // SAFETY: By this function's contract.
    unsafe { decode(sb, fid, fh_len, fh_type, O::fh_to_parent) }
}

/// # Safety
///
/// Called by exportfs, through the table it is in, with a referenced, positive dentry.
unsafe extern "C" fn get_parent<T: Types, O: ExportOperations<T>>(
    child: *mut bindings::dentry,
) -> *mut bindings::dentry {
    // SAFETY: By this function's contract.
    let child = unsafe { Dentry::<T>::from_raw(child) };
    found(child.sb(), O::get_parent(child).map(Some))
}
