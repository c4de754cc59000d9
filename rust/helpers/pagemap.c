// SPDX-License-Identifier: GPL-2.0

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

void fuse_helper_folio_get(struct folio *folio)
{
	folio_get(folio);
}

void fuse_helper_folio_put(struct folio *folio)
{
	folio_put(folio);
}

loff_t fuse_helper_folio_pos(const struct folio *folio)
{
	return folio_pos(folio);
}

size_t fuse_helper_folio_size(const struct folio *folio)
{
	return folio_size(folio);
}

size_t fuse_helper_offset_in_folio(const struct folio *folio, loff_t pos)
{
	return offset_in_folio(folio, pos);
}

bool fuse_helper_folio_test_uptodate(const struct folio *folio)
{
	return folio_test_uptodate(folio);
}

void fuse_helper_folio_zero_range(struct folio *folio, size_t start, size_t len)
{
	folio_zero_range(folio, start, len);
}

void fuse_helper_flush_dcache_folio(struct folio *folio)
{
	flush_dcache_folio(folio);
}

/* folio_mark_dirty_lock(), unless somebody has the lock. */
void fuse_helper_folio_mark_dirty_nowait(struct folio *folio)
{
	if (!folio_trylock(folio))
		return;
	folio_mark_dirty(folio);
	folio_unlock(folio);
}

struct folio *fuse_helper_page_folio(struct page *page)
{
	return page_folio(page);
}

size_t fuse_helper_page_offset_in_folio(struct folio *folio, struct page *page)
{
	return folio_page_idx(folio, page) << PAGE_SHIFT;
}

struct address_space *fuse_helper_folio_mapping_locked(struct folio *folio)
{
	return folio->mapping;
}

/*
 * The folio may be locked for as long as the daemon takes to fill it, hence not
 * FGP_WRITEBEGIN, for which nobody can be killed.
 */
struct folio *fuse_helper_filemap_write_begin(struct address_space *mapping,
					      pgoff_t index)
{
	gfp_t gfp = mapping_gfp_mask(mapping);
	struct folio *folio;
	int err;

	if (!fuse_helper_param_killable())
		return __filemap_get_folio(mapping, index, FGP_WRITEBEGIN, gfp);

	/* FGP_FOR_MMAP: a new folio comes without the lock as well. */
	for (;;) {
		folio = __filemap_get_folio(mapping, index,
					    FGP_CREAT | FGP_WRITE | FGP_FOR_MMAP,
					    gfp);
		if (IS_ERR(folio))
			return folio;
		err = folio_lock_killable(folio);
		if (err) {
			folio_put(folio);
			return ERR_PTR(err);
		}
		if (likely(folio->mapping == mapping)) {
			folio_wait_stable(folio);
			return folio;
		}
		folio_unlock(folio);
		folio_put(folio);
	}
}

/*
 * From a folio that is locked for it. Faults are disabled: copies what is
 * resident. The folio may be mapped, hence the flushes.
 */
size_t fuse_helper_filemap_copy_from_iter(struct folio *folio, size_t offset,
					  size_t bytes, struct iov_iter *i)
{
	size_t copied;

	if (mapping_writably_mapped(folio->mapping))
		flush_dcache_folio(folio);
	copied = copy_folio_from_iter_atomic(folio, offset, bytes, i);
	flush_dcache_folio(folio);
	return copied;
}

/* The counterpart of copy_folio_from_iter_atomic(), which C does not have. */
size_t fuse_helper_copy_folio_to_iter_atomic(struct folio *folio, size_t offset,
					     size_t bytes, struct iov_iter *i)
{
	size_t copied;

	pagefault_disable();
	copied = copy_folio_to_iter(folio, offset, bytes, i);
	pagefault_enable();
	return copied;
}

void fuse_helper_memcpy_from_folio(char *to, struct folio *folio, size_t offset,
				   size_t len)
{
	memcpy_from_folio(to, folio, offset, len);
}

void fuse_helper_memcpy_to_folio(struct folio *folio, size_t offset,
				 const char *from, size_t len)
{
	memcpy_to_folio(folio, offset, from, len);
}
