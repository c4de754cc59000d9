// SPDX-License-Identifier: GPL-2.0
/*
 * C's macros and inline functions cannot be called from Rust: each helper wraps
 * one, under its own name with "fuse_helper_" before it, which the generated
 * bindings take off again. One file per kernel header or subject, sorted alphabetically.
 *
 * bindgen reads this file, so that a helper has no other declaration.
 */

#include "compat.c"
#include "fs.c"
#include "fs_rw.c"
#include "inval_wq.c"
#include "lockdep.c"
#include "mutex.c"
#include "pagemap.c"
#include "params.c"
#include "pid.c"
#include "pipe_fs_i.c"
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
