// SPDX-License-Identifier: GPL-2.0

//! The count of requests that have not ended, outside the engine's lock.
//!
//! C: `num_waiting` of `struct fuse_chan` with `fuse_drop_waiting` and `fuse_chan_wait_aborted`,
//! where barriers order the count against `connected`; here both are in one word. Takes no lock.

/// The atomic operations needed; see `lend_state::Word`.
pub(crate) trait Count {
    /// 0.
    fn new() -> Self;

    /// Adds, wrapping, fully ordered; returns what was there before.
    fn fetch_add(&self, value: u32) -> u32;

    /// Puts what `f` makes of what is there, fully ordered.
    fn update(&self, f: impl Fn(u32) -> u32);

    /// Reads with acquire ordering.
    fn load(&self) -> u32;
}

impl Count for core::sync::atomic::AtomicU32 {
    fn new() -> Self {
        Self::new(0)
    }

    #[inline]
    fn fetch_add(&self, value: u32) -> u32 {
        self.fetch_add(value, core::sync::atomic::Ordering::SeqCst)
    }

    fn update(&self, f: impl Fn(u32) -> u32) {
        use core::sync::atomic::Ordering::SeqCst;

        // It always gives a value.
        let _ = self.fetch_update(SeqCst, SeqCst, |value| Some(f(value)));
    }

    #[inline]
    fn load(&self) -> u32 {
        self.load(core::sync::atomic::Ordering::Acquire)
    }
}

const CLOSED: u32 = 1 << 31;

/// How many requests there are, those that wait at the gate included, and whether the channel was
/// aborted.
#[derive(Debug)]
pub(crate) struct Waiting<C: Count = core::sync::atomic::AtomicU32>(C);

impl<C: Count> Waiting<C> {
    /// None, not aborted.
    pub(crate) fn new() -> Self {
        Waiting(C::new())
    }

    /// One more. To be called before waiting at the gate, or submitting.
    #[inline]
    pub(crate) fn enter(&self) {
        self.0.fetch_add(1);
    }

    /// One less: it has ended, and nothing of it is in use any more. True if it was the last one of
    /// an aborted channel: wake up all who wait for [`Self::is_over`].
    #[inline]
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        self.0.fetch_add(u32::MAX) == (CLOSED | 1)
    }

    /// The channel was aborted. To be called once, by whoever was told so by
    /// [`super::Engine::abort`].
    pub(crate) fn close(&self) {
        self.0.fetch_add(CLOSED);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.0.load() & !CLOSED
    }

    /// Aborted, and none left: what an unmount waits for.
    pub(crate) fn is_over(&self) -> bool {
        self.0.load() == CLOSED
    }
}

impl<C: Count> Default for Waiting<C> {
    fn default() -> Self {
        Self::new()
    }
}
