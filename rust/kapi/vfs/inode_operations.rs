// SPDX-License-Identifier: GPL-2.0

//! The operations of a filesystem on its inodes.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h) (`struct inode_operations`); rules:
//! [locking](srctree/Documentation/filesystems/locking.rst),
//! [porting](srctree/Documentation/filesystems/porting.rst).
//!
//! Rules of C encoded here:
//!
//! - The VFS holds the directory's `i_rwsem` around the operations that look up or change it,
//!   shared for `lookup` and (without `O_CREAT`) `atomic_open`, exclusively for the others; so the
//!   names of the dentries are stable: [`NamedDentry`]. It is not ours to release. Not around
//!   `tmpfile`, whose dentry nobody else knows.
//! - What is to be made has a negative dentry: [`NegativeDentry`].
//! - `lookup` gets a dentry that is negative and not hashed; others that know it wait:
//!   [`UnhashedDentry`].
//! - `permission` with `MAY_NOT_BLOCK` runs in RCU walk: [`super::rcu_walk`].
//! - `mkdir` returns another dentry if the directory is spliced elsewhere.

use super::{
    attr::Iattr,
    dentry::{
        into_ptr,
        Alias,
        Dentry,
        NamedDentry,
        NegativeDentry,
        PositiveDentry,
        UnhashedDentry, //
    },
    fileattr::{
        self,
        FileattrOperations, //
    },
    inode::Inode,
    kstat::Kstat,
    mnt_idmapping::MntIdmap,
    namei::LookupFlags,
    open::{
        AtomicFile,
        AtomicOpen,
        OpenedFile, //
    },
    posix_acl::{
        self,
        AclOperations, //
    },
    rcu_walk::RcuInode,
    types::Types, //
};
use crate::bindings;
use core::{
    ffi::CStr,
    marker::PhantomData,
    pin::Pin,
    ptr, //
};
use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    ffi::{
        c_char,
        c_int,
        c_uint, //
    },
    prelude::*, //
};

/// `struct inode_operations`, apart from [`AttributeOperations`]. All run in task context and may
/// sleep unless said otherwise.
#[vtable]
pub(crate) trait InodeOperations<T: Types>: 'static {
    /// Finds a name in a directory. Returns the dentry to use in place of `dentry`, if another.
    fn lookup<'a>(
        _dir: &Inode<T>,
        _dentry: UnhashedDentry<'a, T>,
        _flags: LookupFlags,
    ) -> Result<Option<Alias<'a, T>>> {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Whether the current task may do what `mask` (`MAY_*`) says.
    fn permission(_idmap: &MntIdmap, _inode: &Inode<T>, _mask: u32) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The same in RCU walk; ECHILD if it cannot be told without sleeping.
    fn permission_rcu(_idmap: &MntIdmap, _inode: &RcuInode<'_, T>, _mask: u32) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a regular file.
    fn create(
        _idmap: &MntIdmap,
        _dir: &Inode<T>,
        _dentry: NegativeDentry<'_, T>,
        _mode: u16,
    ) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes another name, `new`, for the inode of `old`.
    fn link(_old: PositiveDentry<'_, T>, _dir: &Inode<T>, _new: NegativeDentry<'_, T>) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Removes a name of something that is not a directory.
    fn unlink(_dir: &Inode<T>, _dentry: NamedDentry<'_, T>) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a symbolic link to `target`.
    fn symlink(
        _idmap: &MntIdmap,
        _dir: &Inode<T>,
        _dentry: NegativeDentry<'_, T>,
        _target: &[u8],
    ) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a directory. Returns the dentry to use in place of `dentry`, if another.
    fn mkdir<'a>(
        _idmap: &MntIdmap,
        _dir: &Inode<T>,
        _dentry: NegativeDentry<'a, T>,
        _mode: u16,
    ) -> Result<Option<Alias<'a, T>>> {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Removes an empty directory.
    fn rmdir(_dir: &Inode<T>, _dentry: NamedDentry<'_, T>) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a device node, fifo, socket or regular file; `rdev` in the kernel's own encoding.
    fn mknod(
        _idmap: &MntIdmap,
        _dir: &Inode<T>,
        _dentry: NegativeDentry<'_, T>,
        _mode: u16,
        _rdev: u32,
    ) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Renames; `flags` are `RENAME_*`.
    fn rename(
        _idmap: &MntIdmap,
        _old_dir: &Inode<T>,
        _old: NamedDentry<'_, T>,
        _new_dir: &Inode<T>,
        _new: NamedDentry<'_, T>,
        _flags: u32,
    ) -> Result {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Looks up the dentry that comes with the file, makes it if `flags` (`O_*`) say so, and opens,
    /// in one.
    fn atomic_open<'a>(
        _dir: &Inode<T>,
        _file: AtomicFile<'a, T>,
        _flags: u32,
        _mode: u16,
    ) -> Result<AtomicOpen<'a, T>> {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a regular file without a name, and opens it.
    fn tmpfile<'a>(
        _idmap: &MntIdmap,
        _dir: &Inode<T>,
        _file: AtomicFile<'a, T>,
        _mode: u16,
    ) -> Result<OpenedFile<'a, T>> {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The part of `struct inode_operations` that is about attributes, which inodes of all types have.
/// All run in task context and may sleep.
pub(crate) trait AttributeOperations<T: Types>: 'static {
    /// Changes attributes; `i_rwsem` is held exclusively.
    fn setattr(idmap: &MntIdmap, dentry: PositiveDentry<'_, T>, attr: Pin<&mut Iattr<T>>)
        -> Result;

    /// Reports attributes: those of `request_mask` (`STATX_*`), as fresh as `flags`
    /// (`AT_STATX_*`) say.
    fn getattr(
        idmap: &MntIdmap,
        dentry: PositiveDentry<'_, T>,
        stat: &mut Kstat,
        request_mask: u32,
        flags: u32,
    ) -> Result;

    /// How long the list of the names of extended attributes is (`listxattr` with a size of 0).
    fn listxattr_len(dentry: &Dentry<T>) -> Result<usize>;

    /// The list, of at most `max` bytes: names, each with a NUL. ERANGE if it is longer.
    fn listxattr(dentry: &Dentry<T>, max: usize) -> Result<KVVec<u8>>;
}

/// A table of inode operations for `T`.
#[repr(transparent)]
pub(crate) struct InodeOperationsTable<T: Types>(bindings::inode_operations, PhantomData<fn(T)>);

// SAFETY: The table is never written.
unsafe impl<T: Types> Sync for InodeOperationsTable<T> {}

/// `get_link`: see [`super::symlink`].
type GetLink = unsafe extern "C" fn(
    *mut bindings::dentry,
    *mut bindings::inode,
    *mut bindings::delayed_call,
) -> *const c_char;

/// A symbolic link, which has none but `get_link`.
enum Link {}

#[vtable]
impl<T: Types> InodeOperations<T> for Link {}

/// A trampoline if the operation is there.
macro_rules! op {
    ($has:expr, $trampoline:expr) => {
        if $has {
            Some($trampoline)
        } else {
            None
        }
    };
}

impl<T: Types> InodeOperationsTable<T> {
    /// The table of `O` and `A`.
    pub(crate) const fn new<O: InodeOperations<T>, A: AttributeOperations<T>>() -> Self {
        Self(
            bindings::inode_operations {
                lookup: op!(O::HAS_LOOKUP, lookup::<T, O>),
                permission: op!(O::HAS_PERMISSION, permission::<T, O>),
                get_inode_acl: Some(posix_acl::no_inode_acl),
                create: op!(O::HAS_CREATE, create::<T, O>),
                link: op!(O::HAS_LINK, link::<T, O>),
                unlink: op!(O::HAS_UNLINK, unlink::<T, O>),
                symlink: op!(O::HAS_SYMLINK, symlink::<T, O>),
                mkdir: op!(O::HAS_MKDIR, mkdir::<T, O>),
                rmdir: op!(O::HAS_RMDIR, rmdir::<T, O>),
                mknod: op!(O::HAS_MKNOD, mknod::<T, O>),
                rename: op!(O::HAS_RENAME, rename::<T, O>),
                setattr: Some(setattr::<T, A>),
                getattr: Some(getattr::<T, A>),
                listxattr: Some(listxattr::<T, A>),
                atomic_open: op!(O::HAS_ATOMIC_OPEN, atomic_open::<T, O>),
                tmpfile: op!(O::HAS_TMPFILE, tmpfile::<T, O>),
                ..pin_init::zeroed()
            },
            PhantomData,
        )
    }

    /// The table of a symbolic link, of `A`.
    pub(super) const fn with_get_link<A: AttributeOperations<T>>(get_link: GetLink) -> Self {
        let mut table = Self::new::<Link, A>();
        table.0.get_link = Some(get_link);
        table
    }

    /// The same with ACLs.
    pub(crate) const fn with_acls<A: AclOperations<T>>(mut self) -> Self {
        self.0.get_inode_acl = Some(posix_acl::get_inode_acl::<T, A>);
        self.0.get_acl = Some(posix_acl::get_acl::<T, A>);
        self.0.set_acl = Some(posix_acl::set_acl::<T, A>);
        self
    }

    /// The same with flags and the like.
    pub(crate) const fn with_fileattr<A: FileattrOperations<T>>(mut self) -> Self {
        self.0.fileattr_get = Some(fileattr::fileattr_get::<T, A>);
        self.0.fileattr_set = Some(fileattr::fileattr_set::<T, A>);
        self
    }

    /// The C object.
    pub(super) const fn as_ptr(&self) -> *const bindings::inode_operations {
        &raw const self.0
    }
}

// The trampolines. The contract of all: called by the VFS as locking.rst says, with objects of a
// superblock registered for `T`, valid for the call and, except in RCU walk, referenced.

/// # Safety
///
/// See above.
unsafe extern "C" fn lookup<T: Types, O: InodeOperations<T>>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    flags: c_uint,
) -> *mut bindings::dentry {
    // SAFETY: By the contract; the dentry is new (`lookup_one_qstr_excl()`), or others who know it
    // wait for this call (`d_alloc_parallel()`).
    let (dir, dentry) = unsafe { (Inode::from_raw(dir), UnhashedDentry::from_raw(dentry)) };
    into_ptr(O::lookup(dir, dentry, LookupFlags::from_raw(flags)))
}

/// # Safety
///
/// See above.
unsafe extern "C" fn permission<T: Types, O: InodeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    inode: *mut bindings::inode,
    mask: c_int,
) -> c_int {
    // SAFETY: By the contract.
    let idmap = unsafe { MntIdmap::from_raw(idmap) };
    let mask = mask as u32;
    from_result(|| {
        if mask & bindings::MAY_NOT_BLOCK != 0 {
            // SAFETY: By the contract; in RCU walk.
            let inode = unsafe { RcuInode::from_raw(inode) };
            O::permission_rcu(idmap, &inode, mask & !bindings::MAY_NOT_BLOCK)
        } else {
            // SAFETY: By the contract.
            O::permission(idmap, unsafe { Inode::from_raw(inode) }, mask)
        }
        .map(|()| 0)
    })
}

/// # Safety
///
/// See above. `list` has `size` bytes, which nobody else uses meanwhile.
unsafe extern "C" fn listxattr<T: Types, A: AttributeOperations<T>>(
    dentry: *mut bindings::dentry,
    list: *mut c_char,
    size: usize,
) -> isize {
    // SAFETY: By the contract.
    let dentry = unsafe { Dentry::from_raw(dentry) };
    from_result(|| {
        if size == 0 {
            return Ok(isize::try_from(A::listxattr_len(dentry)?)?);
        }
        let names = A::listxattr(dentry, size)?;
        if names.len() > size {
            return Err(ERANGE);
        }
        // SAFETY: By the contract there is room for as many bytes; they are ours, so that the two
        // do not overlap.
        unsafe { ptr::copy_nonoverlapping(names.as_ptr(), list.cast(), names.len()) };
        Ok(isize::try_from(names.len())?)
    })
}

/// Where something is to be made, and as what.
///
/// # Safety
///
/// See above; the directory is locked, and the dentry negative, which `may_create_dentry()` has
/// seen to.
unsafe fn to_make<'a, T: Types>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> (&'a MntIdmap, &'a Inode<T>, NegativeDentry<'a, T>) {
    // SAFETY: The caller's promise.
    let (idmap, dir) = unsafe { (MntIdmap::from_raw(idmap), Inode::from_raw(dir)) };
    // SAFETY: As above.
    (idmap, dir, unsafe { NegativeDentry::from_raw(dentry) })
}

/// # Safety
///
/// See above.
unsafe extern "C" fn create<T: Types, O: InodeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
) -> c_int {
    // SAFETY: By the contract.
    let (idmap, dir, dentry) = unsafe { to_make(idmap, dir, dentry) };
    from_result(|| O::create(idmap, dir, dentry, mode).map(|()| 0))
}

/// # Safety
///
/// See above.
unsafe extern "C" fn link<T: Types, O: InodeOperations<T>>(
    old: *mut bindings::dentry,
    dir: *mut bindings::inode,
    new: *mut bindings::dentry,
) -> c_int {
    // SAFETY: By the contract.
    let old = unsafe { PositiveDentry::from_raw(old) };
    // SAFETY: As above; the directory is locked, and the dentry negative, which
    // `may_create_dentry()` has seen to.
    let (dir, new) = unsafe { (Inode::from_raw(dir), NegativeDentry::from_raw(new)) };
    from_result(|| O::link(old, dir, new).map(|()| 0))
}

/// # Safety
///
/// See above.
unsafe extern "C" fn unlink<T: Types, O: InodeOperations<T>>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> c_int {
    // SAFETY: By the contract; the directory is locked.
    let (dir, dentry) = unsafe { (Inode::from_raw(dir), NamedDentry::from_raw(dentry)) };
    from_result(|| O::unlink(dir, dentry).map(|()| 0))
}

/// # Safety
///
/// See above; `target` is a string.
unsafe extern "C" fn symlink<T: Types, O: InodeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    target: *const c_char,
) -> c_int {
    // SAFETY: By the contract.
    let (idmap, dir, dentry) = unsafe { to_make(idmap, dir, dentry) };
    // SAFETY: By the contract.
    let target = unsafe { CStr::from_char_ptr(target) };
    from_result(|| O::symlink(idmap, dir, dentry, target.to_bytes()).map(|()| 0))
}

/// # Safety
///
/// See above.
unsafe extern "C" fn mkdir<T: Types, O: InodeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
) -> *mut bindings::dentry {
    // SAFETY: By the contract.
    let (idmap, dir, dentry) = unsafe { to_make(idmap, dir, dentry) };
    into_ptr(O::mkdir(idmap, dir, dentry, mode))
}

/// # Safety
///
/// See above.
unsafe extern "C" fn rmdir<T: Types, O: InodeOperations<T>>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> c_int {
    // SAFETY: By the contract; the directory is locked.
    let (dir, dentry) = unsafe { (Inode::from_raw(dir), NamedDentry::from_raw(dentry)) };
    from_result(|| O::rmdir(dir, dentry).map(|()| 0))
}

/// # Safety
///
/// See above.
unsafe extern "C" fn mknod<T: Types, O: InodeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
    rdev: bindings::dev_t,
) -> c_int {
    // SAFETY: By the contract.
    let (idmap, dir, dentry) = unsafe { to_make(idmap, dir, dentry) };
    from_result(|| O::mknod(idmap, dir, dentry, mode, rdev).map(|()| 0))
}

/// # Safety
///
/// See above.
unsafe extern "C" fn rename<T: Types, O: InodeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    old_dir: *mut bindings::inode,
    old: *mut bindings::dentry,
    new_dir: *mut bindings::inode,
    new: *mut bindings::dentry,
    flags: c_uint,
) -> c_int {
    // SAFETY: By the contract.
    let idmap = unsafe { MntIdmap::from_raw(idmap) };
    // SAFETY: By the contract; both directories are locked.
    let (old_dir, old) = unsafe { (Inode::from_raw(old_dir), NamedDentry::from_raw(old)) };
    // SAFETY: As above.
    let (new_dir, new) = unsafe { (Inode::from_raw(new_dir), NamedDentry::from_raw(new)) };
    from_result(|| O::rename(idmap, old_dir, old, new_dir, new, flags).map(|()| 0))
}

/// # Safety
///
/// See above; `attr` is the caller's, who has set what its `ia_valid` names. With `ATTR_FILE` it
/// has an open file of this filesystem: `do_truncate()` takes file and dentry from one path, and
/// those who pass on what they were asked (overlayfs, ecryptfs) drop the bit or put a file of ours
/// there.
unsafe extern "C" fn setattr<T: Types, A: AttributeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attr: *mut bindings::iattr,
) -> c_int {
    // SAFETY: By the contract; what is asked for something is there.
    let (dentry, attr) = unsafe { (PositiveDentry::from_raw(dentry), Iattr::from_raw(attr)) };
    // SAFETY: By the contract.
    let idmap = unsafe { MntIdmap::from_raw(idmap) };
    from_result(|| A::setattr(idmap, dentry, attr).map(|()| 0))
}

/// # Safety
///
/// See above; `stat` is the caller's.
unsafe extern "C" fn getattr<T: Types, A: AttributeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    path: *const bindings::path,
    stat: *mut bindings::kstat,
    request_mask: u32,
    flags: c_uint,
) -> c_int {
    // SAFETY: By the contract; the path of something has its dentry.
    let dentry = unsafe { PositiveDentry::from_raw((*path).dentry) };
    // SAFETY: By the contract.
    let (idmap, stat) = unsafe { (MntIdmap::from_raw(idmap), Kstat::from_raw(stat)) };
    from_result(|| A::getattr(idmap, dentry, stat, request_mask, flags).map(|()| 0))
}

/// # Safety
///
/// See above; `file` is being opened.
unsafe extern "C" fn atomic_open<T: Types, O: InodeOperations<T>>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    file: *mut bindings::file,
    flags: c_uint,
    mode: bindings::umode_t,
) -> c_int {
    // SAFETY: By the contract; the directory is locked, with `O_CREAT` exclusively
    // (`lookup_open()`; `dentry_create()` in any case).
    let file = unsafe { AtomicFile::from_raw(file, dentry, flags) };
    // SAFETY: By the contract.
    let dir = unsafe { Inode::from_raw(dir) };
    from_result(|| O::atomic_open(dir, file, flags, mode).map(|_done| 0))
}

/// # Safety
///
/// See above; `file` is being opened, and has a dentry of its own (`vfs_tmpfile()`).
unsafe extern "C" fn tmpfile<T: Types, O: InodeOperations<T>>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    file: *mut bindings::file,
    mode: bindings::umode_t,
) -> c_int {
    // SAFETY: By the contract.
    let (idmap, dir) = unsafe { (MntIdmap::from_raw(idmap), Inode::from_raw(dir)) };
    // SAFETY: As above.
    let file = unsafe { AtomicFile::from_tmpfile(file) };
    from_result(|| O::tmpfile(idmap, dir, file, mode).map(|_opened| 0))
}
