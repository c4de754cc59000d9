// SPDX-License-Identifier: GPL-2.0

//! A superblock that is being set up, and one that is being shut down.
//!
//! C headers: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h),
//! [`include/linux/backing-dev.h`](srctree/include/linux/backing-dev.h).
//!
//! C rules encoded here, by a type for each state that `fill_super` takes a superblock through:
//! - At first ([`NewSuperBlock`]) it has no tables of operations, and so makes no inode and no
//!   dentry; nobody uses it but the mounter, who sets its fields.
//! - With its tables ([`RootlessSuper`]) it is a [`SuperBlock`]: it makes inodes, through which
//!   others may get to it, and its fields are not set any more.
//! - With its root, which is made once ([`RootedSuper`]) and then set ([`FilledSuper`]), it is
//!   complete, and can be reached from elsewhere.
//! - It is shut down ([`DyingSuper`]) in whichever of these states it is.
//!
//! The lifetime ties the states of one superblock together: it is not another's that `fill_super`
//! returns.

use super::{
    dentry::Dentry,
    fs_parameter::ParamString,
    inode::Inode,
    stat,
    super_block::{
        self,
        LiveSuper,
        SuperBlock,
        SuperObject,
        SB_I_IMA_UNVERIFIABLE_SIGNATURE,
        SB_I_NOIDMAP,
        SB_I_NO_DATA_INTEGRITY,
        SB_I_UNTRUSTED_MOUNTER,
        SB_I_VERSION,
        SB_NOSEC,
        SB_POSIXACL, //
    },
    types::{
        SuperTypes,
        Types, //
    },
};
use crate::{
    bindings,
    kapi::task::user_namespace::UserNamespace, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::to_result,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

/// This superblock, and no other: neither longer nor shorter than its lifetime is another one.
pub(super) type Brand<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

/// Of `s_flags`, what a filesystem sets: the others are the VFS's.
const OUR_FLAGS: usize = SB_POSIXACL | SB_I_VERSION | SB_NOSEC;

/// Of `s_iflags`.
const OUR_IFLAGS: usize = SB_I_IMA_UNVERIFIABLE_SIGNATURE
    | SB_I_UNTRUSTED_MOUNTER
    | SB_I_NOIDMAP
    | SB_I_NO_DATA_INTEGRITY;

/// A superblock that its mounter sets up.
///
/// # Invariants
///
/// Fresh from `sget_fc()`, and on its block device if it has one, with `s_umount` held for writing
/// and `s_fs_info` set for `T`; it has neither inodes nor dentries, and nobody else uses it. What
/// others see of it (`sget_fc()`: the lists, the flags, `s_fs_info`) is not written here but the
/// flags, at once.
pub(crate) struct NewSuperBlock<'a, T: SuperTypes>(
    *mut bindings::super_block,
    Brand<'a>,
    PhantomData<T>,
);

impl<'a, T: SuperTypes> NewSuperBlock<'a, T> {
    /// # Safety
    ///
    /// The type's invariant holds, for `'a`; the superblock is shut down by [`DyingSuper`].
    pub(super) unsafe fn from_raw(ptr: *mut bindings::super_block) -> Self {
        // INVARIANT: The caller promises it.
        Self(ptr, PhantomData, PhantomData)
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::super_block {
        self.0
    }

    /// What `s_fs_info` points to.
    pub(super) fn object(&self) -> &SuperObject<T> {
        // SAFETY: By the type's invariant; the superblock is not shut down before `'a` ends.
        unsafe { SuperObject::of(self.0) }
    }

    /// The superblock, now that it has its tables.
    ///
    /// # Safety
    ///
    /// It has: of its own operations, and those that its dentries get.
    pub(super) unsafe fn with_tables(&self) -> &'a SuperBlock<T> {
        // SAFETY: By the type's invariant, and what the caller promises.
        unsafe { SuperBlock::from_raw(self.0) }
    }

    /// `SB_*`.
    pub(crate) fn s_flags(&self) -> usize {
        // SAFETY: A live superblock.
        unsafe { super_block::s_flags(self.0) }
    }

    /// The namespace that the mounter was in (`s_user_ns`).
    pub(crate) fn s_user_ns(&self) -> &UserNamespace {
        // SAFETY: Set by `alloc_super()`, referenced as long as the superblock lives.
        unsafe { UserNamespace::from_raw((*self.0).s_user_ns) }
    }

    /// Sets what `statfs()` calls the filesystem's type.
    pub(crate) fn set_s_magic(&mut self, magic: u32) {
        // SAFETY: By the type's invariant nobody else uses the field.
        unsafe { (*self.0).s_magic = magic as usize };
    }

    /// Sets the largest size of a file.
    pub(crate) fn set_s_maxbytes(&mut self, bytes: i64) {
        // SAFETY: As in `set_s_magic()`.
        unsafe { (*self.0).s_maxbytes = bytes };
    }

    /// Sets the granularity of times, in nanoseconds.
    pub(crate) fn set_s_time_gran(&mut self, nsec: u32) {
        // SAFETY: As in `set_s_magic()`.
        unsafe { (*self.0).s_time_gran = nsec };
    }

    /// Makes a page the block size.
    pub(crate) fn set_s_blocksize_to_page(&mut self) {
        // SAFETY: As in `set_s_magic()`.
        unsafe {
            (*self.0).s_blocksize_bits = PAGE_SHIFT as u8;
            (*self.0).s_blocksize = PAGE_SIZE;
        }
    }

    /// Sets the block size of the device and the filesystem (`sb_set_blocksize()`).
    ///
    /// # Errors
    ///
    /// EINVAL if it has no block device, or the device no such blocks.
    #[cfg(CONFIG_BLOCK)]
    pub(crate) fn sb_set_blocksize(&mut self, bytes: u32) -> Result {
        let bytes = i32::try_from(bytes).map_err(|_| EINVAL)?;
        // SAFETY: By the type's invariant; the device is set before the superblock is filled.
        if unsafe { (*self.0).s_bdev.is_null() } {
            return Err(EINVAL);
        }
        // SAFETY: A superblock with a device, which nobody else uses. The function checks the size.
        let set = unsafe { bindings::sb_set_blocksize(self.0, bytes) };
        if set == 0 {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Changes `s_flags`, as far as they are a filesystem's.
    pub(crate) fn change_s_flags(&mut self, clear: usize, set: usize) {
        let flags = self.s_flags() & !(clear & OUR_FLAGS) | (set & OUR_FLAGS);
        // SAFETY: As in `set_s_magic()`; `s_umount` is held, which is what changes to the flags
        // of a superblock take.
        unsafe { (&raw mut (*self.0).s_flags).write_volatile(flags) };
    }

    /// Sets more of `s_iflags`, as far as they are a filesystem's.
    pub(crate) fn add_s_iflags(&mut self, set: usize) {
        // SAFETY: As in `set_s_magic()`.
        unsafe { (*self.0).s_iflags |= set & OUR_IFLAGS };
    }

    /// Sets the part of the type that follows the dot in /proc/mounts.
    pub(crate) fn set_s_subtype(&mut self, subtype: Option<ParamString>) {
        let new = subtype.map_or(ptr::null_mut(), ParamString::into_raw);
        // SAFETY: As in `set_s_magic()`.
        let old = unsafe { ptr::replace(&raw mut (*self.0).s_subtype, new.cast()) };
        // SAFETY: `s_subtype` owns a kmalloc'ed string or is null.
        unsafe { bindings::kfree(old.cast()) };
    }

    /// Gives the superblock a backing device of its own, named after its device number
    /// and `suffix` (`super_setup_bdi_name()`), which may have no more than `max_ratio` percent of
    /// the dirty pages, strictly. It takes the place of a block device's.
    ///
    /// # Errors
    ///
    /// EBUSY if it has one of its own; ENOMEM.
    pub(crate) fn setup_bdi(&mut self, suffix: &CStr, max_ratio: u32) -> Result {
        let sb = self.0;
        // SAFETY: By the type's invariant nobody else uses the fields.
        let (dev, iflags) = unsafe { ((*sb).s_dev, (*sb).s_iflags) };
        if iflags & bindings::SB_I_PERSB_BDI as usize != 0 {
            return Err(EBUSY);
        }
        let none = &raw mut bindings::noop_backing_dev_info;
        // SAFETY: As above. The device is one that does nothing, or that of the block device, to
        // which the superblock has a reference.
        unsafe {
            if (*sb).s_bdi != none {
                bindings::bdi_put((*sb).s_bdi);
                (*sb).s_bdi = none;
            }
        }
        let (major, minor) = (stat::major(dev), stat::minor(dev));
        // SAFETY: The format takes two unsigned numbers and a string; the superblock has no backing
        // device.
        to_result(unsafe {
            let format = c"%u:%u%s".as_char_ptr().cast_mut();
            bindings::super_setup_bdi_name(sb, format, major, minor, suffix.as_char_ptr())
        })?;
        // Dirty pages stay below this device's own share.
        // SAFETY: `super_setup_bdi_name()` has set `s_bdi` to a device that only we know.
        unsafe { (*(*sb).s_bdi).capabilities |= bindings::BDI_CAP_STRICTLIMIT };
        // SAFETY: As above. As in C, a failure (a ratio in use that is too high) is of no concern.
        unsafe { bindings::bdi_set_max_ratio((*sb).s_bdi, max_ratio) };
        Ok(())
    }
}

/// A superblock with its tables of operations, and without root.
///
/// # Invariants
///
/// As for [`NewSuperBlock`], but that it has its tables, and may have inodes and dentries.
pub(crate) struct RootlessSuper<'a, T: Types>(&'a SuperBlock<T>, Brand<'a>);

impl<T: Types> Deref for RootlessSuper<'_, T> {
    type Target = SuperBlock<T>;

    fn deref(&self) -> &SuperBlock<T> {
        self.0
    }
}

impl<'a, T: Types> RootlessSuper<'a, T> {
    /// # Safety
    ///
    /// A new superblock that has just got its tables.
    pub(super) unsafe fn new(sb: &'a SuperBlock<T>) -> Self {
        // INVARIANT: The caller promises it.
        Self(sb, PhantomData)
    }

    /// Makes the dentry of the root inode (`d_make_root()`).
    ///
    /// # Errors
    ///
    /// EINVAL if it is not an inode of this superblock; ENOMEM.
    pub(crate) fn d_make_root(self, inode: ARef<Inode<T>>) -> Result<RootedSuper<'a, T>> {
        if !ptr::eq(inode.sb(), self.0) {
            return Err(EINVAL);
        }
        let inode = ARef::into_raw(inode).cast().as_ptr();
        // SAFETY: A live inode; our reference passes to the dentry, or is dropped on failure.
        let dentry = unsafe { bindings::d_make_root(inode) };
        let dentry = NonNull::new(dentry.cast()).ok_or(ENOMEM)?;
        // SAFETY: The new dentry's reference is ours; its inode, and so the dentry, belongs to this
        // superblock, whose table has given it its data.
        let root = unsafe { ARef::from_raw(dentry) };
        // INVARIANT: As above.
        Ok(RootedSuper {
            sb: self.0,
            root,
            _brand: PhantomData,
        })
    }
}

/// A superblock whose root has been made.
///
/// # Invariants
///
/// As for [`RootlessSuper`]; `root` is the only dentry without parent.
pub(crate) struct RootedSuper<'a, T: Types> {
    sb: &'a SuperBlock<T>,
    root: ARef<Dentry<T>>,
    _brand: Brand<'a>,
}

impl<T: Types> Deref for RootedSuper<'_, T> {
    type Target = SuperBlock<T>;

    fn deref(&self) -> &SuperBlock<T> {
        self.sb
    }
}

impl<'a, T: Types> RootedSuper<'a, T> {
    /// Sets the root (`s_root`). From now on others reach the superblock, by
    /// [`SuperBlock::live`]. Sleeps.
    pub(crate) fn set_s_root(self) -> FilledSuper<'a, T> {
        let root = ARef::into_raw(self.root).cast().as_ptr();
        // SAFETY: The mounter alone sets the field, once, as `self` is consumed. The reference
        // passes to the superblock, whose shutdown drops it.
        unsafe { (*self.sb.as_ptr()).s_root = root };
        // SAFETY: It has its root now, and by the contract of `NewSuperBlock::from_raw()` it is
        // shut down by `DyingSuper`.
        unsafe { FilledSuper::new(self.sb) }
    }
}

/// A superblock that is complete.
///
/// # Invariants
///
/// It has its tables and its root.
pub(crate) struct FilledSuper<'a, T: SuperTypes>(&'a SuperBlock<T>, Brand<'a>);

impl<T: SuperTypes> Deref for FilledSuper<'_, T> {
    type Target = SuperBlock<T>;

    fn deref(&self) -> &SuperBlock<T> {
        self.0
    }
}

impl<'a, T: SuperTypes> FilledSuper<'a, T> {
    /// Lets others reach it.
    ///
    /// # Safety
    ///
    /// It has its tables and its root, and is shut down by [`DyingSuper`].
    pub(super) unsafe fn new(sb: &'a SuperBlock<T>) -> Self {
        // SAFETY: The caller promises it; `DyingSuper::new()` calls `clear()`.
        unsafe { sb.live().set(sb) };
        // INVARIANT: The caller promises it.
        Self(sb, PhantomData)
    }
}

/// A superblock that is about to be shut down: in which state ever, so that it may have neither
/// tables nor a root. From outside, nobody reaches it any more.
///
/// # Invariants
///
/// `s_fs_info` is set for `T`; `s_umount` is held for writing.
pub(crate) struct DyingSuper<'a, T: SuperTypes>(
    *mut bindings::super_block,
    PhantomData<&'a SuperBlock<T>>,
);

impl<T: SuperTypes> DyingSuper<'_, T> {
    /// Waits until nobody reaches the superblock any more. Sleeps.
    ///
    /// # Safety
    ///
    /// The type's invariant holds, for `'a`.
    pub(super) unsafe fn new(ptr: *mut bindings::super_block) -> Self {
        // INVARIANT: The caller promises it.
        let sb = Self(ptr, PhantomData);
        sb.live().clear();
        sb
    }

    /// What `s_fs_info` points to.
    pub(super) fn object(&self) -> &SuperObject<T> {
        // SAFETY: By the type's invariant.
        unsafe { SuperObject::of(self.0) }
    }

    /// The filesystem's own data (`s_fs_info`).
    pub(crate) fn data(&self) -> &T::Super {
        &self.object().data
    }

    /// The handle by which it was reached.
    pub(crate) fn live(&self) -> &Arc<LiveSuper<T>> {
        &self.object().live
    }

    /// The device number, unique among superblocks (`s_dev`).
    pub(crate) fn s_dev(&self) -> u32 {
        // SAFETY: Written by `sget_fc()` before anyone sees the superblock.
        unsafe { (*self.0).s_dev }
    }

    /// Whether it was set up so far that it has a root.
    pub(crate) fn has_root(&self) -> bool {
        // SAFETY: `s_root` is written by the mounter, who is through, and when it is shut down.
        unsafe { !(*self.0).s_root.is_null() }
    }
}
