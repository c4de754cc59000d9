// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters: those of the module!{} macro are not in sysfs. Each is read
 * by a helper, as others may write to it at any time.
 */

#include <linux/moduleparam.h>

static bool killable = true;
module_param(killable, bool, 0644);
MODULE_PARM_DESC(killable, "SIGKILL frees a caller whose request the daemon has (N: as the C module)");

bool fuse_helper_param_killable(void)
{
	return READ_ONCE(killable);
}
