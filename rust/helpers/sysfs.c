// SPDX-License-Identifier: GPL-2.0

#include <linux/sysfs.h>

#ifndef CONFIG_SYSFS
int fuse_helper_sysfs_create_mount_point(struct kobject *parent, const char *name)
{
	return sysfs_create_mount_point(parent, name);
}

void fuse_helper_sysfs_remove_mount_point(struct kobject *parent, const char *name)
{
	sysfs_remove_mount_point(parent, name);
}
#endif
