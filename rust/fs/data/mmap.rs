// SPDX-License-Identifier: GPL-2.0

//! Mapping regular files.
//!
//! C counterpart: `fuse_file_mmap()` (file.c). Takes folio locks.

use crate::fs::{
    inode::pages,
    File, //
};
use kernel::{
    mm::virt::{
        flags as vm_flags,
        VmaNew, //
    },
    prelude::*, //
};

/// `mmap`.
pub(in crate::fs) fn mmap(file: &File, vma: &VmaNew) -> Result {
    let flags = vma.flags();
    let direct = file.data().is_direct();
    if flags & vm_flags::SHARED != 0 && flags & vm_flags::MAYWRITE != 0 {
        if !direct {
            // Nothing writes dirty folios back yet. C refuses files in direct I/O as well.
            kernel::pr_info_once!(
                "a shared mapping of a file open for writing was asked for, \
                 which is not built: ENODEV\n"
            );
        }
        return Err(ENODEV);
    }
    if direct {
        if flags & vm_flags::MAYSHARE != 0 {
            // Others would not see what goes past the page cache.
            return Err(ENODEV);
        }
        pages::drop_clean(file.inode())?;
    }
    file.generic_file_mmap(vma)
}
