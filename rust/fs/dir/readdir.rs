// SPDX-License-Identifier: GPL-2.0

//! Open directories: OPENDIR, READDIR, FSYNCDIR.
//!
//! C counterpart: `fuse_readdir_uncached()`, `parse_dirfile()` (readdir.c), `fuse_dir_open()`,
//! `fuse_dir_fsync()` (dir.c).
//!
//! `readdir` is called with the directory's `i_rwsem` held shared, and takes `FuseInode::mutex` for
//! daemons without PARALLEL_DIROPS. FSYNCDIR takes `i_rwsem` exclusively.

use crate::{
    abi::{
        op::{
            Fsync,
            Fsyncdir,
            Op,
            Readdir, //
        },
        Dirents,
        OpenOutFlags, //
    },
    fs::{
        file::fuse_file::{
            FuseFile,
            Kind, //
        },
        request::{
            call::{
                Holds,
                Subject, //
            },
            held::Held, //
        },
        File,
        Inode,
        OpeningFile, //
    },
    kapi::{
        page_cache::truncate::{
            invalidate_inode_pages2,
            Waits, //
        },
        vfs::dir_context::DirContext, //
    },
    transport::{
        Hold,
        Payload, //
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// `open` of a directory.
pub(in crate::fs) fn open(inode: &Inode, file: &OpeningFile) -> Result<Arc<FuseFile>> {
    inode.check_bad()?;
    file.generic_file_open(inode)?;

    let data = FuseFile::open(inode, file.flags(), Kind::Dir)?;
    data.attach(inode);
    // Old daemons may rely on these, though they are of little use for directories.
    if data.open_flags.contains(OpenOutFlags::STREAM)
        || data.open_flags.contains(OpenOutFlags::NONSEEKABLE)
    {
        file.nonseekable_open(inode);
    }
    if !data.open_flags.contains(OpenOutFlags::KEEP_CACHE) {
        // What cannot be dropped is in use, and stays.
        let _ = invalidate_inode_pages2(inode, Waits::Always);
    }
    Ok(data)
}

/// `iterate_shared`.
pub(in crate::fs) fn readdir(file: &File, ctx: &mut DirContext) -> Result {
    let inode = file.inode();
    inode.check_bad()?;

    inode.await_hold(Hold::Shared)?;
    if inode.is_deaddir() {
        return Err(ENOENT);
    }

    let conn = inode.conn();
    // As much as the reader has room for, a page at least, a request's worth at most.
    let max = (conn.max_pages() as usize).saturating_mul(PAGE_SIZE);
    let size = (ctx.count() as u32 as usize).min(max).max(PAGE_SIZE);
    let buffer = KVVec::with_capacity(size, GFP_KERNEL)?;

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

    let (result, payload) = {
        let _guard = inode.lock_dirops()?;
        inode
            .conn()
            .call_with(Listing(file), &op, Payload::Out(buffer, size), || {
                inode.then_invalidate_atime()
            })
    };
    result?;
    let Payload::Out(entries, _) = payload else {
        // It goes with a caller that leaves, who has an error then.
        return Err(EIO);
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

/// `fsync` of a directory.
pub(in crate::fs) fn fsync(file: &File, datasync: bool) -> Result {
    let inode = file.inode();
    let conn = inode.conn();
    inode.check_bad()?;

    let op = Fsyncdir(Fsync {
        fh: file.data().fh,
        datasync,
    });
    conn.unless_lacking(Fsyncdir::OPCODE, || {
        let _lock = inode.lock()?;
        inode.await_hold(Hold::Exclusive)?;
        conn.call(file, &op)
    })
    .map(drop)
}
