// SPDX-License-Identifier: GPL-2.0

#include <linux/lockdep.h>

#ifdef CONFIG_LOCKDEP
static struct lockdep_map left_map = STATIC_LOCKDEP_MAP_INIT("fuse_left", &left_map);

void fuse_helper_left_map_acquire(void)
{
	lock_map_acquire(&left_map);
}

void fuse_helper_left_map_release(void)
{
	lock_map_release(&left_map);
}
#endif
