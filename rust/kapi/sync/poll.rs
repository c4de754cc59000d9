// SPDX-License-Identifier: GPL-2.0

//! What a file is ready for.
//!
//! C header: [`include/linux/poll.h`](srctree/include/linux/poll.h).
//!
//! The kernel crate has numbers of type `u32` for this.

use crate::bindings;
use core::ops::BitOr;

/// `__poll_t`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PollEvents(bindings::__poll_t);

impl PollEvents {
    /// Nothing.
    pub(crate) const NONE: Self = Self(0);
    /// Can be read.
    pub(crate) const IN: Self = Self(bindings::POLLIN | bindings::POLLRDNORM);
    /// Can be written.
    pub(crate) const OUT: Self = Self(bindings::POLLOUT | bindings::POLLWRNORM);
    /// An error.
    pub(crate) const ERR: Self = Self(bindings::POLLERR);
    /// `DEFAULT_POLLMASK`: what a file is ready for that has no `poll`.
    pub(crate) const DEFAULT: Self = Self(Self::IN.0 | Self::OUT.0);

    /// What `poll` of an operations table returns.
    pub(in crate::kapi) fn from_raw(events: bindings::__poll_t) -> Self {
        Self(events)
    }

    /// The same for C.
    pub(in crate::kapi) fn to_raw(self) -> bindings::__poll_t {
        self.0
    }

    /// As `poll(2)` numbers them, without what it does not know (`mangle_poll()`).
    pub(crate) fn mangle(self) -> u16 {
        // SAFETY: A calculation.
        unsafe { bindings::mangle_poll(self.0) }
    }

    /// From what `poll(2)` numbers so (`demangle_poll()`).
    pub(crate) fn demangle(events: u16) -> Self {
        // SAFETY: A calculation.
        Self(unsafe { bindings::demangle_poll(events) })
    }
}

impl BitOr for PollEvents {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
