// SPDX-License-Identifier: GPL-2.0

//! The operations of open files: `struct file_operations`.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use super::{
    dentry_lookup::LockedDir,
    dir_context::DirContext,
    file::{
        ssize_from,
        File,
        FlOwner,
        OpeningFile,
        ReleasedFile, //
    },
    file_lock::{
        FileLock,
        Flock,
        Locked,
        Posix, //
    },
    inode::Inode,
    kiocb::Kiocb,
    poll::PollTable,
    types::Types, //
};
use crate::{
    bindings,
    kapi::{
        mm::iov::{
            Dest,
            IovIter,
            Source, //
        },
        sync::poll::PollEvents, //
    },
};
use core::marker::PhantomData;
use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    ffi::{
        c_int,
        c_long,
        c_uint,
        c_ulong, //
    },
    mm::virt::VmaNew,
    module::this_module,
    prelude::*,
    sync::Arc, //
};

/// What is to be done with a POSIX lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockCommand {
    /// F_GETLK: the request becomes a lock that is in the way, or F_UNLCK.
    Get,
    /// F_SETLK and F_SETLKW: it is taken, or given back. Which of the two says the request, too.
    Set,
    /// F_CANCELLK: a lock manager does not wait any more.
    Cancel,
}

impl LockCommand {
    fn from_raw(cmd: c_int) -> Self {
        match cmd as u32 {
            bindings::F_GETLK => Self::Get,
            bindings::F_CANCELLK => Self::Cancel,
            _ => Self::Set,
        }
    }
}

/// The operations of an open file. All are called in task context and may sleep.
#[vtable]
pub(crate) trait FileOperations<T: Types>: 'static {
    /// Moves the position; the VFS holds `f_pos_lock` where the file's mode asks for it.
    fn llseek(_file: &File<T>, _offset: i64, _whence: i32) -> Result<i64> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads at the position of `iocb`, and moves it.
    fn read_iter(_iocb: &mut Kiocb<'_, T>, _to: &mut IovIter<Dest>) -> Result<usize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes at the position of `iocb`, and moves it.
    fn write_iter(_iocb: &mut Kiocb<'_, T>, _from: &mut IovIter<Source>) -> Result<usize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads entries of a directory into `ctx`, from its position on; `i_rwsem` is held shared.
    fn iterate_shared(_file: &File<T>, _dir: &LockedDir<'_, T>, _ctx: &mut DirContext) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Carries out a command that the VFS does not know; gives what ioctl(2) returns, which may be
    /// an error, too. ENOIOCTLCMD becomes ENOTTY.
    fn unlocked_ioctl(_file: &File<T>, _cmd: u32, _arg: usize) -> Result<i32> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The same for a task of 32 bits in a kernel of 64.
    fn compat_ioctl(_file: &File<T>, _cmd: u32, _arg: usize) -> Result<i32> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// What the file is ready for; the caller may be put on a queue, to ask again when it is woken
    /// up. For as long as an epoll waits for the file, its mutexes may be held.
    fn poll(_table: &PollTable<'_, T>) -> PollEvents {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets a new mapping up; called with `mmap_lock` held for writing.
    fn mmap(_file: &File<T>, _vma: &VmaNew) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Opens a file. What it returns becomes the file's private data.
    fn open(inode: &Inode<T>, file: &OpeningFile<T>) -> Result<Arc<T::File>>;

    /// A descriptor of the file is closed; the error is what `close(2)` returns.
    fn flush(_file: &File<T>, _id: FlOwner) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The last reference to the file is gone. `data` is what `open` returned.
    fn release(inode: &Inode<T>, file: &ReleasedFile<T>, data: Arc<T::File>);

    /// Makes the bytes from `start` to `end` (included), and unless `datasync` all that is known
    /// about the file, safe.
    fn fsync(_file: &File<T>, _start: i64, _end: i64, _datasync: bool) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Does something with a POSIX lock, or asks for one.
    fn lock(_file: &File<T>, _cmd: LockCommand, _fl: &FileLock<Posix>) -> Result<Locked> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Takes a lock of `flock(2)`, or gives it back.
    fn flock(_file: &File<T>, _fl: &FileLock<Flock>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A `struct file_operations`. It lives in a `static`, and files use it by reference.
#[repr(transparent)]
pub(crate) struct FileOperationsTable<T: Types>(bindings::file_operations, PhantomData<T>);

// SAFETY: The table is never written to after it was built.
unsafe impl<T: Types> Sync for FileOperationsTable<T> {}

impl<T: Types> FileOperationsTable<T> {
    /// The table of `O`'s operations, with the module as owner.
    pub(crate) const fn new<O: FileOperations<T>>() -> Self {
        let table = bindings::file_operations {
            owner: this_module::<O::OwnerModule>().as_ptr(),
            llseek: if O::HAS_LLSEEK {
                Some(llseek::<T, O>)
            } else {
                None
            },
            read_iter: if O::HAS_READ_ITER {
                Some(read_iter::<T, O>)
            } else {
                None
            },
            write_iter: if O::HAS_WRITE_ITER {
                Some(write_iter::<T, O>)
            } else {
                None
            },
            iterate_shared: if O::HAS_ITERATE_SHARED {
                Some(iterate_shared::<T, O>)
            } else {
                None
            },
            unlocked_ioctl: if O::HAS_UNLOCKED_IOCTL {
                Some(unlocked_ioctl::<T, O>)
            } else {
                None
            },
            compat_ioctl: if O::HAS_COMPAT_IOCTL {
                Some(compat_ioctl::<T, O>)
            } else {
                None
            },
            poll: if O::HAS_POLL {
                Some(poll::<T, O>)
            } else {
                None
            },
            mmap: if O::HAS_MMAP {
                Some(mmap::<T, O>)
            } else {
                None
            },
            open: Some(open::<T, O>),
            flush: if O::HAS_FLUSH {
                Some(flush::<T, O>)
            } else {
                None
            },
            release: Some(release::<T, O>),
            fsync: if O::HAS_FSYNC {
                Some(fsync::<T, O>)
            } else {
                None
            },
            lock: if O::HAS_LOCK {
                Some(lock::<T, O>)
            } else {
                None
            },
            flock: if O::HAS_FLOCK {
                Some(flock::<T, O>)
            } else {
                None
            },
            ..pin_init::zeroed()
        };
        Self(table, PhantomData)
    }

    /// `.llseek = generic_file_llseek`.
    pub(crate) const fn generic_file_llseek(mut self) -> Self {
        self.0.llseek = Some(bindings::generic_file_llseek);
        self
    }

    /// `.read = generic_read_dir`: `read(2)` on a directory is EISDIR.
    pub(crate) const fn generic_read_dir(mut self) -> Self {
        self.0.read = Some(bindings::generic_read_dir);
        self
    }

    /// `.get_unmapped_area = thp_get_unmapped_area`.
    pub(crate) const fn thp_get_unmapped_area(mut self) -> Self {
        self.0.get_unmapped_area =
            if_configured!(CONFIG_TRANSPARENT_HUGEPAGE, bindings::thp_get_unmapped_area);
        self
    }

    /// `.splice_read = filemap_splice_read`: from the page cache.
    pub(crate) const fn filemap_splice_read(mut self) -> Self {
        self.0.splice_read = Some(bindings::filemap_splice_read);
        self
    }

    /// `.splice_write = iter_file_splice_write`: through `write_iter`.
    pub(crate) const fn iter_file_splice_write(mut self) -> Self {
        self.0.splice_write = Some(bindings::iter_file_splice_write);
        self
    }

    /// `.setlease = generic_setlease`: leases are local.
    pub(crate) const fn generic_setlease(mut self) -> Self {
        self.0.setlease = if_configured!(CONFIG_FILE_LOCKING, bindings::generic_setlease);
        self
    }

    /// The C table, for `i_fop`.
    pub(super) const fn as_ptr(&'static self) -> *const bindings::file_operations {
        &raw const self.0
    }
}

// The functions below are put into a table that is attached to inodes of superblocks registered for
// `T` only, so that the file or inode they get is one of `T`. The VFS keeps both alive for the
// call, and calls all but `open` between a successful `open` and `release`.

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn llseek<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    offset: bindings::loff_t,
    whence: c_int,
) -> bindings::loff_t {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    match O::llseek(file, offset, whence) {
        Ok(pos) => pos,
        Err(e) => i64::from(e.to_errno()),
    }
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn read_iter<T: Types, O: FileOperations<T>>(
    iocb: *mut bindings::kiocb,
    to: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: `ki_filp` is an open file of `T`, see above; the kiocb is ours for the call.
    let mut iocb = unsafe { Kiocb::from_raw(iocb) };
    // SAFETY: `read_iter` is called with a valid iterator, a destination, ours for the call.
    let to = unsafe { IovIter::from_raw(to) };
    ssize_from(O::read_iter(&mut iocb, to))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn write_iter<T: Types, O: FileOperations<T>>(
    iocb: *mut bindings::kiocb,
    from: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: `ki_filp` is an open file of `T`, see above; the kiocb is ours for the call.
    let mut iocb = unsafe { Kiocb::from_raw(iocb) };
    // SAFETY: `write_iter` is called with a valid iterator, a source, ours for the call.
    let from = unsafe { IovIter::from_raw(from) };
    ssize_from(O::write_iter(&mut iocb, from))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in, with the directory locked shared
/// (`iterate_dir()`).
unsafe extern "C" fn iterate_shared<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    ctx: *mut bindings::dir_context,
) -> c_int {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    // SAFETY: The context is ours for the call.
    let ctx = unsafe { DirContext::from_raw(ctx) };
    // SAFETY: The dentry of an open file is of its superblock, and pinned by it; that of a
    // directory is the directory's, which is locked.
    let dir = unsafe { LockedDir::from_raw(bindings::file_dentry(file.as_ptr())) };
    from_result(|| O::iterate_shared(file, &dir, ctx).map(|()| 0))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn unlocked_ioctl<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    cmd: c_uint,
    arg: c_ulong,
) -> c_long {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    long_from(O::unlocked_ioctl(file, cmd, arg))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn compat_ioctl<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    cmd: c_uint,
    arg: c_ulong,
) -> c_long {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    long_from(O::compat_ioctl(file, cmd, arg))
}

/// What ioctl(2) returns.
fn long_from(ret: Result<i32>) -> c_long {
    // C converts so, too.
    ret.unwrap_or_else(Error::to_errno) as c_long
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn poll<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    // SAFETY: What the VFS calls with, for the call.
    let table = unsafe { PollTable::from_raw(file, table) };
    O::poll(&table).to_raw()
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn mmap<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    vma: *mut bindings::vm_area_struct,
) -> c_int {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    // SAFETY: The VFS calls `mmap` with an area that is being set up, its `mmap_lock` held.
    let vma = unsafe { VmaNew::from_raw(vma) };
    from_result(|| O::mmap(file, vma).map(|()| 0))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn open<T: Types, O: FileOperations<T>>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: A live inode of `T`, see above.
    let inode = unsafe { Inode::from_raw(inode) };
    // SAFETY: The file is being opened, so nobody else has it.
    let file = unsafe { OpeningFile::<T>::from_raw(file) };
    from_result(|| {
        let data = O::open(inode, file)?;
        // SAFETY: `open` succeeds, and is the only one to have set the private data.
        unsafe { file.set_private(data) };
        Ok(0)
    })
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn flush<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    id: bindings::fl_owner_t,
) -> c_int {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    from_result(|| O::flush(file, FlOwner::from_ptr(id)).map(|()| 0))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn release<T: Types, O: FileOperations<T>>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: A live inode of `T`, see above.
    let inode = unsafe { Inode::from_raw(inode) };
    // SAFETY: An open file of `T`, see above. `__fput()` calls this once, when the last reference
    // is gone, and calls nothing of ours with the file afterwards.
    let (file, data) = unsafe { ReleasedFile::from_raw(file) };
    O::release(inode, file, data);
    // The VFS ignores it.
    0
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn fsync<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    start: bindings::loff_t,
    end: bindings::loff_t,
    datasync: c_int,
) -> c_int {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    from_result(|| O::fsync(file, start, end, datasync != 0).map(|()| 0))
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn lock<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    cmd: c_int,
    fl: *mut kernel::bindings::file_lock,
) -> c_int {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    // SAFETY: `vfs_lock_file()` and `vfs_test_lock()` are called with a POSIX request that is the
    // caller's, and in no list.
    let fl = unsafe { FileLock::from_raw(fl.cast()) };
    from_result(|| {
        Ok(match O::lock(file, LockCommand::from_raw(cmd), fl)? {
            Locked::Done => 0,
            Locked::Deferred => bindings::FILE_LOCK_DEFERRED as c_int,
        })
    })
}

/// # Safety
///
/// Called by the VFS alone, through the table it is in.
unsafe extern "C" fn flock<T: Types, O: FileOperations<T>>(
    file: *mut bindings::file,
    _cmd: c_int,
    fl: *mut kernel::bindings::file_lock,
) -> c_int {
    // SAFETY: An open file of `T`, see above.
    let file = unsafe { File::from_raw(file) };
    // SAFETY: `flock(2)` and `locks_remove_flock()` call this with a request of theirs that is in
    // no list.
    let fl = unsafe { FileLock::from_raw(fl.cast()) };
    from_result(|| O::flock(file, fl).map(|()| 0))
}
