// SPDX-License-Identifier: GPL-2.0

//! Being told of suspend and hibernation.
//!
//! C header: [`include/linux/suspend.h`](srctree/include/linux/suspend.h). Without CONFIG_PM_SLEEP
//! there is neither, and nobody is told.
//!
//! C rules encoded here: a `notifier_block` stays where it is while it is registered;
//! `unregister_pm_notifier()` waits for a call that is under way. Calls come one at a time, in
//! process context, with the chain's semaphore held for reading: they may sleep, but hold up the
//! suspend then.

use crate::bindings;
use core::{
    ffi::{
        c_int,
        c_void, //
    },
    marker::PhantomData, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// Something that wants to be told.
pub(crate) trait PmNotifier: 'static {
    /// The machine is to be suspended, hibernated, or restored from an image; tasks are not frozen
    /// yet.
    fn prepare();

    /// That is over, or has failed; tasks have been thawed. May come without the other before it.
    fn post();
}

/// `N` is told while this lives. The drop sleeps.
///
/// # Invariants
///
/// The block is registered until the drop, does not move, and is the kernel's until then.
pub(crate) struct Registration<N: PmNotifier>(
    Pin<KBox<Opaque<bindings::notifier_block>>>,
    PhantomData<fn() -> N>,
);

// SAFETY: It may be taken off by another task than the one that registered it.
unsafe impl<N: PmNotifier> Send for Registration<N> {}
// SAFETY: Offers nothing by shared reference.
unsafe impl<N: PmNotifier> Sync for Registration<N> {}

impl<N: PmNotifier> Registration<N> {
    /// `register_pm_notifier()`; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let block = KBox::pin(
            Opaque::new(bindings::notifier_block {
                notifier_call: Some(call::<N>),
                next: core::ptr::null_mut(),
                priority: 0,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: A block that does not move until the drop, which takes it off.
        to_result(unsafe { bindings::pm_notifier_register(block.get()) })?;
        Ok(Self(block, PhantomData))
    }
}

impl<N: PmNotifier> Drop for Registration<N> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type's invariant. Waits for a call that is under way.
        unsafe { bindings::pm_notifier_unregister(self.0.get()) };
    }
}

/// # Safety
///
/// Called by the kernel's chain of such notifiers.
unsafe extern "C" fn call<N: PmNotifier>(
    _block: *mut bindings::notifier_block,
    action: kernel::ffi::c_ulong,
    _data: *mut c_void,
) -> c_int {
    match u32::try_from(action) {
        Ok(
            bindings::PM_SUSPEND_PREPARE
            | bindings::PM_HIBERNATION_PREPARE
            | bindings::PM_RESTORE_PREPARE,
        ) => N::prepare(),
        Ok(
            bindings::PM_POST_SUSPEND | bindings::PM_POST_HIBERNATION | bindings::PM_POST_RESTORE,
        ) => N::post(),
        _ => {}
    }
    bindings::NOTIFY_DONE as c_int
}
