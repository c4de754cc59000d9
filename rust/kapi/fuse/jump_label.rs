// SPDX-License-Identifier: GPL-2.0

//! Static keys of ours: what is off costs a jump that is not taken; without CONFIG_JUMP_LABEL, a
//! look at a counter.
//!
//! C header: [`include/linux/jump_label.h`](srctree/include/linux/jump_label.h). The keys are
//! defined in `rust/helpers/static_keys.c`.
//!
//! C rule encoded here: switching a key patches code, which sleeps; each `static_key_slow_dec()`
//! undoes one `static_key_slow_inc()` that has succeeded.

use crate::bindings;
use kernel::prelude::*;

/// Does any connection measure how long its requests take?
#[inline(always)]
pub(crate) fn latency_enabled() -> bool {
    // SAFETY: A static key, defined in C.
    unsafe {
        kernel::jump_label::static_branch_unlikely!(
            bindings::fuse_latency_key,
            bindings::fuse_static_key,
            key
        )
    }
}

/// One reason for [`latency_enabled`]. Dropping it sleeps.
pub(crate) struct LatencyKey(());

impl LatencyKey {
    /// Switches the key on, if it is off. Sleeps.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there are too many reasons.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: A static key; process context, by the contract.
        let counted = unsafe { bindings::latency_key_inc() };
        counted.then(|| Self(())).ok_or(EBUSY)
    }
}

impl Drop for LatencyKey {
    fn drop(&mut self) {
        // SAFETY: Undoes what `new()` did.
        unsafe { bindings::latency_key_dec() };
    }
}
