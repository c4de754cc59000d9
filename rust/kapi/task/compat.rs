// SPDX-License-Identifier: GPL-2.0

//! Tasks of another width than the kernel's.
//!
//! C header: [`include/linux/compat.h`](srctree/include/linux/compat.h).

use crate::bindings;

/// Whether the current system call is one of x32 (`in_x32_syscall()`).
pub(crate) fn in_x32_syscall() -> bool {
    // SAFETY: Looks at the current task's registers.
    unsafe { bindings::in_x32_syscall() }
}
