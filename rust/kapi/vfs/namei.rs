// SPDX-License-Identifier: GPL-2.0

//! Flags of path lookup.
//!
//! C header: [`include/linux/namei.h`](srctree/include/linux/namei.h).

use crate::bindings;

pub(crate) use bindings::{
    MAY_ACCESS,
    MAY_CHDIR,
    MAY_EXEC,
    MAY_READ,
    MAY_WRITE,
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    RENAME_WHITEOUT, //
};

/// `LOOKUP_*`: what a lookup is for.
#[derive(Clone, Copy)]
pub(crate) struct LookupFlags(u32);

impl LookupFlags {
    /// As the VFS passes them.
    pub(super) fn from_raw(flags: u32) -> Self {
        Self(flags)
    }

    /// `LOOKUP_RCU`: the walk holds no references and must not sleep.
    pub(super) fn rcu(self) -> bool {
        self.0 & bindings::FUSE_CONST_LOOKUP_RCU != 0
    }

    /// Whether a cached answer will not do: the last component of an exclusive creation
    /// (`LOOKUP_EXCL`), the target of a rename (`LOOKUP_RENAME_TARGET`), or a walk that starts over
    /// because cached entries led astray (`LOOKUP_REVAL`).
    pub(crate) fn wants_fresh(self) -> bool {
        self.0
            & (bindings::FUSE_CONST_LOOKUP_EXCL
                | bindings::FUSE_CONST_LOOKUP_REVAL
                | bindings::FUSE_CONST_LOOKUP_RENAME_TARGET)
            != 0
    }
}

/// The bits that the current task's umask takes away (`current_umask()`).
pub(crate) fn current_umask() -> u16 {
    // SAFETY: In task context.
    unsafe { bindings::current_umask() as u16 }
}
