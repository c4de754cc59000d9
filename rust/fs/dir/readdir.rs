// SPDX-License-Identifier: GPL-2.0

//! Reading directories: READDIR, and READDIRPLUS.
//!
//! C counterpart: `fuse_readdir_uncached()`, `parse_dirfile()`, `parse_dirplusfile()` (readdir.c).
//!
//! Called with the directory's `i_rwsem` held shared; takes `FuseInode::mutex` for daemons without
//! PARALLEL_DIROPS. Sleeps for the daemon's answer.

use super::{
    cache::{
        self,
        Cache,
        Cached, //
    },
    readdirplus, //
};
use crate::{
    abi::{
        op::{
            Readdir,
            Readdirplus, //
        },
        Direntpluses,
        Dirents,
        NodeId, //
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
        Fuse, //
    },
    kapi::vfs::{
        dentry_lookup::LockedDir,
        dir_context::DirContext, //
    },
    transport::Hold, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// `iterate_shared`.
pub(in crate::fs) fn readdir(
    file: &File,
    dir: &LockedDir<'_, Fuse>,
    ctx: &mut DirContext,
) -> Result {
    let inode = file.inode();
    inode.await_hold(Hold::Shared)?;
    if inode.is_deaddir() {
        return Err(ENOENT);
    }
    inode.check_bad()?;
    if cache::read(file, ctx)? == Cached::Done {
        return Ok(());
    }

    let conn = inode.conn();
    // As much as the reader has room for, a page at least, a request's worth at most.
    let max = (conn.max_pages() as usize).saturating_mul(PAGE_SIZE);
    let size = (ctx.count() as u32 as usize).min(max).max(PAGE_SIZE);
    // Charged: the daemon says how large it may be, and keeps it for as long as it likes.
    let buffer = KVVec::with_capacity(size, GFP_KERNEL_ACCOUNT)?;

    let result = if readdirplus::wanted(inode, ctx) {
        read_plus(file, dir, ctx, buffer, size)
    } else {
        read(file, ctx, buffer, size)
    };
    inode.invalidate_atime();
    result
}

/// The request for what comes after the present position.
fn request(file: &File, ctx: &DirContext, size: usize) -> Result<Readdir> {
    Ok(Readdir {
        fh: file.data().fh,
        offset: ctx.pos() as u64,
        size: u32::try_from(size).map_err(|_| EINVAL)?,
        flags: file.flags(),
    })
}

/// Asks for names, and hands over as many as there is room for.
fn read(file: &File, ctx: &mut DirContext, buffer: KVVec<u8>, size: usize) -> Result {
    let inode = file.inode();
    let op = request(file, ctx, size)?;

    let entries = {
        let _guard = inode.lock_dirops()?;
        let then = || inode.then_invalidate_atime();
        (inode.conn()).call_bytes(Listing(file), &op, buffer, size, then)?
    };

    if entries.is_empty() {
        cache::end(file, ctx.pos());
    }
    let mut cache = Cache::new(file);
    for entry in Dirents::new(&entries) {
        let entry = entry.map_err(|_| EIO)?;
        cache.add(ctx.pos(), &entry);
        if !cache::emit(ctx, &entry) {
            break;
        }
    }
    Ok(())
}

/// The same with what LOOKUP would say of them: all that have come are linked, as the daemon counts
/// their nodes.
fn read_plus(
    file: &File,
    dir: &LockedDir<'_, Fuse>,
    ctx: &mut DirContext,
    buffer: KVVec<u8>,
    size: usize,
) -> Result {
    let inode = file.inode();
    let op = Readdirplus(request(file, ctx, size)?);
    let asked = readdirplus::Asked::now(inode);

    let entries = {
        let _guard = inode.lock_dirops()?;
        let then = || readdirplus::then_link(file, asked);
        (inode.conn()).call_kept_bytes(Listing(file), &op, buffer, size, then)?
    };

    if entries.is_empty() {
        cache::end(file, ctx.pos());
    }
    let mut cache = Cache::new(file);
    let mut room = true;
    for plus in Direntpluses::new(&entries) {
        let plus = plus.map_err(|_| EIO)?;
        if room {
            cache.add(ctx.pos(), &plus.dirent);
            room = cache::emit(ctx, &plus.dirent);
        }
        readdirplus::link(dir, inode, &plus, asked);
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
    fn node(&self) -> NodeId {
        self.0.inode().nodeid()
    }
}
