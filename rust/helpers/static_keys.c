// SPDX-License-Identifier: GPL-2.0

#include "static_keys.h"

struct fuse_static_key fuse_latency_key = {
	.key = STATIC_KEY_FALSE_INIT,
};

/* Without jump labels, inline functions on a counter. */
bool fuse_helper_latency_key_inc(void)
{
	return static_key_slow_inc(&fuse_latency_key.key.key);
}

void fuse_helper_latency_key_dec(void)
{
	static_key_slow_dec(&fuse_latency_key.key.key);
}
