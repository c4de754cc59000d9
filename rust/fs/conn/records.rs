// SPDX-License-Identifier: GPL-2.0

//! Records behind a spinlock: where memory for more comes from.
//!
//! C counterpart: none. Takes the lock that it is given, and not while it looks for memory.

use kernel::{
    prelude::*,
    sync::SpinLock, //
};

/// Gives `records`, of what `lock` protects, room for more than `len` of them. May sleep; there may
/// be as many again by the time that the lock is taken next.
///
/// # Errors
///
/// ENOMEM.
pub(super) fn grow<S: Unpin, T>(
    lock: &SpinLock<S>,
    records: impl FnOnce(&mut S) -> &mut KVec<T>,
    len: usize,
) -> Result {
    let room = len.saturating_mul(2).max(8);
    let mut more = KVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
    let mut guard = lock.lock();
    let old = records(&mut guard);
    if old.capacity() < room {
        for record in old.drain_all() {
            // There is room for more.
            let _ = more.push_within_capacity(record);
        }
        core::mem::swap(old, &mut more);
    }
    // What it was goes after the lock.
    drop(guard);
    Ok(())
}
