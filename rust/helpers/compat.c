// SPDX-License-Identifier: GPL-2.0

#include <linux/compat.h>

/* There is none for the architectures and configurations that have no x32. */
bool fuse_helper_in_x32_syscall(void)
{
#ifdef CONFIG_X86_X32_ABI
	return in_x32_syscall();
#else
	return false;
#endif
}
