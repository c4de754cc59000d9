// SPDX-License-Identifier: GPL-2.0

#include <linux/mutex.h>

/* A macro with lockdep; without it a function, whose name bindgen knows already. */
int fuse_helper_mutex_lock_unless_killed(struct mutex *lock)
{
	return mutex_lock_killable(lock);
}
