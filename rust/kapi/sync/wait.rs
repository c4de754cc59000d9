// SPDX-License-Identifier: GPL-2.0

//! Waiting until a condition holds.
//!
//! C headers: [`include/linux/wait.h`](srctree/include/linux/wait.h),
//! [`include/linux/rcuwait.h`](srctree/include/linux/rcuwait.h).
//!
//! The kernel crate's `CondVar` gives up a lock and takes it again, and always wakes one of those
//! that wait for the same: it has no killable wait, none without a lock, and does not tell whether
//! anyone waits.
//!
//! Conditions are closures that read what another task sets *before* it wakes. They run with the
//! task's state set already, so they must not sleep. The order of the steps, so that no wake-up is
//! lost or swallowed, is in [`wait_loop`].
//!
//! # Freezing
//!
//! A task that sleeps in a state with `TASK_FREEZABLE` is frozen where it is, for suspend and by a
//! freezer of control groups (v1) alike; in any other it holds up the one and the other.
//! `TASK_FREEZABLE_UNSAFE` is for tasks that may hold locks: else lockdep warns. A waiter says by a
//! closure whether it may be frozen. That is asked each time it goes to sleep, after its state was
//! set and a full barrier: whoever makes the closure's answer another and then wakes it up need not
//! fear that it sleeps on in the old state. It must not sleep.

use crate::{
    bindings,
    engine::wait_loop::{
        self,
        Signalled,
        Sleeper, //
    },
    kapi::time::jiffies::Jiffies64, //
};
use core::ffi::c_int;
use kernel::{
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

/// Which signals end a wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signals {
    /// Every signal.
    All,
    /// Fatal ones.
    Fatal,
    /// None: the task sleeps in state D.
    None,
}

impl Signals {
    const fn state(self) -> u32 {
        match self {
            Signals::All => bindings::TASK_INTERRUPTIBLE,
            Signals::Fatal => bindings::TASK_KILLABLE,
            Signals::None => bindings::TASK_UNINTERRUPTIBLE,
        }
    }
}

/// `TASK_FREEZABLE_UNSAFE`.
#[inline]
fn freezable_unsafe() -> u32 {
    // SAFETY: A number.
    unsafe { bindings::task_freezable_unsafe() }
}

/// Sets the current task's state anew, so that it may be frozen.
#[cold]
#[inline(never)]
fn set_freezable_state(state: u32) {
    // SAFETY: The current task sets its own state, as it has before.
    unsafe { bindings::set_current_state(state | freezable_unsafe()) };
}

/// A list of sleeping tasks (`wait_queue_head_t`). Make it with [`new_wait_queue!`].
#[pin_data]
pub(crate) struct WaitQueue {
    #[pin]
    head: Opaque<bindings::wait_queue_head>,
}

// SAFETY: The queue has its own lock.
unsafe impl Send for WaitQueue {}
// SAFETY: As above.
unsafe impl Sync for WaitQueue {}

/// An initialiser for a [`WaitQueue`], with a lock class of its own named `$name`.
macro_rules! new_wait_queue {
    ($name:literal) => {
        $crate::kapi::sync::wait::WaitQueue::new(
            kernel::c_str!($name),
            kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_wait_queue;

impl WaitQueue {
    /// See [`new_wait_queue!`].
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is the queue's final place; name and key are static.
            head <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(slot, name.as_char_ptr(), key.as_ptr())
            }),
        })
    }

    /// Sleeps until `condition` holds (`wait_event*()`), or until a time.
    ///
    /// With `exclusive`, one [`wake_up_nr(1)`](Self::wake_up_nr) wakes one such waiter (the first
    /// to have come), and if this returns an error, a wake-up meant for it has gone to the next
    /// one.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` after a signal of the kind named.
    fn wait(
        &self,
        signals: Signals,
        freezable: impl Fn() -> bool,
        exclusive: bool,
        until: Option<Jiffies64>,
        mut condition: impl FnMut() -> bool,
    ) -> Result {
        if condition() {
            return Ok(());
        }
        let flags = if exclusive {
            bindings::WQ_FLAG_EXCLUSIVE
        } else {
            0
        };
        let entry = Opaque::<bindings::wait_queue_entry>::uninit();
        // SAFETY: The entry stays in this frame, which it leaves only off the queue: `wait_event()`
        // calls `finish_wait()` last.
        unsafe { bindings::init_wait_entry(entry.get(), flags as c_int) };
        let mut sleeper = OnQueue {
            head: self.head.get(),
            entry: &entry,
            state: signals.state(),
            freezable,
            signal: false,
            until,
        };
        wait_loop::wait_event(&mut sleeper, condition).map_err(|Signalled| ERESTARTSYS)
    }

    /// Sleeps until `condition` holds, or until one of `signals` (`ERESTARTSYS`).
    pub(crate) fn wait_event(&self, signals: Signals, condition: impl FnMut() -> bool) -> Result {
        self.wait(signals, || false, false, None, condition)
    }

    /// Sleeps until `condition` holds, until a time, or until one of `signals`; whether it holds.
    pub(crate) fn wait_event_until(
        &self,
        signals: Signals,
        until: Jiffies64,
        mut condition: impl FnMut() -> bool,
    ) -> bool {
        let or_passed = || condition() || until.has_passed();
        let _ = self.wait(signals, || false, false, Some(until), or_passed);
        condition()
    }

    /// `wait_event_interruptible_exclusive()`: as [`wait_event`](Self::wait_event), but one wake-up
    /// wakes one waiter.
    pub(crate) fn wait_event_interruptible_exclusive(
        &self,
        condition: impl FnMut() -> bool,
    ) -> Result {
        self.wait(Signals::All, || false, true, None, condition)
    }

    /// `wait_event_state_exclusive(.., TASK_KILLABLE)`, with `TASK_FREEZABLE_UNSAFE` if `freezable`
    /// says so; see [there](self#freezing).
    pub(crate) fn wait_event_killable_exclusive(
        &self,
        freezable: impl Fn() -> bool,
        condition: impl FnMut() -> bool,
    ) -> Result {
        self.wait(Signals::Fatal, freezable, true, None, condition)
    }

    /// Wakes all non-exclusive waiters and one exclusive one, telling the scheduler that the waker
    /// is about to sleep.
    pub(crate) fn wake_up_sync(&self) {
        // SAFETY: The queue is valid.
        unsafe { bindings::__wake_up_sync(self.head.get(), bindings::TASK_NORMAL) };
    }

    /// Wakes all non-exclusive waiters and `nr` exclusive ones.
    pub(crate) fn wake_up_nr(&self, nr: i32) {
        // SAFETY: The queue is valid.
        unsafe {
            bindings::__wake_up(
                self.head.get(),
                bindings::TASK_NORMAL,
                nr,
                core::ptr::null_mut(),
            )
        };
    }

    /// Wakes every waiter.
    pub(crate) fn wake_up_all(&self) {
        self.wake_up_nr(0);
    }

    /// Whether anyone waits (`waitqueue_active()`). Orders nothing: a waiter that is not seen must
    /// be sure to see, under a lock that the asker has held since, what it waits for.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        // SAFETY: The queue is valid.
        unsafe { bindings::waitqueue_active(self.head.get()) }
    }

    /// The C object.
    pub(in crate::kapi) fn as_ptr(&self) -> *mut bindings::wait_queue_head {
        self.head.get()
    }
}

/// The current task with an entry for a queue.
struct OnQueue<'a, F> {
    head: *mut bindings::wait_queue_head,
    entry: &'a Opaque<bindings::wait_queue_entry>,
    state: u32,
    freezable: F,
    signal: bool,
    until: Option<Jiffies64>,
}

/// Sleeps until woken up, or until a time.
#[inline]
fn sleep(until: Option<Jiffies64>) {
    match until {
        // SAFETY: Task context, by the contract of the callers.
        None => unsafe { bindings::schedule() },
        Some(until) => {
            // SAFETY: As above.
            unsafe { bindings::schedule_timeout(until.ticks_left()) };
        }
    }
}

impl<F> OnQueue<'_, F> {
    #[inline]
    fn prepare_in(&mut self, state: u32) {
        // SAFETY: Queue and entry are valid, by `WaitQueue::wait()`.
        let error =
            unsafe { bindings::prepare_to_wait_event(self.head, self.entry.get(), state as c_int) };
        self.signal = error != 0;
    }
}

impl<F: Fn() -> bool> Sleeper for OnQueue<'_, F> {
    #[inline]
    fn prepare(&mut self) {
        self.prepare_in(self.state);
        // A task that has been woken up meanwhile is off the queue: not just the state is to be set
        // anew.
        if !self.signal && (self.freezable)() {
            self.prepare_in(self.state | freezable_unsafe());
        }
    }

    #[inline]
    fn signal_pending(&mut self) -> bool {
        self.signal
    }

    #[inline]
    fn schedule(&mut self) {
        sleep(self.until);
    }

    #[inline]
    fn finish(&mut self) {
        // SAFETY: As in `prepare()`.
        unsafe { bindings::finish_wait(self.head, self.entry.get()) };
    }
}

/// A place for one task that waits (`struct rcuwait`): cheaper than a queue, no lock.
///
/// If two tasks wait at once, one of them may sleep for ever; nothing worse.
pub(crate) struct RcuWait(Opaque<bindings::rcuwait>);

// SAFETY: Made for use by several tasks.
unsafe impl Send for RcuWait {}
// SAFETY: As above.
unsafe impl Sync for RcuWait {}

impl RcuWait {
    /// With nobody waiting.
    pub(crate) fn new() -> Self {
        Self(Opaque::new(bindings::rcuwait {
            task: core::ptr::null_mut(),
        }))
    }

    /// Sleeps until `condition` holds (`rcuwait_wait_event()`). One task at a time. It may be
    /// frozen there if `freezable` says so; see [there](self#freezing).
    ///
    /// # Errors
    ///
    /// `EINTR` after a signal of the kind named.
    #[inline(always)]
    pub(crate) fn wait_event(
        &self,
        signals: Signals,
        freezable: impl Fn() -> bool,
        condition: impl FnMut() -> bool,
    ) -> Result {
        // SAFETY: The object is valid; `current` stays alive while it waits here, and RCU keeps it
        // for a waker that still looks at it after `finish_rcuwait()`.
        unsafe { bindings::prepare_to_rcuwait(self.0.get()) };
        let mut sleeper = OnRcuWait {
            wait: self.0.get(),
            state: signals.state(),
            until: None,
            freezable,
        };
        wait_loop::wait_event(&mut sleeper, condition).map_err(|Signalled| EINTR)
    }

    /// Sleeps until `condition` holds, or until a time. Whether it holds. No signal ends it.
    pub(crate) fn wait_event_until(
        &self,
        until: Jiffies64,
        freezable: impl Fn() -> bool,
        mut condition: impl FnMut() -> bool,
    ) -> bool {
        // SAFETY: As in `wait_event()`.
        unsafe { bindings::prepare_to_rcuwait(self.0.get()) };
        let mut sleeper = OnRcuWait {
            wait: self.0.get(),
            state: Signals::None.state(),
            until: Some(until),
            freezable,
        };
        // Without signals there is no error.
        let _ = wait_loop::wait_event(&mut sleeper, || condition() || until.has_passed());
        condition()
    }

    /// Wakes the task that waits, if one does.
    pub(crate) fn wake_up(&self) {
        // SAFETY: The object is valid.
        unsafe { bindings::rcuwait_wake_up(self.0.get()) };
    }
}

/// The current task, in the place of a [`RcuWait`].
struct OnRcuWait<F> {
    wait: *mut bindings::rcuwait,
    state: u32,
    until: Option<Jiffies64>,
    freezable: F,
}

impl<F: Fn() -> bool> Sleeper for OnRcuWait<F> {
    #[inline]
    fn prepare(&mut self) {
        // SAFETY: The current task sets its own state; it is reset by `finish_rcuwait()`.
        unsafe { bindings::set_current_state(self.state) };
        if (self.freezable)() {
            set_freezable_state(self.state);
        }
    }

    #[inline]
    fn signal_pending(&mut self) -> bool {
        // SAFETY: Looks at the current task only.
        unsafe { bindings::signal_pending_state_current(self.state) }
    }

    #[inline]
    fn schedule(&mut self) {
        sleep(self.until);
    }

    #[inline]
    fn finish(&mut self) {
        // SAFETY: The object is valid, by `RcuWait::wait_event()`.
        unsafe { bindings::finish_rcuwait(self.wait) };
    }
}
