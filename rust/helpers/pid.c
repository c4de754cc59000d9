// SPDX-License-Identifier: GPL-2.0

#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

/*
 * The name of the task that has this number now, in @buf of TASK_COMM_LEN bytes,
 * or nothing. RCU keeps the task while it is looked at; the name may change.
 */
bool fuse_helper_task_comm(pid_t nr, char *buf)
{
	struct task_struct *task;

	guard(rcu)();
	task = pid_task(find_pid_ns(nr, &init_pid_ns), PIDTYPE_PID);
	if (task)
		strscpy_pad(buf, task->comm, TASK_COMM_LEN);
	return task;
}
