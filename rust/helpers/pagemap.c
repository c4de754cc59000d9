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

void fuse_helper_folio_mark_uptodate(struct folio *folio)
{
	folio_mark_uptodate(folio);
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
 * The folio may be locked for as long as the daemon takes to fill it, and for
 * FGP_WRITEBEGIN nobody can be killed.
 */
struct folio *fuse_helper_filemap_write_begin(struct address_space *mapping,
					      pgoff_t index, bool killable)
{
	gfp_t gfp = mapping_gfp_mask(mapping);
	struct folio *folio;
	int err;

	if (!killable)
		return __filemap_get_folio(mapping, index, FGP_WRITEBEGIN, gfp);

	/* FGP_FOR_MMAP: a new folio comes without the lock as well. */
	for (;;) {
		folio = __filemap_get_folio(mapping, index,
					    FGP_CREAT | FGP_WRITE | FGP_FOR_MMAP,
					    gfp);
		if (IS_ERR(folio))
			return folio;
		err = folio_lock_killable(folio);
		if (err)
			goto put;
		if (likely(folio->mapping == mapping)) {
			/* folio_wait_stable() */
			if (mapping_stable_writes(mapping))
				err = folio_wait_writeback_killable(folio);
			if (likely(!err))
				return folio;
		}
		folio_unlock(folio);
put:
		folio_put(folio);
		if (err)
			return ERR_PTR(err);
	}
}

/* Without its lock; made, if it is to be and is not there. */
struct folio *fuse_helper_filemap_get_unlocked(struct address_space *mapping,
					       pgoff_t index, bool make)
{
	if (!make)
		return __filemap_get_folio(mapping, index, FGP_ACCESSED, 0);
	/* FGP_FOR_MMAP: a new folio comes without the lock as well. */
	return __filemap_get_folio(mapping, index,
				   FGP_ACCESSED | FGP_CREAT | FGP_FOR_MMAP,
				   mapping_gfp_mask(mapping));
}

/*
 * filemap_grab_folio() without the lock, which somebody may have for as long as
 * the daemon takes to fill the folio. FGP_FOR_MMAP: see above.
 */
struct folio *fuse_helper_filemap_grab_unlocked(struct address_space *mapping,
						pgoff_t index)
{
	return __filemap_get_folio(mapping, index,
				   FGP_ACCESSED | FGP_CREAT | FGP_FOR_MMAP,
				   mapping_gfp_mask(mapping));
}

struct folio *fuse_helper_filemap_get_folio(struct address_space *mapping,
					    pgoff_t index)
{
	return filemap_get_folio(mapping, index);
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

/*
 * Between a page, of which offset and length may reach into those that follow
 * it in the same folio, and a folio.
 */
static void copy_page_folio(struct page *page, size_t page_offset,
			    struct folio *folio, size_t offset, size_t len,
			    bool to_page)
{
	while (len) {
		struct page *p = page + (page_offset >> PAGE_SHIFT);
		size_t in_page = offset_in_page(page_offset);
		size_t n = min3(len, PAGE_SIZE - in_page,
				PAGE_SIZE - offset_in_page(offset));
		char *paddr = kmap_local_page(p);
		char *faddr = kmap_local_folio(folio, offset);

		if (to_page)
			memcpy(paddr + in_page, faddr, n);
		else
			memcpy(faddr, paddr + in_page, n);
		kunmap_local(faddr);
		kunmap_local(paddr);
		page_offset += n;
		offset += n;
		len -= n;
	}
}

void fuse_helper_copy_folio_to_page(struct folio *folio, size_t offset,
				    struct page *page, size_t page_offset,
				    size_t len)
{
	copy_page_folio(page, page_offset, folio, offset, len, true);
}

void fuse_helper_copy_page_to_folio(struct page *page, size_t page_offset,
				    struct folio *folio, size_t offset,
				    size_t len)
{
	copy_page_folio(page, page_offset, folio, offset, len, false);
}

struct page *fuse_helper_folio_first_page(struct folio *folio)
{
	return folio_page(folio, 0);
}

/* For user space; not cleared. */
struct page *fuse_helper_alloc_page_highuser(void)
{
	return alloc_page(GFP_HIGHUSER);
}

bool fuse_helper_folio_test_large(const struct folio *folio)
{
	return folio_test_large(folio);
}

void fuse_helper_folio_wait_locked(struct folio *folio)
{
	folio_wait_locked(folio);
}

/* Waits for the lock to be free, or for a fatal signal. */
int fuse_helper_folio_wait_locked_killable(struct folio *folio)
{
	return folio_wait_locked_killable(folio);
}

/* Its contents are not those of a file, or of another one. */
void fuse_helper_folio_disown(struct folio *folio)
{
	folio_clear_uptodate(folio);
	folio_clear_mappedtodisk(folio);
}

/*
 * True if a locked folio with one reference is nobody's: not mapped, in no
 * mapping, and without a flag that says more about it than how it was used.
 */
bool fuse_helper_folio_is_nobodys(const struct folio *folio)
{
	const unsigned long fine = 1UL << PG_locked | 1UL << PG_referenced |
				   1UL << PG_lru | 1UL << PG_active |
				   1UL << PG_workingset | 1UL << PG_reclaim |
				   1UL << PG_waiters | LRU_GEN_MASK |
				   LRU_REFS_MASK;

	return !folio_mapped(folio) && !folio->mapping &&
	       !(folio->flags.f & PAGE_FLAGS_CHECK_AT_PREP & ~fine);
}

/*
 * True if a locked folio of the page cache is fresh, so that another one may
 * take its place.
 */
bool fuse_helper_folio_is_fresh(struct folio *folio)
{
	return folio->mapping && !folio_mapped(folio) &&
	       !folio_test_uptodate(folio) && !folio_has_private(folio) &&
	       !folio_test_dirty(folio) && !folio_test_writeback(folio) &&
	       !folio_test_mlocked(folio);
}
