// SPDX-License-Identifier: GPL-2.0

//! What the rig is built of, under loom.

pub(crate) use loom::sync::atomic::{fence, AtomicBool, AtomicU32};
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard as Guard};
// Its counts are no steps: what they order, the word orders as well.
pub(crate) use std::sync::Arc;

use loom::cell::UnsafeCell;

/// Nothing is left to chance.
pub(crate) fn chance(_: u32) -> bool {
    false
}

pub(crate) fn pause() {
    loom::thread::yield_now();
}

/// A request's arguments: loom reports two accesses at once, or out of order.
pub(crate) struct Args(UnsafeCell<u32>);

impl Args {
    pub(crate) fn new() -> Self {
        Args(UnsafeCell::new(0))
    }

    #[expect(unsafe_code, reason = "loom reports it if it is not exclusive")]
    pub(crate) fn read(&self) -> u32 {
        // SAFETY: Checked by loom.
        self.0.with(|args| unsafe { *args })
    }

    #[expect(unsafe_code, reason = "loom reports it if it is not exclusive")]
    pub(crate) fn write(&self, value: u32) {
        // SAFETY: Checked by loom.
        self.0.with_mut(|args| unsafe { *args = value });
    }
}

#[expect(unsafe_code, reason = "as the module's type that lends arguments")]
// SAFETY: Checked by loom.
unsafe impl Sync for Args {}
