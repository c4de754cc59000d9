// SPDX-License-Identifier: GPL-2.0

//! The parameter `inval_wq`, and the work that runs every so many seconds.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)
//! (`struct delayed_work`); the parameter, which starts and stops the work when it is written to,
//! is defined in `rust/helpers/inval_wq.c`.
//!
//! C rule encoded here: `cancel_delayed_work_sync()` returns when the work neither is pending nor
//! runs, also if it queues itself again.

use crate::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Seconds between two rounds in which names that have expired are dropped; 0: none.
#[inline]
pub(crate) fn seconds() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_inval_wq() }
}

/// What runs every so many [`seconds`].
pub(crate) trait InvalWork: 'static {
    /// One round. In a kernel worker; may sleep.
    fn run();
}

/// Runs [`InvalWork::run`] while this lives, as often as the parameter says.
///
/// # Invariants
///
/// The work is the parameter's until the drop, does not move, and is used by the two alone.
pub(crate) struct InvalWorker(Pin<KBox<Opaque<bindings::delayed_work>>>);

// SAFETY: It may be stopped by another task than the one that started it.
unsafe impl Send for InvalWorker {}
// SAFETY: Offers nothing by shared reference.
unsafe impl Sync for InvalWorker {}

impl InvalWorker {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn start<W: InvalWork>() -> Result<Self> {
        let work = KBox::pin(Opaque::zeroed(), GFP_KERNEL)?;
        // SAFETY: Memory that does not move until the drop, which stops it first.
        unsafe { bindings::inval_work_start(work.get(), Some(run::<W>)) };
        Ok(Self(work))
    }
}

impl Drop for InvalWorker {
    fn drop(&mut self) {
        // SAFETY: Started, by the type's invariant. Waits for a round that is running.
        unsafe { bindings::inval_work_stop(self.0.get()) };
    }
}

/// # Safety
///
/// Called by the kernel's worker, with the work of an [`InvalWorker`].
unsafe extern "C" fn run<W: InvalWork>(work: *mut bindings::work_struct) {
    W::run();
    // `work` is the first field.
    // SAFETY: By the contract; the work is there until it has been stopped.
    unsafe { bindings::inval_work_again(work.cast()) };
}
