// SPDX-License-Identifier: GPL-2.0

//! Reading directories: READDIR.
//!
//! C counterpart: `fuse_readdir_uncached()`, `parse_dirfile()` (readdir.c).
//!
//! Called with the directory's `i_rwsem` held shared; takes `FuseInode::mutex` for daemons without
//! PARALLEL_DIROPS. Sleeps for the daemon's answer.

use crate::{
    abi::{
        op::Readdir,
        Dirents, //
    },
    fs::{
        request::{
            call::{
                Holds,
                Subject, //
            },
            held::Held, //
        },
        File,
        Inode, //
    },
    kapi::vfs::dir_context::DirContext,
    transport::Hold, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// `iterate_shared`.
pub(in crate::fs) fn readdir(file: &File, ctx: &mut DirContext) -> Result {
    let inode = file.inode();
    inode.await_hold(Hold::Shared)?;
    if inode.is_deaddir() {
        return Err(ENOENT);
    }
    inode.check_bad()?;

    let conn = inode.conn();
    // As much as the reader has room for, a page at least, a request's worth at most.
    let max = (conn.max_pages() as usize).saturating_mul(PAGE_SIZE);
    let size = (ctx.count() as u32 as usize).min(max).max(PAGE_SIZE);
    // Charged: the daemon says how large it may be, and keeps it for as long as it likes.
    let buffer = KVVec::with_capacity(size, GFP_KERNEL_ACCOUNT)?;

    let result = read(file, ctx, buffer, size);
    inode.invalidate_atime();
    result
}

/// Asks for entries from the present position on, and hands over as many as there is room for.
fn read(file: &File, ctx: &mut DirContext, buffer: KVVec<u8>, size: usize) -> Result {
    let inode = file.inode();
    let data = file.data();
    let op = Readdir {
        fh: data.fh,
        offset: ctx.pos() as u64,
        size: u32::try_from(size).map_err(|_| EINVAL)?,
        flags: file.flags(),
    };

    let entries = {
        let _guard = inode.lock_dirops()?;
        let then = || inode.then_invalidate_atime();
        inode
            .conn()
            .call_bytes(Listing(file), &op, buffer, size, then)?
    };

    for entry in Dirents::new(&entries) {
        let entry = entry.map_err(|_| EIO)?;
        if !ctx.dir_emit(entry.name, entry.ino, entry.kind.into()) {
            break;
        }
        ctx.set_pos(entry.off as i64);
    }
    Ok(())
}

/// A directory that is being read, locked together with others.
struct Listing<'a>(&'a File);

impl Holds for Listing<'_> {
    fn hold(&self, held: &mut Held) -> Result {
        let dir = self.0.inode();
        held.locked(dir)?;
        held.turn(dir)?;
        held.file(self.0)
    }
}

impl Subject for Listing<'_> {
    fn inode(&self) -> &Inode {
        self.0.inode()
    }
}
