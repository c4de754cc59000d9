// SPDX-License-Identifier: GPL-2.0

#include <linux/workqueue.h>

/* A macro with a format and variable arguments in C. */
struct workqueue_struct *fuse_helper_alloc_unbound_workqueue(const char *name)
{
	return alloc_workqueue("%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 0, name);
}

void fuse_helper_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

void fuse_helper_queue_work(struct workqueue_struct *wq,
			    struct work_struct *work)
{
	queue_work(wq, work);
}
