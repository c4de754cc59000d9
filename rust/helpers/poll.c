// SPDX-License-Identifier: GPL-2.0

#include <linux/poll.h>

__poll_t fuse_helper_poll_requested_events(const poll_table *table)
{
	return poll_requested_events(table);
}

u16 fuse_helper_mangle_poll(__poll_t events)
{
	return mangle_poll(events);
}

__poll_t fuse_helper_demangle_poll(u16 events)
{
	return demangle_poll(events);
}
