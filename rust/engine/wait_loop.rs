// SPDX-License-Identifier: GPL-2.0

//! The order of the steps of a wait.
//!
//! C: the loops of `___wait_event()` and `___rcuwait_wait_event()`. Takes no lock itself, sleeps.
//! Needs only `core`: `kapi::sync::wait` supplies the kernel's steps, and the host tests run this
//! very file under loom and shuttle.

/// A task about to sleep, towards those who wake it up.
pub(crate) trait Sleeper {
    /// The task can be found by wakers and its state is set: from here on a wake-up, or a signal
    /// that ends the wait, keeps [`schedule`](Self::schedule) from sleeping. With a full barrier
    /// after it.
    ///
    /// On a queue: if such a signal is pending, takes the task off it instead, so that wake-ups to
    /// come go to the next one.
    fn prepare(&mut self);

    /// A signal that ends the wait is pending; on a queue, was at [`prepare`](Self::prepare).
    fn signal_pending(&mut self) -> bool;

    /// Sleeps, unless it has been woken up since [`prepare`](Self::prepare).
    fn schedule(&mut self);

    /// Undoes [`prepare`](Self::prepare).
    fn finish(&mut self);
}

/// The wait was ended by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signalled;

/// Sleeps until `condition` holds.
///
/// The condition is looked at after the state was set, or a wake-up could come between, and before
/// a signal is reported: a task woken up exclusively and signalled at once has taken the wake-up
/// from the next one, so it must not fail if there is what it was woken up for.
///
/// # Errors
///
/// [`Signalled`]: the condition did not hold when the signal was seen.
#[inline]
pub(crate) fn wait_event(
    sleeper: &mut impl Sleeper,
    mut condition: impl FnMut() -> bool,
) -> Result<(), Signalled> {
    let result = loop {
        sleeper.prepare();
        if condition() {
            break Ok(());
        }
        if sleeper.signal_pending() {
            break Err(Signalled);
        }
        sleeper.schedule();
        // Usually it holds now, and the waker has taken the task off the queue.
        if condition() {
            break Ok(());
        }
    };
    sleeper.finish();
    result
}
