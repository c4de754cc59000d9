// SPDX-License-Identifier: GPL-2.0

#include <linux/sched.h>
#include <linux/sched/signal.h>

bool fuse_helper_fatal_signal_pending_current(void)
{
	return fatal_signal_pending(current);
}

bool fuse_helper_signal_pending_current(void)
{
	return signal_pending(current);
}

bool fuse_helper_signal_pending_state_current(unsigned int state)
{
	return signal_pending_state(state, current);
}

/* do_exit() sets the code before it closes the files. Its low bits: the signal. */
bool fuse_helper_current_dies_of_signal(void)
{
	return (current->flags & PF_EXITING) && (current->exit_code & 0x7f);
}

/* Its value depends on CONFIG_LOCKDEP. */
unsigned int fuse_helper_task_freezable_unsafe(void)
{
	return TASK_FREEZABLE_UNSAFE;
}

/*
 * For a task that waits for a daemon's answer. Frozen where it sleeps, it does
 * not hold up a suspend; the daemon, frozen as well, could not answer anyway. It
 * may hold locks of the VFS, hence _UNSAFE, as with network file systems: who
 * waits for those locks could not go on without the daemon either.
 */
void fuse_helper_set_waiting_state(unsigned int state)
{
	if (fuse_helper_param_killable())
		state |= TASK_FREEZABLE_UNSAFE;
	set_current_state(state);
}

void fuse_helper_cond_resched_task(void)
{
	cond_resched();
}
