// SPDX-License-Identifier: GPL-2.0

//! Whether an inode's data goes through the page cache or, in parallel, past it.
//!
//! C counterpart: `iomode.c`, as far as it is not about passthrough. Takes the inode's lock.
//!
//! An inode counts the open files that use its page cache (above zero), or the parallel direct
//! writes under way (below zero): never both. An open for cached I/O waits until the
//! direct writes are through; a direct write that finds the inode in cached use takes `i_rwsem`
//! exclusively instead.

use super::{
    fuse_inode::State,
    pages::signals, //
};
use crate::{
    abi::OpenOutFlags,
    fs::Inode, //
};
use core::ops::Deref;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// Whether an open file counts as one that uses the page cache; changed under the inode's lock.
pub(in crate::fs) struct CachedUse(Atomic<bool>);

impl CachedUse {
    /// Of a file that is being opened: it does not.
    pub(in crate::fs) fn new() -> Self {
        Self(Atomic::new(false))
    }
}

/// A file has been opened: asks for the way of doing I/O that the daemon chose for it
/// (`fuse_file_io_open()`). May sleep.
///
/// # Errors
///
/// EIO for flags that do not go with this connection: the daemon's mistake. EINTR if killed.
pub(in crate::fs) fn open(file: &CachedUse, flags: OpenOutFlags, inode: &Inode) -> Result {
    if try_open(file, flags, inode)? {
        return Ok(());
    }
    (inode.data().direct_io_waitq)
        .wait_event(signals(), || cached_open(file, inode))
        .map_err(|_| EINTR)
}

/// The same, but does not sleep. Says whether it could be done; it will, when the direct writes are
/// through.
pub(in crate::fs) fn try_open(
    file: &CachedUse,
    flags: OpenOutFlags,
    inode: &Inode,
) -> Result<bool> {
    if flags.contains(OpenOutFlags::PASSTHROUGH) {
        // Not offered.
        return Err(EIO);
    }
    // With O_DIRECT alone the file counts as cached: fcntl(2) may remove O_DIRECT.
    let cached = !flags.contains(OpenOutFlags::DIRECT_IO);
    Ok(!cached || cached_open(file, inode))
}

/// Enters cached use on behalf of a file, once, unless there are direct writes
/// (`fuse_file_cached_io_open()`).
fn cached_open(file: &CachedUse, inode: &Inode) -> bool {
    let state = &inode.data().state;
    let mut inner = inode.lock_inner();
    if inner.io_cache_ctr < 0 {
        // Tells new direct writes to be exclusive: else this might take forever.
        state.set(State::CACHE_IO_MODE);
        return false;
    }
    if !file.0.load(Relaxed) {
        file.0.store(true, Relaxed);
        if inner.io_cache_ctr == 0 {
            state.set(State::CACHE_IO_MODE);
        }
        inner.io_cache_ctr += 1;
    }
    true
}

/// A file is used no more (`fuse_file_io_release()`). Does not sleep.
pub(in crate::fs) fn release(file: &CachedUse, inode: &Inode) {
    if !file.0.load(Relaxed) {
        return;
    }
    let mut inner = inode.lock_inner();
    file.0.store(false, Relaxed);
    inner.io_cache_ctr -= 1;
    if inner.io_cache_ctr == 0 {
        inode.data().state.clear(State::CACHE_IO_MODE);
    }
}

/// A direct write that others may run beside; none may use the page cache meanwhile.
pub(in crate::fs) struct UncachedIo<I: Deref<Target = Inode>>(I);

impl<I: Deref<Target = Inode>> UncachedIo<I> {
    /// Starts one (`fuse_inode_uncached_io_start()`); `None` if the inode is in cached use.
    pub(in crate::fs) fn start(inode: I) -> Option<Self> {
        {
            let mut inner = inode.lock_inner();
            if inner.io_cache_ctr > 0 {
                return None;
            }
            inner.io_cache_ctr -= 1;
        }
        Some(Self(inode))
    }
}

impl<I: Deref<Target = Inode>> Drop for UncachedIo<I> {
    fn drop(&mut self) {
        let inode = &*self.0;
        let last = {
            let mut inner = inode.lock_inner();
            inner.io_cache_ctr += 1;
            inner.io_cache_ctr == 0
        };
        if last {
            inode.data().direct_io_waitq.wake_up_all();
            inode.conn().chan.let_go();
        }
    }
}
