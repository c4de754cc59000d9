// SPDX-License-Identifier: GPL-2.0

//! The operations of regular files and of their page cache.
//!
//! C counterpart: `fuse_file_operations` and `fuse_file_aops` in `file.c`. Takes `i_rwsem` for
//! `lseek(2)` to the end.
//!
//! Locks of both kinds and leases are local: without POSIX_LOCKS and FLOCK_LOCKS, which are not
//! offered, C does what the VFS does for files without those operations.

use crate::{
    abi::OpenOutFlags,
    fs::{
        attr::getattr,
        data::{
            direct_io,
            read,
            write, //
        },
        file::{
            flush,
            fuse_file::FuseFile,
            open, //
        },
        inode::pages,
        File,
        Fuse,
        Inode,
        OpeningFile, //
    },
    kapi::{
        mm::iov::IovIter,
        vfs::{
            address_space::{
                AddressSpaceOperations,
                AddressSpaceOperationsTable,
                LockedForRead,
                ReadaheadControl, //
            },
            fcntl::{
                SEEK_CUR,
                SEEK_DATA,
                SEEK_END,
                SEEK_HOLE,
                SEEK_SET, //
            },
            file_operations::{
                FileOperations,
                FileOperationsTable,
                FlOwner, //
            },
            kiocb::Kiocb,
            stat::STATX_SIZE, //
        },
    },
};
use kernel::{
    mm::virt::{
        flags as vm_flags,
        VmaNew, //
    },
    prelude::*,
    sync::Arc, //
};

/// For `i_fop`.
pub(in crate::fs) static FILE_OPERATIONS: FileOperationsTable<Fuse> =
    FileOperationsTable::new::<RegularFile>()
        .thp_get_unmapped_area()
        .filemap_splice_read()
        .iter_file_splice_write()
        .generic_setlease();

/// For `a_ops`.
pub(in crate::fs) static ADDRESS_SPACE_OPERATIONS: AddressSpaceOperationsTable<Fuse> =
    AddressSpaceOperationsTable::new_iomap::<PageCache>();

enum RegularFile {}

#[vtable]
impl FileOperations<Fuse> for RegularFile {
    fn open(inode: &Inode, file: &OpeningFile) -> Result<Arc<FuseFile>> {
        open::open(inode, file)
    }

    fn release(_inode: &Inode, file: &File, data: Arc<FuseFile>) {
        data.release(file.flags());
    }

    fn flush(file: &File, id: FlOwner) -> Result {
        flush::flush(file, id)
    }

    fn fsync(file: &File, start: i64, end: i64, datasync: bool) -> Result {
        flush::fsync(file, start, end, datasync)
    }

    fn read_iter(iocb: &mut Kiocb<'_, Fuse>, to: &mut IovIter) -> Result<usize> {
        let file = iocb.file();
        file.inode().settle();
        file.inode().check_bad()?;
        if is_direct(file) {
            direct_io::direct_read_iter(iocb, to)
        } else {
            read::cache_read_iter(iocb, to)
        }
    }

    fn write_iter(iocb: &mut Kiocb<'_, Fuse>, from: &mut IovIter) -> Result<usize> {
        let file = iocb.file();
        file.inode().check_bad()?;
        if is_direct(file) {
            direct_io::direct_write_iter(iocb, from)
        } else {
            write::cache_write_iter(iocb, from)
        }
    }

    fn mmap(file: &File, vma: &VmaNew) -> Result {
        let flags = vma.flags();
        if flags & vm_flags::SHARED != 0 && flags & vm_flags::MAYWRITE != 0 {
            // Nothing writes dirty folios back yet.
            return Err(ENODEV);
        }
        if is_direct(file) {
            if flags & vm_flags::MAYSHARE != 0 {
                // Others would not see what goes past the page cache.
                return Err(ENODEV);
            }
            pages::drop_clean(file.inode())?;
        }
        file.generic_file_mmap(vma)
    }

    fn llseek(file: &File, offset: i64, whence: i32) -> Result<i64> {
        let inode = file.inode();
        match u32::try_from(whence)? {
            SEEK_SET | SEEK_CUR => file.generic_file_llseek(offset, whence),
            // LSEEK comes with sparse files; until then all is data up to the end, as with a daemon
            // that does not know LSEEK.
            SEEK_END | SEEK_DATA | SEEK_HOLE => {
                let _lock = inode.lock()?;
                getattr::update_attributes(inode, Some(file), STATX_SIZE)?;
                file.generic_file_llseek(offset, whence)
            }
            _ => Err(EINVAL),
        }
    }
}

/// Whether the daemon wants all transfers to itself.
fn is_direct(file: &File) -> bool {
    file.data().open_flags.contains(OpenOutFlags::DIRECT_IO)
}

enum PageCache {}

#[vtable]
impl AddressSpaceOperations<Fuse> for PageCache {
    fn read_folio(file: Option<&File>, folio: LockedForRead<'_, Fuse>) -> Result {
        read::read_folio(file, folio)
    }

    fn readahead(rac: &mut ReadaheadControl<'_, Fuse>) {
        read::readahead(rac);
    }

    fn direct_read(iocb: &mut Kiocb<'_, Fuse>, to: &mut IovIter) -> Result<usize> {
        direct_io::direct_read(iocb, to)
    }

    fn direct_write(iocb: &mut Kiocb<'_, Fuse>, from: &mut IovIter) -> Result<usize> {
        direct_io::direct_write(iocb, from)
    }
}
