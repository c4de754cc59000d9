// SPDX-License-Identifier: GPL-2.0
/*
 * C's macros and inline functions cannot be called from Rust: each helper wraps
 * one, under its own name with "fuse_helper_" before it, which the generated
 * bindings take off again. One file per kernel header or subject, sorted alphabetically.
 *
 * bindgen reads this file, so that a helper has no other declaration.
 */

#include <linux/compiler_types.h>

/*
 * Of the hot paths, and to be inlined there if the kernel's helpers are
 * (CONFIG_RUST_INLINE_HELPERS). That it must be "always" has the reasons that
 * the kernel's rust/helpers/helpers.c gives. bindgen ignores inline functions.
 */
#ifdef __BINDGEN__
#define __hot_helper
#else
#define __hot_helper __always_inline
#endif

#include "compat.c"
#include "filelock.c"
#include "fs.c"
#include "fs_rw.c"
#include "inval_wq.c"
#include "lockdep.c"
#include "mutex.c"
#include "pagemap.c"
#include "params.c"
#include "pid.c"
#include "pipe_fs_i.c"
#include "poll.c"
#include "posix_acl.c"
#include "sched.c"
#include "static_keys.c"
#include "suspend.c"
#include "sysctl.c"
#include "sysfs.c"
#include "truncate.c"
#include "uio.c"
#include "user_namespace.c"
#include "wait.c"
#include "workqueue.c"
