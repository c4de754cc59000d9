// SPDX-License-Identifier: GPL-2.0

//! Allocation flags.
//!
//! C header: [`include/linux/gfp_types.h`](srctree/include/linux/gfp_types.h).
//!
//! The kernel crate's `alloc::Flags` cannot express `__GFP_NOFAIL`, `GFP_NOIO` or accounting of
//! objects from a cache; this is for the allocators in `kapi`.

use crate::bindings;
use core::ops::BitOr;

/// `gfp_t`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gfp(bindings::gfp_t);

const fn bit(bit: u32) -> Gfp {
    Gfp(1 << bit)
}

impl Gfp {
    /// May sleep, do I/O and enter filesystems.
    pub(crate) const KERNEL: Self = Self(bindings::GFP_KERNEL);
    /// As [`KERNEL`](Self::KERNEL), but does no I/O and does not enter filesystems.
    pub(crate) const NOIO: Self = Self(
        bindings::GFP_KERNEL & !bit(bindings::___GFP_FS_BIT).0 & !bit(bindings::___GFP_IO_BIT).0,
    );
    /// Charged to the current task's memory cgroup.
    pub(crate) const ACCOUNT: Self = bit(bindings::___GFP_ACCOUNT_BIT);
    /// Never fails; only with flags that may sleep.
    pub(crate) const NOFAIL: Self = bit(bindings::___GFP_NOFAIL_BIT);

    /// The C value.
    pub(super) const fn as_raw(self) -> bindings::gfp_t {
        self.0
    }
}

impl BitOr for Gfp {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
