// SPDX-License-Identifier: GPL-2.0
/*
 * The parameter inval_wq, and the work that it starts and stops.
 */

#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/workqueue.h>

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
