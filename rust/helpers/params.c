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
#include <linux/workqueue.h>

static bool killable = true;
module_param(killable, bool, 0644);
MODULE_PARM_DESC(killable, "SIGKILL frees a caller whose request the daemon has (N: as the C module)");

bool fuse_helper_param_killable(void)
{
	return READ_ONCE(killable);
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

/* Shorter periods are refused. Those that are longer fit into jiffies. */
#define INVAL_WQ_MIN	5

static unsigned int inval_wq;
/* Runs each period; set and used under the lock of parameters. */
static struct delayed_work *inval_work;

static int set_inval_wq(const char *val, const struct kernel_param *kp)
{
	unsigned int old = inval_wq;
	unsigned int secs;
	int err = kstrtouint(val, 0, &secs);

	if (err)
		return err;
	if ((secs && secs < INVAL_WQ_MIN) || secs > U16_MAX)
		return -EINVAL;
	WRITE_ONCE(inval_wq, secs);
	if (!inval_work)
		return 0;
	if (secs && !old)
		schedule_delayed_work(inval_work, secs_to_jiffies(secs));
	else if (!secs && old)
		cancel_delayed_work_sync(inval_work);
	return 0;
}

static const struct kernel_param_ops inval_wq_ops = {
	.set = set_inval_wq,
	.get = param_get_uint,
};
module_param_cb(inval_wq, &inval_wq_ops, &inval_wq, 0644);
__MODULE_PARM_TYPE(inval_wq, "uint");
MODULE_PARM_DESC(inval_wq, "Seconds between rounds in which expired names are dropped (0: none; at least 5)");

unsigned int fuse_helper_param_inval_wq(void)
{
	return READ_ONCE(inval_wq);
}

void fuse_helper_inval_work_start(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
	kernel_param_lock(THIS_MODULE);
	inval_work = work;
	if (inval_wq)
		schedule_delayed_work(work, secs_to_jiffies(inval_wq));
	kernel_param_unlock(THIS_MODULE);
}

/* From the work itself: the next round. */
void fuse_helper_inval_work_again(struct delayed_work *work)
{
	unsigned int secs = READ_ONCE(inval_wq);

	if (secs)
		schedule_delayed_work(work, secs_to_jiffies(secs));
}

void fuse_helper_inval_work_stop(struct delayed_work *work)
{
	kernel_param_lock(THIS_MODULE);
	inval_work = NULL;
	kernel_param_unlock(THIS_MODULE);
	cancel_delayed_work_sync(work);
}
