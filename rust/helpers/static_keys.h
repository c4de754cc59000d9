/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Static keys of ours. Each is a field of a struct, as static_branch_unlikely!() of
 * the kernel crate wants it.
 */
#ifndef _FUSE_STATIC_KEYS_H
#define _FUSE_STATIC_KEYS_H

#include <linux/jump_label.h>

struct fuse_static_key {
	struct static_key_false key;
};

/* Some connection measures how long its requests take. */
extern struct fuse_static_key fuse_latency_key;

#endif /* _FUSE_STATIC_KEYS_H */
