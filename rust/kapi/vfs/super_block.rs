// SPDX-License-Identifier: GPL-2.0

//! Superblocks.
//!
//! C headers: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h),
//! [`include/linux/backing-dev.h`](srctree/include/linux/backing-dev.h).
//!
//! C rules encoded here:
//! - `s_fs_info` is set by `sget_fc()` before anyone can see the superblock. It is freed a grace
//!   period after `kill_anon_super()`, since RCU walk and `sget_fc()`'s test read it.
//! - A superblock is set up by the mounting task alone, with `s_umount` held ([`NewSuperBlock`]).
//! - Whoever reaches a superblock from elsewhere than the VFS (a daemon's message) does so with the
//!   killsb semaphore held for reading ([`LiveSuper`]), which `kill_sb` takes for writing first.

use super::{
    dentry::Dentry,
    dentry_tree::DentryTree,
    fs_parameter::ParamString,
    inode::Inode,
    stat,
    types::Types, //
};
use crate::{
    bindings,
    kapi::{
        mm::backing_dev::BackingDevInfo,
        sync::{
            rcu::RcuBox,
            rwsem::RwSem, //
        },
        task::user_namespace::UserNamespace, //
    },
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr, //
};
use kernel::{
    error::to_result,
    prelude::*,
    static_lock_class,
    sync::{
        aref::ARef,
        Arc, //
    },
    types::Opaque, //
};

/// `SB_RDONLY` of [`SuperBlock::s_flags`].
pub(super) const SB_RDONLY: usize = bindings::FUSE_CONST_SB_RDONLY;
/// `SB_MANDLOCK`: asked for by `mand`, which is no longer supported.
pub(crate) const SB_MANDLOCK: usize = bindings::FUSE_CONST_SB_MANDLOCK;
/// `SB_POSIXACL`: the filesystem applies the umask itself.
pub(crate) const SB_POSIXACL: usize = bindings::FUSE_CONST_SB_POSIXACL;
/// `SB_I_VERSION`: `i_version` is kept by the VFS.
pub(crate) const SB_I_VERSION: usize = bindings::FUSE_CONST_SB_I_VERSION;
/// `SB_NOSEC`: no file is set-id or has capabilities unless it says so.
pub(crate) const SB_NOSEC: usize = bindings::FUSE_CONST_SB_NOSEC;
/// `SB_ACTIVE`: neither being set up nor being unmounted.
pub(super) const SB_ACTIVE: usize = bindings::FUSE_CONST_SB_ACTIVE;

/// `SB_I_IMA_UNVERIFIABLE_SIGNATURE` of `s_iflags`.
pub(crate) const SB_I_IMA_UNVERIFIABLE_SIGNATURE: usize =
    bindings::SB_I_IMA_UNVERIFIABLE_SIGNATURE as usize;
/// `SB_I_UNTRUSTED_MOUNTER`.
pub(crate) const SB_I_UNTRUSTED_MOUNTER: usize = bindings::SB_I_UNTRUSTED_MOUNTER as usize;
/// `SB_I_NOIDMAP`: no idmapped mounts.
pub(crate) const SB_I_NOIDMAP: usize = bindings::SB_I_NOIDMAP as usize;
/// `SB_I_NO_DATA_INTEGRITY`: `sync()` guarantees nothing.
pub(crate) const SB_I_NO_DATA_INTEGRITY: usize = bindings::SB_I_NO_DATA_INTEGRITY as usize;

/// `MAX_LFS_FILESIZE`: the largest size that the page cache can hold.
pub(crate) const MAX_LFS_FILESIZE: i64 = bindings::FUSE_CONST_MAX_LFS_FILESIZE;

/// What `s_fs_info` points to.
pub(super) struct SuperObject<T: Types> {
    data: T::Super,
    live: Arc<LiveSuper<T>>,
}

impl<T: Types> SuperObject<T> {
    /// Wraps a filesystem's data for `s_fs_info`.
    pub(super) fn new(data: T::Super) -> Result<RcuBox<Self>> {
        let live = Arc::pin_init(LiveSuper::new(), GFP_KERNEL)?;
        RcuBox::new(Self { data, live }, GFP_KERNEL)
    }
}

/// A `struct super_block` of a filesystem with the private types `T`.
///
/// # Invariants
///
/// `s_fs_info` points to a live [`SuperObject<T>`]: it is set by `sget_fc()` before anyone sees the
/// superblock, and freed a grace period after `kill_sb`, so that RCU walk may read it.
#[repr(transparent)]
pub(crate) struct SuperBlock<T: Types>(Opaque<bindings::super_block>, PhantomData<T>);

// SAFETY: `struct super_block` is shared between threads by design; what this type offers takes
// the locks it needs or reads fields that do not change while the superblock is live.
unsafe impl<T: Types> Send for SuperBlock<T> {}
// SAFETY: As above.
unsafe impl<T: Types> Sync for SuperBlock<T> {}

impl<T: Types> SuperBlock<T> {
    /// Borrows a superblock.
    ///
    /// # Safety
    ///
    /// `ptr` is a superblock of a filesystem type registered for `T`, with `s_fs_info` set, and
    /// stays alive for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::super_block) -> &'a Self {
        // SAFETY: The caller promises a live superblock of the right type; the layout is that of
        // `struct super_block`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::super_block {
        self.0.get()
    }

    /// What `s_fs_info` points to.
    fn object(&self) -> &SuperObject<T> {
        // SAFETY: By the type's invariant `s_fs_info` points to a `SuperObject<T>` that outlives
        // every borrow of the superblock.
        unsafe { &*(*self.as_ptr()).s_fs_info.cast() }
    }

    /// The filesystem's own data (`s_fs_info`).
    pub(crate) fn data(&self) -> &T::Super {
        &self.object().data
    }

    /// A handle to reach this superblock with later, from outside of the VFS.
    pub(crate) fn live(&self) -> &Arc<LiveSuper<T>> {
        &self.object().live
    }

    /// The device number, unique among superblocks (`s_dev`).
    pub(crate) fn s_dev(&self) -> u32 {
        // SAFETY: Written by `sget_fc()` before anyone sees the superblock.
        unsafe { (*self.as_ptr()).s_dev }
    }

    /// The namespace that the mounter was in (`s_user_ns`).
    pub(crate) fn s_user_ns(&self) -> &UserNamespace {
        // SAFETY: Set by `alloc_super()`, referenced as long as the superblock lives.
        unsafe { UserNamespace::from_raw((*self.as_ptr()).s_user_ns) }
    }

    /// `SB_*`. Some of them change at any time; C reads them without a lock too.
    pub(crate) fn s_flags(&self) -> usize {
        // SAFETY: A live superblock; an aligned word is read at once.
        unsafe { (&raw const (*self.as_ptr()).s_flags).read_volatile() }
    }

    /// `SB_I_*`.
    fn s_iflags(&self) -> usize {
        // SAFETY: As in `s_flags()`.
        unsafe { (&raw const (*self.as_ptr()).s_iflags).read_volatile() }
    }

    /// Whether the superblock has been set up so far that it has a root.
    pub(crate) fn has_root(&self) -> bool {
        // SAFETY: A live superblock; `s_root` is written by its mounter and when it is shut down,
        // neither of which runs beside our callbacks that ask this.
        unsafe { !(*self.as_ptr()).s_root.is_null() }
    }

    /// The granularity of times, in nanoseconds (`s_time_gran`).
    pub(crate) fn set_s_time_gran(&self, nsec: u32) {
        // SAFETY: A live superblock. C writes this field without a lock when INIT is answered, and
        // reads it without.
        unsafe { (&raw mut (*self.as_ptr()).s_time_gran).write_volatile(nsec) };
    }

    /// The backing device (`s_bdi`).
    pub(crate) fn bdi(&self) -> &BackingDevInfo {
        // SAFETY: `s_bdi` always points to a backing device (at first to one that does nothing),
        // which the superblock references until it is shut down.
        unsafe { BackingDevInfo::from_raw((*self.as_ptr()).s_bdi) }
    }

    /// Writes back what is dirty (`sync_filesystem()`). Caller holds `s_umount`.
    pub(super) fn sync_filesystem(&self) -> Result {
        // SAFETY: Called from `reconfigure`, which holds `s_umount` for writing.
        to_result(unsafe { bindings::sync_filesystem(self.as_ptr()) })
    }
}

/// A superblock while its mounter sets it up: `s_umount` is held and nobody else uses it.
pub(crate) struct NewSuperBlock<'a, T: Types>(&'a SuperBlock<T>);

impl<T: Types> Deref for NewSuperBlock<'_, T> {
    type Target = SuperBlock<T>;

    fn deref(&self) -> &SuperBlock<T> {
        self.0
    }
}

impl<'a, T: Types> NewSuperBlock<'a, T> {
    /// # Safety
    ///
    /// `ptr` is as for [`SuperBlock::from_raw`], fresh from `sget_fc()`, with `s_umount` held for
    /// writing for `'a`.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::super_block) -> Self {
        // SAFETY: The caller promises it.
        Self(unsafe { SuperBlock::from_raw(ptr) })
    }

    /// Sets what `statfs()` calls the filesystem's type.
    pub(crate) fn set_s_magic(&mut self, magic: u32) {
        // SAFETY: Only the mounter uses these fields of a superblock that is being set up; what
        // others see of it (`sget_fc()`: the lists, the flags, `s_fs_info`) is not written here.
        unsafe { (*self.0.as_ptr()).s_magic = magic as usize };
    }

    /// Sets the largest size of a file.
    pub(crate) fn set_s_maxbytes(&mut self, bytes: i64) {
        // SAFETY: As in `set_s_magic()`.
        unsafe { (*self.0.as_ptr()).s_maxbytes = bytes };
    }

    /// Sets the block size, a power of two.
    pub(crate) fn set_s_blocksize_bits(&mut self, bits: u8) {
        let sb = self.0.as_ptr();
        // SAFETY: As in `set_s_magic()`.
        unsafe { (*sb).s_blocksize_bits = bits };
        // SAFETY: As in `set_s_magic()`.
        unsafe { (*sb).s_blocksize = 1usize.wrapping_shl(bits.into()) };
    }

    /// Changes `s_flags`.
    pub(crate) fn change_s_flags(&mut self, clear: usize, set: usize) {
        let flags = self.0.s_flags() & !clear | set;
        // SAFETY: As in `set_s_magic()`; `s_umount` is held, which is what changes to the flags
        // of a superblock take.
        unsafe { (&raw mut (*self.0.as_ptr()).s_flags).write_volatile(flags) };
    }

    /// Sets more of `s_iflags`.
    pub(crate) fn add_s_iflags(&mut self, set: usize) {
        let flags = self.0.s_iflags() | set;
        // SAFETY: As in `change_s_flags()`.
        unsafe { (&raw mut (*self.0.as_ptr()).s_iflags).write_volatile(flags) };
    }

    /// Sets the part of the type that follows the dot in /proc/mounts.
    pub(crate) fn set_s_subtype(&mut self, subtype: Option<ParamString>) {
        let new = subtype.map_or(ptr::null_mut(), ParamString::into_raw);
        // SAFETY: As in `set_s_magic()`.
        let old = unsafe { ptr::replace(&raw mut (*self.0.as_ptr()).s_subtype, new.cast()) };
        // SAFETY: `s_subtype` owns a kmalloc'ed string or is null.
        unsafe { bindings::kfree(old.cast()) };
    }

    /// Gives the superblock a backing device of its own, named after its device number
    /// (`super_setup_bdi_name()`), which may have no more than `max_ratio` percent of the dirty
    /// pages, strictly.
    pub(crate) fn setup_bdi(&mut self, max_ratio: u32) -> Result {
        let sb = self.0.as_ptr();
        let dev = self.0.s_dev();
        let (major, minor) = (stat::major(dev), stat::minor(dev));
        // SAFETY: The format takes two unsigned numbers; the superblock has no backing device yet,
        // as this is called once, from `fill_super`.
        to_result(unsafe {
            bindings::super_setup_bdi_name(sb, c"%u:%u".as_char_ptr().cast_mut(), major, minor)
        })?;
        // Dirty pages stay below this device's own share.
        // SAFETY: `super_setup_bdi_name()` has set `s_bdi` to a device that only we know.
        unsafe { (*(*sb).s_bdi).capabilities |= bindings::BDI_CAP_STRICTLIMIT };
        // SAFETY: As above. As in C, a failure (a ratio in use that is too high) is of no concern.
        unsafe { bindings::bdi_set_max_ratio((*sb).s_bdi, max_ratio) };
        Ok(())
    }

    /// Makes the dentry of a root inode (`d_make_root()`), to be given to [`Self::set_s_root`].
    /// The operations of dentries must have been set.
    pub(crate) fn d_make_root(&mut self, inode: ARef<Inode<T>>) -> Result<ARef<Dentry<T>>> {
        let inode = ARef::into_raw(inode);
        // SAFETY: A live inode: we hold the reference.
        let inode = unsafe { inode.as_ref() }.as_ptr();
        // SAFETY: Our reference to the inode passes to the dentry, or is dropped on failure.
        let dentry = unsafe { bindings::d_make_root(inode) };
        let dentry = ptr::NonNull::new(dentry).ok_or(ENOMEM)?;
        // SAFETY: The new dentry's reference is ours; its inode, and so the dentry, belongs to this
        // filesystem; `Dentry<T>` has the layout of `struct dentry`.
        Ok(unsafe { ARef::from_raw(dentry.cast()) })
    }

    /// Sets the root. From now on the superblock must be shut down, with its inodes evicted.
    pub(crate) fn set_s_root(&mut self, root: ARef<Dentry<T>>) {
        let root = ARef::into_raw(root);
        // SAFETY: A live dentry: we hold the reference.
        let root = unsafe { root.as_ref() }.as_ptr();
        // SAFETY: As in `set_s_magic()`. The reference passes to the superblock, whose shutdown
        // drops it.
        unsafe { (*self.0.as_ptr()).s_root = root };
    }
}

/// The way to a superblock for those that the VFS has not called: `with()` works until `kill_sb`.
///
/// C counterpart: `fuse_conn::killsb` with `fuse_mount::sb`.
///
/// # Invariants
///
/// The pointer, if any, is to a superblock that is not yet being shut down by `kill_anon_super()`.
#[pin_data]
pub(crate) struct LiveSuper<T: Types> {
    #[pin]
    killsb: RwSem<SbPtr<T>>,
    #[pin]
    tree: DentryTree,
}

/// The pointer in a [`LiveSuper`]; null when there is no superblock.
struct SbPtr<T: Types>(*const SuperBlock<T>);

// SAFETY: A superblock is used by any thread; the semaphore keeps it alive for the borrower.
unsafe impl<T: Types> Send for SbPtr<T> {}
// SAFETY: As above.
unsafe impl<T: Types> Sync for SbPtr<T> {}

impl<T: Types> LiveSuper<T> {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            killsb <- RwSem::new(
                SbPtr(ptr::null()),
                c"LiveSuper::killsb",
                static_lock_class!(),
            ),
            tree <- DentryTree::new(),
        })
    }

    /// The superblock's dentries by time.
    pub(super) fn tree(&self) -> &DentryTree {
        &self.tree
    }

    /// Calls `f` with the superblock, which is not shut down meanwhile; `None` if there is none,
    /// or not any more. Sleeps.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&SuperBlock<T>) -> R) -> Option<R> {
        let sb = self.killsb.read();
        // SAFETY: By the type's invariant, and `clear()` waits for the semaphore.
        unsafe { sb.0.as_ref() }.map(f)
    }
}

/// Makes a fresh superblock reachable.
///
/// # Safety
///
/// `clear()` will be called before the superblock is shut down.
pub(super) unsafe fn set_live<T: Types>(sb: &SuperBlock<T>) {
    // INVARIANT: The superblock is being mounted, and the caller promises the rest.
    sb.live().killsb.write().0 = sb;
}

/// Takes the way to a superblock away, and waits until nobody is on it.
pub(super) fn clear_live<T: Types>(sb: &SuperBlock<T>) {
    sb.live().killsb.write().0 = ptr::null();
}
