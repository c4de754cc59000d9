// SPDX-License-Identifier: GPL-2.0

#include <linux/user_namespace.h>

void fuse_helper_get_user_ns(struct user_namespace *ns)
{
	get_user_ns(ns);
}

void fuse_helper_put_user_ns(struct user_namespace *ns)
{
	put_user_ns(ns);
}
