// SPDX-License-Identifier: GPL-2.0

//! The operations of the page cache of regular files: which function does what.
//!
//! C counterpart: `fuse_file_aops` (file.c). Takes no locks.

use crate::{
    fs::{
        data::{
            bmap,
            direct_io,
            read, //
        },
        File,
        Fuse,
        Inode, //
    },
    kapi::{
        mm::iov::{
            Dest,
            IovIter,
            Source, //
        },
        vfs::{
            address_space::{
                AddressSpaceOperations,
                AddressSpaceOperationsTable,
                LockedForRead,
                ReadaheadControl, //
            },
            kiocb::Kiocb, //
        },
    },
};
use kernel::prelude::*;

/// The operations of the page cache.
pub(super) static ADDRESS_SPACE_OPERATIONS: AddressSpaceOperationsTable<Fuse> =
    AddressSpaceOperationsTable::new_iomap::<PageCache>();

enum PageCache {}

#[vtable]
impl AddressSpaceOperations<Fuse> for PageCache {
    fn read_folio(file: Option<&File>, folio: LockedForRead<'_, Fuse>) -> Result {
        read::read_folio(file, folio)
    }

    fn readahead(rac: &mut ReadaheadControl<'_, Fuse>) {
        read::readahead(rac);
    }

    fn direct_read(iocb: &mut Kiocb<'_, Fuse>, to: &mut IovIter<Dest>) -> Result<usize> {
        direct_io::direct_read(iocb, to)
    }

    fn direct_write(iocb: &mut Kiocb<'_, Fuse>, from: &mut IovIter<Source>) -> Result<usize> {
        direct_io::direct_write(iocb, from)
    }

    fn bmap(inode: &Inode, block: u64) -> u64 {
        bmap::bmap(inode, block)
    }
}
