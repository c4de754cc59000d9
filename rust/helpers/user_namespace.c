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

#ifndef CONFIG_USER_NS
kuid_t fuse_helper_make_kuid(struct user_namespace *from, uid_t uid)
{
	return make_kuid(from, uid);
}

kgid_t fuse_helper_make_kgid(struct user_namespace *from, gid_t gid)
{
	return make_kgid(from, gid);
}

gid_t fuse_helper_from_kgid(struct user_namespace *to, kgid_t gid)
{
	return from_kgid(to, gid);
}

uid_t fuse_helper_from_kuid_munged(struct user_namespace *to, kuid_t uid)
{
	return from_kuid_munged(to, uid);
}

gid_t fuse_helper_from_kgid_munged(struct user_namespace *to, kgid_t gid)
{
	return from_kgid_munged(to, gid);
}

bool fuse_helper_current_in_userns(const struct user_namespace *target_ns)
{
	return current_in_userns(target_ns);
}
#endif
