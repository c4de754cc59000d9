// SPDX-License-Identifier: GPL-2.0

#include <linux/rcuwait.h>
#include <linux/wait.h>

__hot_helper bool fuse_helper_waitqueue_active(struct wait_queue_head *head)
{
	return waitqueue_active(head);
}

__hot_helper void fuse_helper_prepare_to_rcuwait(struct rcuwait *w)
{
	prepare_to_rcuwait(w);
}
