// SPDX-License-Identifier: GPL-2.0

#include <linux/folio_batch.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

bool fuse_helper_mapping_empty(const struct address_space *mapping)
{
	return mapping_empty(mapping);
}

void fuse_helper_filemap_set_wb_err(struct address_space *mapping, int err)
{
	filemap_set_wb_err(mapping, err);
}

void fuse_helper_folio_batch_release(struct folio_batch *fbatch)
{
	folio_batch_release(fbatch);
}

bool fuse_helper_folio_trylock(struct folio *folio)
{
	return folio_trylock(folio);
}

int fuse_helper_folio_lock_killable(struct folio *folio)
{
	return folio_lock_killable(folio);
}

bool fuse_helper_folio_test_writeback(const struct folio *folio)
{
	return folio_test_writeback(folio);
}

bool fuse_helper_folio_test_dirty(const struct folio *folio)
{
	return folio_test_dirty(folio);
}

bool fuse_helper_folio_mapped(const struct folio *folio)
{
	return folio_mapped(folio);
}

pgoff_t fuse_helper_folio_index(const struct folio *folio)
{
	return folio->index;
}

unsigned long fuse_helper_folio_nr_pages(const struct folio *folio)
{
	return folio_nr_pages(folio);
}

/* Of a locked folio that is dirty: writes it, and waits. */
int fuse_helper_folio_launder(struct folio *folio)
{
	const struct address_space_operations *aops = folio->mapping->a_ops;

	return aops->launder_folio ? aops->launder_folio(folio) : 0;
}

/* A part of a locked folio is beyond the end now. */
void fuse_helper_folio_zero_invalidate(struct folio *folio, size_t offset,
				       size_t len)
{
	folio_zero_range(folio, offset, len);
	if (folio_has_private(folio) ||
	    mapping_release_always(folio->mapping))
		folio_invalidate(folio, offset, len);
}
