// SPDX-License-Identifier: GPL-2.0

#include <linux/sched.h>
#include <linux/sched/signal.h>

__hot_helper bool fuse_helper_signal_pending_state_current(unsigned int state)
{
	return signal_pending_state(state, current);
}

/* do_exit() sets the code before it closes the files. Its low bits: the signal. */
__hot_helper bool fuse_helper_current_dies_of_signal(void)
{
	return (current->flags & PF_EXITING) && (current->exit_code & 0x7f);
}

/* Its value depends on CONFIG_LOCKDEP. */
__hot_helper unsigned int fuse_helper_task_freezable_unsafe(void)
{
	return TASK_FREEZABLE_UNSAFE;
}

__hot_helper void fuse_helper_set_current_state(unsigned int state)
{
	set_current_state(state);
}

void fuse_helper_cond_resched_task(void)
{
	cond_resched();
}
