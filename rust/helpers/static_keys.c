// SPDX-License-Identifier: GPL-2.0

#include "static_keys.h"

struct fuse_static_key fuse_latency_key = {
	.key = STATIC_KEY_FALSE_INIT,
};
