// SPDX-License-Identifier: GPL-2.0

//! A miscellaneous character device with a fixed minor number.
//!
//! C headers: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h),
//! [`include/linux/poll.h`](srctree/include/linux/poll.h).
//!
//! The kernel crate's `MiscDevice` has dynamic minors only, no splice, poll or fasync. Its
//! `PollTable` registers a `PollCondVar` only, whose waits are those of a condition variable (see
//! [`wait`](crate::kapi::sync::wait)), and whose end costs a grace period. C rules encoded here:
//!
//! - `private_data` is the driver's from a successful `open` to `release`, around which no other
//!   operation runs.
//! - A wait queue that was given to `poll_wait()` outlives the file.
//! - `fasync` takes a file off the list that it has put it on: always the same one.
//! - read(2) and write(2) of a device run under `fdget_pos()` without `f_pos_lock`, also in several
//!   threads at once: such a file is neither a `kernel::fs::File` nor a `LocalFile` (their
//!   invariants), so the operations get what they want to know of it.

use super::fasync::Fasync;
use crate::{
    bindings,
    kapi::{
        io::{
            pipe_fs_i::{
                LockedPipe,
                Pipe, //
            },
            splice::SpliceFlags, //
        },
        mm::iov::{
            Dest,
            IovIter,
            Source, //
        },
        sync::{
            poll::PollEvents,
            wait::WaitQueue, //
        },
    },
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_long,
        c_uint,
        c_ulong,
        c_void, //
    },
    fs::LocalFile,
    module::{
        this_module,
        ModuleMetadata, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full, //
        },
        Arc,
        ArcBorrow, //
    },
    types::{
        ForeignOwnable,
        Opaque, //
    },
};

/// A device's operations. `Self` is what each open file has. It is only ever borrowed as long as
/// the file is open, so that what is borrowed from it stays where it is.
pub(crate) trait MiscDevice: Send + Sync + Sized + 'static {
    /// The module that must stay while files are open.
    type OwnerModule: ModuleMetadata;

    /// The file's data. Anything else that the file needs is made later.
    fn open() -> impl PinInit<Self>;

    /// read(2) and its like. `nonblock` is `O_NONBLOCK`.
    fn read_iter(&self, nonblock: bool, to: &mut IovIter<Dest>) -> Result<usize>;

    /// write(2) and its like.
    fn write_iter(&self, from: &mut IovIter<Source>) -> Result<usize>;

    /// splice(2) to a pipe, of at most `len` bytes. `nonblock` is `O_NONBLOCK` of the device's
    /// file.
    fn splice_read(&self, nonblock: bool, to: &LockedPipe, len: usize) -> Result<usize>;

    /// splice(2) from a pipe.
    fn splice_write(&self, from: &Pipe, len: usize, flags: SpliceFlags) -> Result<usize>;

    /// Who gets SIGIO when the result of [`poll`](Self::poll) changes. The first list that is named
    /// is the file's for good. May sleep.
    fn fasync(&self) -> Result<&Fasync>;

    /// The queue whose waiters are to be woken when the result of [`poll`](Self::poll) changes. May
    /// sleep.
    fn poll_queue(&self) -> Option<&WaitQueue>;

    /// What would not block.
    fn poll(&self) -> PollEvents;

    /// ioctl(2). `arg` is as the caller gave it; a pointer of a 32-bit caller has been widened.
    fn ioctl(&self, cmd: u32, arg: usize) -> Result<isize>;

    /// A command of io_uring's. It is to be refused: the command itself is not passed on.
    fn uring_cmd() -> Result<i32>;

    /// A file's lines in `/proc/PID/fdinfo`.
    fn show_fdinfo(&self, m: &SeqFile);

    /// The file is closed; no other operation runs or will run.
    fn release(&self);
}

/// What an open file has: the device's part, and what is remembered here.
///
/// # Invariants
///
/// `list` is null or was borrowed from `data`, and does not change any more.
#[pin_data]
pub(crate) struct MiscFile<D> {
    /// The list on which the file is if its owner wants SIGIO.
    list: Atomic<*mut Fasync>,
    #[pin]
    data: D,
}

impl<D> Deref for MiscFile<D> {
    type Target = D;

    #[inline]
    fn deref(&self) -> &D {
        &self.data
    }
}

impl<D: MiscDevice> MiscFile<D> {
    /// The list that the file is on or will be: always the same.
    fn fasync_list(&self) -> Result<&Fasync> {
        let mut list = self.list.load(Acquire);
        if list.is_null() {
            let named = ptr::from_ref(self.data.fasync()?).cast_mut();
            // Two threads at once: the first one decides.
            list = match self.list.cmpxchg(list, named, Full) {
                Ok(_) => named,
                Err(first) => first,
            };
        }
        // SAFETY: By the type's invariant it was borrowed from the data, which is only borrowed as
        // long as it exists.
        Ok(unsafe { &*list })
    }
}

/// A registered device.
///
/// # Invariants
///
/// `device` is registered, from its initialisation until it is dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct MiscDeviceRegistration<D: MiscDevice> {
    #[pin]
    device: Opaque<bindings::miscdevice>,
    _operations: PhantomData<D>,
}

// SAFETY: Registering and deregistering may happen on different threads.
unsafe impl<D: MiscDevice> Send for MiscDeviceRegistration<D> {}
// SAFETY: Offers nothing by shared reference.
unsafe impl<D: MiscDevice> Sync for MiscDeviceRegistration<D> {}

impl<D: MiscDevice> MiscDeviceRegistration<D> {
    /// `misc_register()`, until dropped.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody has the minor.
    pub(crate) fn register(name: &'static CStr, minor: c_int) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                let device = bindings::miscdevice {
                    minor,
                    name: name.as_char_ptr(),
                    fops: operations::<D>(),
                    ..pin_init::zeroed()
                };
                // SAFETY: `slot` is the final place of the device.
                unsafe { slot.write(device) };
                // SAFETY: As above; `drop` takes the device off before the memory goes.
                to_result(unsafe { bindings::misc_register(slot) })
            }),
            _operations: PhantomData,
        })
    }
}

#[pinned_drop]
impl<D: MiscDevice> PinnedDrop for MiscDeviceRegistration<D> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type's invariant.
        unsafe { bindings::misc_deregister(self.device.get()) };
    }
}

/// The one table of a device. Not inlined, so that there is one, and its address tells.
#[inline(never)]
fn operations<D: MiscDevice>() -> &'static bindings::file_operations {
    const {
        &bindings::file_operations {
            owner: this_module::<D::OwnerModule>().as_ptr(),
            open: Some(open::<D>),
            read_iter: Some(read_iter::<D>),
            write_iter: Some(write_iter::<D>),
            splice_read: Some(splice_read::<D>),
            splice_write: Some(splice_write::<D>),
            poll: Some(poll::<D>),
            fasync: Some(fasync::<D>),
            unlocked_ioctl: Some(ioctl::<D>),
            compat_ioctl: bindings::compat_ptr_ioctl,
            uring_cmd: Some(uring_cmd::<D>),
            show_fdinfo: Some(show_fdinfo::<D>),
            release: Some(release::<D>),
            ..pin_init::zeroed()
        }
    }
}

/// What a file has, if it is open on this device.
pub(crate) fn file_data<D: MiscDevice>(file: &LocalFile) -> Option<Arc<MiscFile<D>>> {
    let file = file.as_ptr();
    // SAFETY: The file is valid. Its operations do not change after open.
    if unsafe { (*file).f_op } != ptr::from_ref(operations::<D>()) {
        return None;
    }
    // SAFETY: Our operations, so `open()` has set the data, and the reference to the file keeps
    // `release()` away.
    let data = unsafe { Arc::<MiscFile<D>>::borrow((*file).private_data) };
    Some(data.into())
}

/// What the file has.
///
/// # Safety
///
/// `file` is open on the device of `D`, during `'a`.
unsafe fn borrow<'a, D: MiscDevice>(file: *mut bindings::file) -> ArcBorrow<'a, MiscFile<D>> {
    // SAFETY: By the contract; `open()` has set it.
    unsafe { Arc::<MiscFile<D>>::borrow((*file).private_data) }
}

/// `O_NONBLOCK` of a file.
///
/// # Safety
///
/// `file` is open.
unsafe fn is_nonblock(file: *mut bindings::file) -> bool {
    // SAFETY: By the contract. The field is 32 bits, read at once, as C reads it: fcntl(2) may
    // change it meanwhile.
    let flags = unsafe { (&raw const (*file).f_flags).read_volatile() };
    flags & bindings::O_NONBLOCK != 0
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn open<D: MiscDevice>(
    _inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    from_result(|| {
        let data = Arc::pin_init(
            pin_init!(MiscFile {
                list: Atomic::new(ptr::null_mut()),
                data <- D::open(),
            }),
            GFP_KERNEL,
        )?;
        let data: *mut c_void = data.into_foreign().cast();
        // SAFETY: The VFS lets `open` set the field.
        unsafe { (*file).private_data = data };
        Ok(0)
    })
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn release<D: MiscDevice>(
    _inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: Set by `open()`; the last call for this file.
    let data = unsafe { Arc::<MiscFile<D>>::from_foreign((*file).private_data) };
    data.release();
    0
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn read_iter<D: MiscDevice>(
    kiocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: The VFS passes an open file of ours and an iterator for the time of the call, a
    // destination in `read_iter`.
    let (nonblock, data, iter) = unsafe {
        let file = (*kiocb).ki_filp;
        (
            is_nonblock(file),
            borrow::<D>(file),
            IovIter::from_raw(iter),
        )
    };
    from_result(|| {
        Ok(data
            .read_iter(nonblock, iter)?
            .try_into()
            .unwrap_or(isize::MAX))
    })
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn write_iter<D: MiscDevice>(
    kiocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: As in `read_iter()`; a source in `write_iter`.
    let (data, iter) = unsafe { (borrow::<D>((*kiocb).ki_filp), IovIter::from_raw(iter)) };
    from_result(|| Ok(data.write_iter(iter)?.try_into().unwrap_or(isize::MAX)))
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn splice_read<D: MiscDevice>(
    file: *mut bindings::file,
    _pos: *mut bindings::loff_t,
    pipe: *mut bindings::pipe_inode_info,
    len: usize,
    _flags: c_uint,
) -> isize {
    // SAFETY: The VFS passes an open file of ours and a pipe, which it has locked, or which is the
    // current task's own.
    let (nonblock, data, pipe) = unsafe {
        (
            is_nonblock(file),
            borrow::<D>(file),
            LockedPipe::from_raw(pipe),
        )
    };
    from_result(|| {
        Ok(data
            .splice_read(nonblock, pipe, len)?
            .try_into()
            .unwrap_or(isize::MAX))
    })
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn splice_write<D: MiscDevice>(
    pipe: *mut bindings::pipe_inode_info,
    file: *mut bindings::file,
    _pos: *mut bindings::loff_t,
    len: usize,
    flags: c_uint,
) -> isize {
    // SAFETY: The VFS passes an open file of ours and a pipe, not locked.
    let (data, pipe) = unsafe { (borrow::<D>(file), Pipe::from_raw(pipe)) };
    from_result(|| {
        Ok(data
            .splice_write(pipe, len, SpliceFlags::from_raw(flags))?
            .try_into()
            .unwrap_or(isize::MAX))
    })
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn fasync<D: MiscDevice>(
    fd: c_int,
    file: *mut bindings::file,
    on: c_int,
) -> c_int {
    // SAFETY: The VFS passes an open file of ours.
    let data = unsafe { borrow::<D>(file) };
    // It is on no list. `__fput()` asks this of a file that was opened with O_ASYNC, too, in tasks
    // that must not wait: dying ones, and the work item that closes files for the whole machine.
    if on == 0 && data.list.load(Acquire).is_null() {
        return 0;
    }
    from_result(|| {
        // SAFETY: As above; the list is borrowed from the file's data, and always the same, so that
        // the VFS takes the file off it before `release()`.
        unsafe { data.fasync_list()?.helper(fd, file, on) }
    })
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn poll<D: MiscDevice>(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: The VFS passes an open file of ours.
    let data = unsafe { borrow::<D>(file) };
    if let Some(queue) = data.poll_queue() {
        // SAFETY: File and table are valid; the queue is borrowed from the file's data, which is
        // there for longer than the file can be polled.
        unsafe { bindings::poll_wait(file, queue.as_ptr(), table) };
    }
    data.poll().to_raw()
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn ioctl<D: MiscDevice>(
    file: *mut bindings::file,
    cmd: c_uint,
    arg: c_ulong,
) -> c_long {
    // SAFETY: The VFS passes an open file of ours.
    let data = unsafe { borrow::<D>(file) };
    from_result(|| data.ioctl(cmd, arg))
}

/// # Safety
///
/// Called by io_uring.
unsafe extern "C" fn uring_cmd<D: MiscDevice>(
    _cmd: *mut bindings::io_uring_cmd,
    _issue_flags: c_uint,
) -> c_int {
    from_result(D::uring_cmd)
}

/// # Safety
///
/// Called by the VFS.
unsafe extern "C" fn show_fdinfo<D: MiscDevice>(
    m: *mut bindings::seq_file,
    file: *mut bindings::file,
) {
    // SAFETY: The VFS passes an open file of ours and a valid sequence file.
    let (data, m) = unsafe { (borrow::<D>(file), SeqFile::from_raw(m)) };
    data.show_fdinfo(m);
}
