// SPDX-License-Identifier: GPL-2.0

#include <linux/mutex.h>

int fuse_helper_mutex_lock_unless_killed(struct mutex *lock)
{
	if (fuse_helper_param_killable())
		return mutex_lock_killable(lock);
	mutex_lock(lock);
	return 0;
}
