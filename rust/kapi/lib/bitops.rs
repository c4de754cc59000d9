// SPDX-License-Identifier: GPL-2.0

//! Sets of bits that change atomically.
//!
//! C header: [`include/linux/bitops.h`](srctree/include/linux/bitops.h) (`set_bit()`, `test_bit()`,
//! `set_mask_bits()`, `test_bit_acquire()`). What was written before a change is seen by whoever
//! sees the change by [`AtomicBits::test_acquire`]; the other tests are relaxed, for flags that
//! stand for themselves.

use kernel::sync::atomic::{
    Acquire,
    Atomic,
    Relaxed,
    Release, //
};

/// 32 bits.
pub(crate) struct AtomicBits(Atomic<u32>);

impl AtomicBits {
    /// With these set.
    pub(crate) const fn new(bits: u32) -> Self {
        Self(Atomic::new(bits))
    }

    /// Those that are set.
    #[inline]
    fn bits(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// Whether any of `mask` is set.
    #[inline]
    pub(crate) fn test(&self, mask: u32) -> bool {
        self.bits() & mask != 0
    }

    /// The same, with acquire ordering.
    #[inline]
    pub(crate) fn test_acquire(&self, mask: u32) -> bool {
        self.0.load(Acquire) & mask != 0
    }

    /// Sets all of `mask`.
    pub(crate) fn set(&self, mask: u32) {
        self.update(|old| old | mask);
    }

    /// Clears all of `mask`.
    pub(crate) fn clear(&self, mask: u32) {
        self.update(|old| old & !mask);
    }

    /// Clears all of `mask`; whether any of it was set.
    pub(crate) fn test_and_clear(&self, mask: u32) -> bool {
        self.update(|old| old & !mask) & mask != 0
    }

    /// Replaces the value, and returns the old one. No store if nothing changes.
    fn update(&self, new: impl Fn(u32) -> u32) -> u32 {
        let mut old = self.bits();
        // Ends: each failure means that another task made progress.
        while new(old) != old {
            match self.0.cmpxchg(old, new(old), Release) {
                Ok(_) => break,
                Err(now) => old = now,
            }
        }
        old
    }
}
