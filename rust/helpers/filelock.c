// SPDX-License-Identifier: GPL-2.0

#include <linux/filelock.h>

/* Without CONFIG_FILE_LOCKING all of these are inline. */

void fuse_helper_posix_test_lock(struct file *file, struct file_lock *fl)
{
	posix_test_lock(file, fl);
}

int fuse_helper_posix_lock_file(struct file *file, struct file_lock *fl)
{
	return posix_lock_file(file, fl, NULL);
}

int fuse_helper_locks_lock_file_wait(struct file *file, struct file_lock *fl)
{
	return locks_lock_file_wait(file, fl);
}
