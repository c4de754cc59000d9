// SPDX-License-Identifier: GPL-2.0

//! What lockdep is told of waits for callers that have left.
//!
//! C header: [`include/linux/lockdep.h`](srctree/include/linux/lockdep.h). As with works
//! (`__flush_work()`): whoever may wait says so each time, and whoever is waited for has the map
//! while it works, so that lockdep sees which locks are held around the one and taken within the
//! other. Nothing without lockdep.

#[cfg(CONFIG_LOCKDEP)]
use crate::bindings;
use kernel::types::NotThreadSafe;

/// The current task may now wait for what callers have left.
#[inline]
pub(crate) fn might_wait_for_left() {
    #[cfg(CONFIG_LOCKDEP)]
    // SAFETY: Tells lockdep of a static map.
    unsafe {
        bindings::left_map_acquire();
        bindings::left_map_release();
    }
}

/// The current task does what a caller has left, for as long as this lives.
pub(crate) struct DoingLeft(NotThreadSafe);

impl DoingLeft {
    /// From now on.
    pub(crate) fn new() -> Self {
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: Tells lockdep of a static map, which the drop releases.
        unsafe {
            bindings::left_map_acquire();
        }
        Self(NotThreadSafe)
    }
}

impl Drop for DoingLeft {
    fn drop(&mut self) {
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: Acquired in `new()`, by this task.
        unsafe {
            bindings::left_map_release();
        }
    }
}
