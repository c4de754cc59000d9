// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters: those of the module!{} macro are not in sysfs. Each is read
 * by a helper, as others may write to it at any time.
 */

#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>

static bool killable = true;
module_param(killable, bool, 0644);
MODULE_PARM_DESC(killable, "SIGKILL frees a caller whose request the daemon has (N: as the C module)");

__hot_helper bool fuse_helper_param_killable(void)
{
	return READ_ONCE(killable);
}

static bool keep_on_error;
module_param(keep_on_error, bool, 0644);
MODULE_PARM_DESC(keep_on_error, "A known name whose LOOKUP fails stays, with what is mounted there, unless the error is ENOENT or ESTALE (N: as the C module)");

__hot_helper bool fuse_helper_param_keep_on_error(void)
{
	return READ_ONCE(keep_on_error);
}

static unsigned int max_left = 256;
module_param(max_left, uint, 0644);
MODULE_PARM_DESC(max_left, "The most requests of a connection that killed callers may leave (0: none, at most 2000), a quarter of them by one user");

unsigned int fuse_helper_param_max_left(void)
{
	return READ_ONCE(max_left);
}

static unsigned int flush_wait = 10;
module_param(flush_wait, uint, 0644);
MODULE_PARM_DESC(flush_wait, "Seconds that a task which dies of a signal waits for its FLUSHes");

unsigned int fuse_helper_param_flush_wait(void)
{
	return READ_ONCE(flush_wait);
}

static bool allow_sys_admin_access;
module_param(allow_sys_admin_access, bool, 0644);
MODULE_PARM_DESC(allow_sys_admin_access, "CAP_SYS_ADMIN of the initial user namespace may use all mounts");

bool fuse_helper_param_allow_sys_admin_access(void)
{
	return READ_ONCE(allow_sys_admin_access);
}

/*
 * What INIT can ask for has 16 bits. The default is as many requests of 392 bytes
 * as take up 1/8192 of the memory.
 */
static unsigned int global_limit(unsigned int requests)
{
	unsigned long by_default = (totalram_pages() << PAGE_SHIFT >> 13) / 392;

	return min(requests ?: by_default, U16_MAX);
}

static int set_global_limit(const char *val, const struct kernel_param *kp)
{
	unsigned int requests;
	int err = kstrtouint(val, 0, &requests);

	if (err)
		return err;
	WRITE_ONCE(*(unsigned int *)kp->arg, global_limit(requests));
	return 0;
}

static unsigned int max_user_bgreq;
module_param_call(max_user_bgreq, set_global_limit, param_get_uint, &max_user_bgreq, 0644);
__MODULE_PARM_TYPE(max_user_bgreq, "uint");
MODULE_PARM_DESC(max_user_bgreq, "The most background requests that an unprivileged daemon gets (0: by the memory)");

static unsigned int max_user_congthresh;
module_param_call(max_user_congthresh, set_global_limit, param_get_uint, &max_user_congthresh,
		  0644);
__MODULE_PARM_TYPE(max_user_congthresh, "uint");
MODULE_PARM_DESC(max_user_congthresh, "The highest congestion threshold that an unprivileged daemon gets (0: by the memory)");

unsigned int fuse_helper_param_max_user_bgreq(void)
{
	return READ_ONCE(max_user_bgreq);
}

unsigned int fuse_helper_param_max_user_congthresh(void)
{
	return READ_ONCE(max_user_congthresh);
}

/* Gives those that were not set when the module was loaded their defaults. */
void fuse_helper_params_init(void)
{
	WRITE_ONCE(max_user_bgreq, global_limit(max_user_bgreq));
	WRITE_ONCE(max_user_congthresh, global_limit(max_user_congthresh));
}
