// SPDX-License-Identifier: GPL-2.0

#include <linux/highmem.h>
#include <linux/iov_iter.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

bool fuse_helper_iov_iter_is_kvec(const struct iov_iter *i)
{
	return iov_iter_is_kvec(i);
}

static __always_inline size_t step_to_user(void __user *to, size_t progress,
					   size_t len, void *from, void *unused)
{
	from += progress;
	if (!check_copy_size(from, len, true))
		return len;
	return _inline_copy_to_user(to, from, len);
}

static __always_inline size_t step_from_user(void __user *from, size_t progress,
					     size_t len, void *to, void *unused)
{
	to += progress;
	if (!check_copy_size(to, len, false))
		return len;
	return _inline_copy_from_user(to, from, len);
}

/*
 * Copies what is resident and stops, without faulting, at what is not: the
 * count is exact. One helper for the three steps, as this is the hot path; and
 * one buffer, which is what daemons have for requests, goes without the detour
 * through the iterators of all kinds, and without calls.
 */
__hot_helper size_t fuse_helper_copy_to_iter_atomic(const void *from, size_t len,
				       struct iov_iter *i)
{
	size_t copied;

	pagefault_disable();
	if (likely(iter_is_ubuf(i)))
		copied = iterate_ubuf(i, min(len, iov_iter_count(i)),
				      (void *)from, NULL, step_to_user);
	else
		copied = copy_to_iter(from, len, i);
	pagefault_enable();
	return copied;
}

__hot_helper size_t fuse_helper_copy_from_iter_atomic(void *to, size_t len,
					 struct iov_iter *i)
{
	size_t copied;

	pagefault_disable();
	if (likely(iter_is_ubuf(i)))
		copied = iterate_ubuf(i, min(len, iov_iter_count(i)), to, NULL,
				      step_from_user);
	else
		copied = copy_from_iter(to, len, i);
	pagefault_enable();
	return copied;
}

static __always_inline size_t step_words_from_user(void __user *from, size_t progress,
						   size_t len, void *to, void *unused)
{
	u64 __user *src = from;
	u64 *dst = to;

	scoped_user_read_access_size(src, len, efault) {
		unsafe_get_user(dst[0], &src[0], efault);
		unsafe_get_user(dst[1], &src[1], efault);
	}
	return 0;
efault:
	return len;
}

/*
 * Two words, if they are resident and in one buffer: each reply begins so, and
 * the copy loop costs more than they do. False if nothing was copied.
 */
__hot_helper bool fuse_helper_copy_words_from_iter_atomic(u64 to[2], struct iov_iter *i)
{
	size_t len = 2 * sizeof(*to), copied;

	if (!iter_is_ubuf(i) || iov_iter_count(i) < len)
		return false;
	pagefault_disable();
	copied = iterate_ubuf(i, len, to, NULL, step_words_from_user);
	pagefault_enable();
	return copied;
}

/* Memory of a page that is pinned or otherwise held. */
void fuse_helper_copy_to_page(struct page *page, size_t offset,
			      const char *from, size_t len)
{
	memcpy_to_page(page, offset, from, len);
}

void fuse_helper_copy_from_page(struct page *page, size_t offset, char *to,
				size_t len)
{
	memcpy_from_page(to, page, offset, len);
}
