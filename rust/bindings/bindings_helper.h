/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Headers of the kernel's C interfaces that rust/bindings/allowlist takes
 * names from. Sorted alphabetically.
 */

#include <linux/hrtimer_types.h> /* first: see the kernel's bindings_helper.h */

#include <linux/backing-dev.h>
#include <linux/exportfs.h>
#include <linux/fileattr.h>
#include <linux/filelock.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/iomap.h>
#include <linux/iversion.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/pipe_fs_i.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/statfs.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "../helpers/fuse_trace.h"
#include "../helpers/static_keys.h"
#include "../helpers/trace_calls.h"

/*
 * Constants that bindgen cannot evaluate, because in C they are expressions with
 * casts or macros.
 */
const unsigned long FUSE_CONST_SB_RDONLY = SB_RDONLY;
const unsigned long FUSE_CONST_SB_MANDLOCK = SB_MANDLOCK;
const unsigned long FUSE_CONST_SB_POSIXACL = SB_POSIXACL;
const unsigned long FUSE_CONST_SB_I_VERSION = SB_I_VERSION;
const unsigned long FUSE_CONST_SB_NOSEC = SB_NOSEC;
const unsigned long FUSE_CONST_SB_ACTIVE = SB_ACTIVE;
const unsigned long FUSE_CONST_SB_DYING = SB_DYING;
const loff_t FUSE_CONST_MAX_LFS_FILESIZE = MAX_LFS_FILESIZE;
const int FUSE_CONST_IOCB_APPEND = IOCB_APPEND;
const int FUSE_CONST_IOCB_SYNC = IOCB_SYNC;
const unsigned int FUSE_CONST_DCACHE_OP_DELETE = DCACHE_OP_DELETE;
const unsigned int FUSE_CONST_LOOKUP_RCU = LOOKUP_RCU;
const unsigned int FUSE_CONST_LOOKUP_EXCL = LOOKUP_EXCL;
const unsigned int FUSE_CONST_LOOKUP_REVAL = LOOKUP_REVAL;
const unsigned int FUSE_CONST_LOOKUP_RENAME_TARGET = LOOKUP_RENAME_TARGET;
const unsigned int FUSE_CONST_FL_SLEEP = FL_SLEEP;
const unsigned int FUSE_CONST_FMODE_EXEC = __FMODE_EXEC;
const fmode_t FUSE_CONST_FMODE_CREATED = FMODE_CREATED;
const fmode_t FUSE_CONST_FMODE_OPENED = FMODE_OPENED;
