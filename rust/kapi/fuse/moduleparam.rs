// SPDX-License-Identifier: GPL-2.0

//! The module's parameters, in /sys/module/fuse/parameters.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h). They are defined in
//! `rust/helpers/params.c`. Takes no lock, never sleeps.

use crate::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// `killable`: SIGKILL frees a caller whose request the daemon has; else it waits, as with the C
/// module. Read each time that it matters, so that a change takes effect at once.
pub(crate) fn killable() -> bool {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_killable() }
}

/// `max_left`: how many callers of a connection may have left, what is done in their place not being done; counts as 2000 if
/// more.
pub(crate) fn max_left() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_max_left() }
}

/// `flush_wait`: seconds that a task which dies of a signal waits for its FLUSHes.
pub(crate) fn flush_wait() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_flush_wait() }
}

/// `allow_sys_admin_access`: CAP_SYS_ADMIN of the initial user namespace opens all mounts.
pub(crate) fn allow_sys_admin_access() -> bool {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_allow_sys_admin_access() }
}

/// `max_user_bgreq`: the most background requests that an unprivileged daemon gets.
pub(crate) fn max_user_bgreq() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_max_user_bgreq() }
}

/// `max_user_congthresh`: the highest congestion threshold that an unprivileged daemon gets.
pub(crate) fn max_user_congthresh() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_max_user_congthresh() }
}

/// `inval_wq`: seconds between two rounds in which names that have expired are dropped; 0: none.
#[inline]
pub(crate) fn inval_wq() -> u32 {
    // SAFETY: Reads one variable.
    unsafe { bindings::param_inval_wq() }
}

/// What runs every [`inval_wq`] seconds.
pub(crate) trait InvalWork: 'static {
    /// One round. In a kernel worker; may sleep.
    fn run();
}

/// Runs [`InvalWork::run`] while this lives, as the parameter says.
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

/// Gives parameters that were not set at load, and depend on the machine, their defaults. For module
/// init, before anything asks for them.
pub(crate) fn init() {
    // SAFETY: Writes variables whose readers and writers take what there is.
    unsafe { bindings::params_init() };
}
