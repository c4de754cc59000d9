// SPDX-License-Identifier: GPL-2.0

//! The operations of open files and directories: which function does what.
//!
//! C counterpart: `fuse_file_operations` (file.c), `fuse_dir_operations` (dir.c). Takes no locks.
//!
//! Directories have no `lock` and `flock`: there the VFS keeps locks itself. Leases are local.

use crate::{
    fs::{
        data::{
            mmap,
            seek,
            transfer, //
        },
        dir::{
            fsync,
            open as dir_open,
            readdir, //
        },
        file::{
            flush,
            fuse_file::FuseFile,
            ioctl,
            lock,
            open,
            poll, //
        },
        File,
        Fuse,
        Inode,
        OpeningFile,
        ReleasedFile, //
    },
    kapi::{
        mm::iov::{
            Dest,
            IovIter,
            Source, //
        },
        sync::poll::PollEvents,
        vfs::{
            dentry_lookup::LockedDir,
            dir_context::DirContext,
            file::FlOwner,
            file_lock::{
                FileLock,
                Flock,
                Locked,
                Posix, //
            },
            file_operations::{
                FileOperations,
                FileOperationsTable,
                LockCommand, //
            },
            kiocb::Kiocb,
            poll::PollTable, //
        },
    },
};
use kernel::{
    mm::virt::VmaNew,
    prelude::*,
    sync::Arc, //
};

/// The file operations of regular files.
pub(super) static FILE_OPERATIONS: FileOperationsTable<Fuse> =
    FileOperationsTable::new::<RegularFile>()
        .thp_get_unmapped_area()
        .filemap_splice_read()
        .iter_file_splice_write()
        .generic_setlease();

/// The file operations of directories.
pub(super) static DIR_OPERATIONS: FileOperationsTable<Fuse> =
    FileOperationsTable::new::<DirOperations>()
        .generic_file_llseek()
        .generic_read_dir();

enum RegularFile {}

#[vtable]
impl FileOperations<Fuse> for RegularFile {
    fn open(inode: &Inode, file: &OpeningFile) -> Result<Arc<FuseFile>> {
        open::open(inode, file)
    }

    fn release(_inode: &Inode, file: &ReleasedFile, data: Arc<FuseFile>) {
        data.release(file.flags());
    }

    fn flush(file: &File, id: FlOwner) -> Result {
        flush::flush(file, id)
    }

    fn fsync(file: &File, start: i64, end: i64, datasync: bool) -> Result {
        flush::fsync(file, start, end, datasync)
    }

    fn read_iter(iocb: &mut Kiocb<'_, Fuse>, to: &mut IovIter<Dest>) -> Result<usize> {
        transfer::read_iter(iocb, to)
    }

    fn write_iter(iocb: &mut Kiocb<'_, Fuse>, from: &mut IovIter<Source>) -> Result<usize> {
        transfer::write_iter(iocb, from)
    }

    fn unlocked_ioctl(file: &File, cmd: u32, arg: usize) -> Result<i32> {
        ioctl::ioctl(file, cmd, arg, ioctl::width(false))
    }

    fn compat_ioctl(file: &File, cmd: u32, arg: usize) -> Result<i32> {
        ioctl::ioctl(file, cmd, arg, ioctl::width(true))
    }

    fn poll(table: &PollTable<'_, Fuse>) -> PollEvents {
        poll::poll(table)
    }

    fn mmap(file: &File, vma: &VmaNew) -> Result {
        mmap::mmap(file, vma)
    }

    fn llseek(file: &File, offset: i64, whence: i32) -> Result<i64> {
        seek::llseek(file, offset, whence)
    }

    fn lock(file: &File, cmd: LockCommand, fl: &FileLock<Posix>) -> Result<Locked> {
        lock::lock(file, cmd, fl)
    }

    fn flock(file: &File, fl: &FileLock<Flock>) -> Result {
        lock::flock(file, fl)
    }
}

enum DirOperations {}

#[vtable]
impl FileOperations<Fuse> for DirOperations {
    fn open(inode: &Inode, file: &OpeningFile) -> Result<Arc<FuseFile>> {
        dir_open::open(inode, file)
    }

    fn iterate_shared(file: &File, dir: &LockedDir<'_, Fuse>, ctx: &mut DirContext) -> Result {
        readdir::readdir(file, dir, ctx)
    }

    fn fsync(file: &File, _start: i64, _end: i64, datasync: bool) -> Result {
        fsync::fsync(file, datasync)
    }

    fn unlocked_ioctl(file: &File, cmd: u32, arg: usize) -> Result<i32> {
        ioctl::dir_ioctl(file, cmd, arg, ioctl::width(false))
    }

    fn compat_ioctl(file: &File, cmd: u32, arg: usize) -> Result<i32> {
        ioctl::dir_ioctl(file, cmd, arg, ioctl::width(true))
    }

    fn release(_inode: &Inode, file: &ReleasedFile, data: Arc<FuseFile>) {
        data.release(file.flags());
    }
}
