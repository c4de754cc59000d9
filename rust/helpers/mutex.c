// SPDX-License-Identifier: GPL-2.0

#include <linux/mutex.h>

/*
 * What DEFINE_MUTEX() does when it is compiled, for a mutex that is not C's. Several tasks may be
 * the first users of one at once.
 */
void fuse_helper_mutex_init_once(struct mutex *lock, const char *name, struct lock_class_key *key,
				 bool *done)
{
	static DEFINE_MUTEX(fuse_mutex_init_once);

	mutex_lock(&fuse_mutex_init_once);
	if (!*done) {
		__mutex_init(lock, name, key);
		/* Pairs with the load in StaticMutex::lock(). */
		smp_store_release(done, true);
	}
	mutex_unlock(&fuse_mutex_init_once);
}

/* A macro with lockdep; without it a function, whose name bindgen knows already. */
int fuse_helper_mutex_lock_unless_killed(struct mutex *lock)
{
	return mutex_lock_killable(lock);
}
