// SPDX-License-Identifier: GPL-2.0

//! The count of requests that have not ended, outside the engine's lock.
//!
//! C: `num_waiting` of `struct fuse_chan` with `fuse_drop_waiting` and `fuse_chan_wait_aborted`,
//! where barriers order the count against `connected`; here both are in one word. Beside it stands
//! how few there must be for slots to go back, so that whoever leaves sees it without the engine's
//! lock. Takes no lock.

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
pub(crate) struct Waiting<C: Count = core::sync::atomic::AtomicU32> {
    count: C,
    /// Slots can go back when there are fewer.
    spare: C,
}

/// What follows when a request counts no more.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// It was the last one of an aborted channel: wake up all who wait for [`Waiting::is_over`].
    pub(crate) over: bool,
    /// There may be slots to be given back: call [`super::Engine::trim`].
    pub(crate) trim: bool,
}

impl<C: Count> Waiting<C> {
    /// None, not aborted.
    pub(crate) fn new() -> Self {
        Waiting {
            count: C::new(),
            spare: C::new(),
        }
    }

    /// One more. To be called before waiting at the gate, or submitting.
    #[inline]
    pub(crate) fn enter(&self) {
        self.count.fetch_add(1);
    }

    /// One less: it has ended, and nothing of it is in use any more.
    #[inline]
    pub(crate) fn leave(&self) -> Gone {
        let before = self.count.fetch_add(u32::MAX);
        Gone {
            over: before == (CLOSED | 1),
            trim: before & !CLOSED <= self.spare.load(),
        }
    }

    /// Has whoever leaves fewer than `below` give slots back. With the engine's lock held.
    ///
    /// Returns how many there are: either whoever leaves sees `below`, or this sees that they have
    /// left.
    pub(crate) fn watch(&self, below: u32) -> u32 {
        self.spare.update(|_| below);
        self.count.fetch_add(0) & !CLOSED
    }

    /// The channel was aborted. To be called once, by whoever was told so by
    /// [`super::Engine::abort`].
    pub(crate) fn close(&self) {
        self.count.fetch_add(CLOSED);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.count.load() & !CLOSED
    }

    /// Aborted, and none left: what an unmount waits for.
    pub(crate) fn is_over(&self) -> bool {
        self.count.load() == CLOSED
    }
}

impl<C: Count> Default for Waiting<C> {
    fn default() -> Self {
        Self::new()
    }
}
