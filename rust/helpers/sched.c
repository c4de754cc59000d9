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

void fuse_helper_set_current_state(unsigned int state)
{
	set_current_state(state);
}

void fuse_helper_cond_resched_task(void)
{
	cond_resched();
}
