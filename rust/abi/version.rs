// SPDX-License-Identifier: GPL-2.0

//! The protocol's version, and how the older minors differ.
//!
//! C counterpart: `FUSE_KERNEL_VERSION`, `fuse_chan::minor`, `fuse_adjust_compat` (dev.c), whose
//! cases are found here as `minor.before(N)` in the operations they are about. Takes no locks.

/// Our major version; a daemon with another is refused.
pub const MAJOR: u32 = 7;

/// A minor version: ours, or what the daemon said in its INIT reply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Minor(u32);

impl Minor {
    /// What this module speaks.
    pub const OURS: Self = Self(46);

    /// The version a daemon announced. It may be newer than ours: then ours is spoken.
    pub const fn new(minor: u32) -> Self {
        Self(minor)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether the daemon is older than 7.`minor`.
    pub const fn before(self, minor: u32) -> bool {
        self.0 < minor
    }
}
