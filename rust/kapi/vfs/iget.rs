// SPDX-License-Identifier: GPL-2.0

//! Finding inodes by number, and setting up new ones.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).
//!
//! Rules of C encoded here:
//!
//! - `iget5_locked()` returns an inode that others may be using, or one with `I_NEW`, which others
//!   find but wait for. The latter belongs to the caller until `unlock_new_inode()`: [`NewInode`].
//! - The `test` and `set` callbacks run under spinlocks and see the private data alone.
//! - `set` runs before anyone else can find the inode.
//! - The type of an inode and its tables of operations belong together, and do not change once
//!   others can see it: they are set at once ([`NewInode::set_up`]), after which there is a
//!   [`ReadyInode`].

use super::{
    address_space::AddressSpaceOperationsTable,
    file_operations::FileOperationsTable,
    inode::Inode,
    inode_operations::InodeOperationsTable,
    stat,
    super_block::SuperBlock,
    symlink::SymlinkTables,
    types::Types, //
};
use crate::{
    bindings,
    kapi::time::time64::Timespec64, //
};
use core::{
    ffi::{
        c_int,
        c_void, //
    },
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// What [`iget5_locked`](SuperBlock::iget5_locked) finds.
pub(crate) enum Iget<T: Types> {
    /// One that was there.
    Old(ARef<Inode<T>>),
    /// One that is to be set up.
    New(NewInode<T>),
}

/// How a filesystem compares and sets the number of an inode.
pub(crate) trait InodeKey<T: Types>: Sync {
    /// Whether this is the inode. Called under a spinlock.
    fn test(&self, inode: &T::Inode) -> bool;

    /// Gives the inode its number. Called under a spinlock, before anyone sees it.
    fn set(&self, inode: &T::Inode);
}

/// What a new inode is, with the tables of operations that such a thing has.
pub(crate) enum InodeKind<T: Types> {
    /// A regular file.
    Regular {
        /// The inode operations.
        iops: &'static InodeOperationsTable<T>,
        /// The file operations.
        fops: &'static FileOperationsTable<T>,
        /// The operations of the page cache.
        aops: &'static AddressSpaceOperationsTable<T>,
    },
    /// A directory.
    Directory {
        /// The inode operations.
        iops: &'static InodeOperationsTable<T>,
        /// The file operations.
        fops: &'static FileOperationsTable<T>,
    },
    /// A symbolic link.
    Symlink {
        /// The inode operations, and those of the page cache.
        tables: &'static SymlinkTables<T>,
    },
    /// What the kernel has file operations for.
    Special {
        /// The inode operations.
        iops: &'static InodeOperationsTable<T>,
        /// Which.
        node: SpecialNode,
    },
}

/// A device node, in the kernel's own encoding, a fifo or a socket.
#[derive(Clone, Copy)]
pub(crate) enum SpecialNode {
    /// `S_IFCHR`.
    CharDevice(u32),
    /// `S_IFBLK`.
    BlockDevice(u32),
    /// `S_IFIFO`.
    Fifo,
    /// `S_IFSOCK`.
    Socket,
}

/// A new inode, `I_NEW`, that is to be set up. Nobody else can get at it.
///
/// # Invariants
///
/// `I_NEW` is set, and this owns the reference that came with it. Nobody else has used the inode
/// since.
pub(crate) struct NewInode<T: Types>(ReadyInode<T>);

/// A new inode, `I_NEW`, that has been set up: others that find it wait until
/// [`unlock_new_inode`](Self::unlock_new_inode).
///
/// Dropping it gives it up: whoever has found it meanwhile looks again, and does not find it.
///
/// # Invariants
///
/// `I_NEW` is set, and this owns the reference that came with it.
pub(crate) struct ReadyInode<T: Types>(ManuallyDrop<ARef<Inode<T>>>);

impl<T: Types> Deref for ReadyInode<T> {
    type Target = Inode<T>;

    fn deref(&self) -> &Inode<T> {
        &self.0
    }
}

impl<T: Types> Drop for ReadyInode<T> {
    /// May sleep.
    fn drop(&mut self) {
        // As `iget_failed()`, but for `make_bad_inode()`, which would change the type and the
        // tables of an inode that there may be references to.
        self.remove_inode_hash();
        // SAFETY: By the type's invariant `I_NEW` is set, and the reference is ours to give up; it
        // is not used again. Whoever waits for the inode sees that it is not in the hash any more.
        unsafe {
            bindings::unlock_new_inode(self.as_ptr());
            ManuallyDrop::drop(&mut self.0);
        }
    }
}

impl<T: Types> ReadyInode<T> {
    /// Lets others use the inode (`unlock_new_inode()`).
    pub(crate) fn unlock_new_inode(self) -> ARef<Inode<T>> {
        let mut me = ManuallyDrop::new(self);
        // SAFETY: `me` is not used again, nor dropped.
        let inode = unsafe { ManuallyDrop::take(&mut me.0) };
        // SAFETY: By the type's invariant `I_NEW` is set.
        unsafe { bindings::unlock_new_inode(inode.as_ptr()) };
        inode
    }
}

impl<T: Types> NewInode<T> {
    fn as_ptr(&self) -> *mut bindings::inode {
        self.0.as_ptr()
    }

    /// Makes the inode what it is. Permissions come with its
    /// [attributes](super::inode_inner::Attributes).
    pub(crate) fn set_up(self, kind: InodeKind<T>) -> ReadyInode<T> {
        let inode = self.as_ptr();
        let (mode, iops) = match &kind {
            InodeKind::Regular { iops, .. } => (stat::S_IFREG, Some(iops)),
            InodeKind::Directory { iops, .. } => (stat::S_IFDIR, Some(iops)),
            InodeKind::Symlink { .. } => (stat::S_IFLNK, None),
            InodeKind::Special { iops, node } => (node.mode(), Some(iops)),
        };
        // SAFETY: The inode is alive, and others wait for `I_NEW` before they look. The tables here
        // and below are static and made for the same `T`.
        unsafe {
            (*inode).i_mode = mode;
            if let Some(iops) = iops {
                (*inode).i_op = iops.as_ptr();
            }
        }
        match kind {
            InodeKind::Regular { fops, aops, .. } => {
                // SAFETY: As above.
                unsafe {
                    (*inode).__bindgen_anon_3.i_fop = fops.as_ptr();
                    (*inode).i_data.a_ops = aops.as_ptr();
                }
            }
            // SAFETY: As above.
            InodeKind::Directory { fops, .. } => unsafe {
                (*inode).__bindgen_anon_3.i_fop = fops.as_ptr();
            },
            // SAFETY: As above.
            InodeKind::Symlink { tables } => unsafe { tables.attach(inode) },
            // SAFETY: As above; the mode is one that the function knows.
            InodeKind::Special { node, .. } => unsafe {
                bindings::init_special_inode(inode, mode, node.rdev());
            },
        }
        self.0
    }

    /// Sets `i_generation`.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        // SAFETY: The inode is alive, and others wait for `I_NEW` before they look.
        unsafe { (*self.as_ptr()).i_generation = generation };
    }

    /// Sets the size in bytes.
    pub(crate) fn i_size_write(&mut self, size: i64) {
        // SAFETY: As for `set_generation()`.
        unsafe { bindings::i_size_write(self.as_ptr(), size) };
    }

    /// `inode_set_mtime_to_ts()`.
    pub(crate) fn inode_set_mtime(&mut self, time: Timespec64) {
        // SAFETY: As for `set_generation()`.
        unsafe {
            (*self.as_ptr()).i_mtime_sec = time.sec;
            (*self.as_ptr()).i_mtime_nsec = time.nsec;
        }
    }

    /// `inode_set_ctime_to_ts()`.
    pub(crate) fn inode_set_ctime(&mut self, time: Timespec64) {
        // SAFETY: As for `set_generation()`.
        unsafe { bindings::inode_set_ctime_to_ts(self.as_ptr(), time.into_raw()) };
    }

    /// Sets `S_NOATIME`: the VFS leaves atime alone.
    pub(crate) fn set_noatime(&mut self) {
        // SAFETY: As for `set_generation()`.
        unsafe { (*self.as_ptr()).i_flags |= bindings::S_NOATIME };
    }

    /// Sets `S_NOCMTIME`: the VFS leaves mtime and ctime alone.
    pub(crate) fn set_nocmtime(&mut self) {
        // SAFETY: As for `set_generation()`.
        unsafe { (*self.as_ptr()).i_flags |= bindings::S_NOCMTIME };
    }

    /// Makes the VFS ask `get_inode_acl` each time instead of keeping ACLs (`ACL_DONT_CACHE`).
    pub(crate) fn set_acl_dont_cache(&mut self) {
        // SAFETY: As for `set_generation()`; the fields hold `ACL_NOT_CACHED`, which is no
        // reference.
        unsafe { bindings::inode_set_acl_dont_cache(self.as_ptr()) };
    }
}

impl SpecialNode {
    fn mode(self) -> u16 {
        match self {
            Self::CharDevice(_) => stat::S_IFCHR,
            Self::BlockDevice(_) => stat::S_IFBLK,
            Self::Fifo => stat::S_IFIFO,
            Self::Socket => stat::S_IFSOCK,
        }
    }

    fn rdev(self) -> u32 {
        match self {
            Self::CharDevice(rdev) | Self::BlockDevice(rdev) => rdev,
            Self::Fifo | Self::Socket => 0,
        }
    }
}

/// # Safety
///
/// Called by `iget5_locked()` and `ilookup5()` with a live inode of a superblock registered for
/// `T`, and the key that they were given.
unsafe extern "C" fn test<T: Types, K: InodeKey<T>>(
    inode: *mut bindings::inode,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By this function's contract.
    let (inode, key) = unsafe { (Inode::<T>::from_raw(inode), &*key.cast::<K>()) };
    key.test(inode.data()).into()
}

/// # Safety
///
/// As for [`test()`].
unsafe extern "C" fn set<T: Types, K: InodeKey<T>>(
    inode: *mut bindings::inode,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By this function's contract.
    let (inode, key) = unsafe { (Inode::<T>::from_raw(inode), &*key.cast::<K>()) };
    key.set(inode.data());
    0
}

impl<T: Types> SuperBlock<T> {
    /// Finds the inode that `key` names, or makes it (`iget5_locked()`). May sleep.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn iget5_locked<K: InodeKey<T>>(&self, hash: u64, key: &K) -> Result<Iget<T>> {
        let data = core::ptr::from_ref(key).cast_mut().cast();
        // SAFETY: The superblock is alive, and the key for as long as this takes.
        let inode = unsafe {
            bindings::iget5_locked(
                self.as_ptr(),
                hash,
                Some(test::<T, K>),
                Some(set::<T, K>),
                data,
            )
        };
        let inode = NonNull::new(inode.cast::<Inode<T>>()).ok_or(ENOMEM)?;
        // SAFETY: A reference comes with what was found.
        let inode = unsafe { ARef::from_raw(inode) };

        // SAFETY: The inode is alive.
        if unsafe { bindings::inode_is_new(inode.as_ptr()) } {
            // INVARIANT: `I_NEW` is set, and `iget5_locked()` has just made the inode.
            Ok(Iget::New(NewInode(ReadyInode(ManuallyDrop::new(inode)))))
        } else {
            Ok(Iget::Old(inode))
        }
    }

    /// The inode that `key` names, if there is one (`ilookup5()`). Waits until it has been set up.
    pub(crate) fn ilookup5<K: InodeKey<T>>(&self, hash: u64, key: &K) -> Option<ARef<Inode<T>>> {
        let data = core::ptr::from_ref(key).cast_mut().cast();
        // SAFETY: The superblock is alive, and the key for as long as this takes.
        let inode = unsafe { bindings::ilookup5(self.as_ptr(), hash, Some(test::<T, K>), data) };
        // SAFETY: A reference comes with what was found.
        NonNull::new(inode.cast::<Inode<T>>()).map(|inode| unsafe { ARef::from_raw(inode) })
    }
}
