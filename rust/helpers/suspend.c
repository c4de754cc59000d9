// SPDX-License-Identifier: GPL-2.0

#include <linux/suspend.h>

/* Without CONFIG_PM_SLEEP these are inline functions that do nothing. */
int fuse_helper_pm_notifier_register(struct notifier_block *nb)
{
	return register_pm_notifier(nb);
}

void fuse_helper_pm_notifier_unregister(struct notifier_block *nb)
{
	unregister_pm_notifier(nb);
}
