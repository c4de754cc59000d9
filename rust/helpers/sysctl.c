// SPDX-License-Identifier: GPL-2.0
/*
 * The sysctls fs.fuse.*, read by one helper each, as others may write to them at
 * any time. Without CONFIG_SYSCTL they keep their defaults.
 */

#include <linux/limits.h>
#include <linux/sysctl.h>

static unsigned int fuse_max_pages_limit = 256;
static unsigned int fuse_default_request_timeout;
static unsigned int fuse_max_request_timeout;

#ifdef CONFIG_SYSCTL
/* INIT has 16 bits for each of these. */
static const unsigned int fuse_u16_max = U16_MAX;

#define FUSE_SYSCTL(name, least) {				\
	.procname	= #name,				\
	.data		= &fuse_##name,				\
	.maxlen		= sizeof(fuse_##name),			\
	.mode		= 0644,					\
	.proc_handler	= proc_douintvec_minmax,		\
	.extra1		= least,				\
	.extra2		= (void *)&fuse_u16_max,		\
}

static const struct ctl_table fuse_sysctl_table[] = {
	FUSE_SYSCTL(max_pages_limit, SYSCTL_ONE),
	FUSE_SYSCTL(default_request_timeout, SYSCTL_ZERO),
	FUSE_SYSCTL(max_request_timeout, SYSCTL_ZERO),
};

int fuse_helper_register_sysctls(void **header)
{
	*header = register_sysctl("fs/fuse", fuse_sysctl_table);
	return *header ? 0 : -ENOMEM;
}

void fuse_helper_unregister_sysctls(void *header)
{
	unregister_sysctl_table(header);
}
#else
int fuse_helper_register_sysctls(void **header)
{
	return 0;
}

void fuse_helper_unregister_sysctls(void *header)
{
}
#endif

unsigned int fuse_helper_sysctl_max_pages_limit(void)
{
	return READ_ONCE(fuse_max_pages_limit);
}

unsigned int fuse_helper_sysctl_default_request_timeout(void)
{
	return READ_ONCE(fuse_default_request_timeout);
}

unsigned int fuse_helper_sysctl_max_request_timeout(void)
{
	return READ_ONCE(fuse_max_request_timeout);
}
