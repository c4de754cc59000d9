// SPDX-License-Identifier: GPL-2.0

#include <linux/dcache.h>
#include <linux/delayed_call.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/iversion.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/psi.h>
#include <linux/slab.h>
#include <linux/swap.h>

/*
 * The slab constructor has this type, inode_init_once() has not.
 */
static void inode_init_once_ctor(void *object)
{
	inode_init_once(object);
}

struct kmem_cache *fuse_helper_kmem_cache_create_inodes(const char *name,
							unsigned int size,
							unsigned int align)
{
	return kmem_cache_create(name, size, align,
				 SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT |
				 SLAB_RECLAIM_ACCOUNT, inode_init_once_ctor);
}

__hot_helper bool fuse_helper_inode_is_new(struct inode *inode)
{
	return inode_state_read_once(inode) & I_NEW;
}

__hot_helper loff_t fuse_helper_i_size_read(const struct inode *inode)
{
	return i_size_read(inode);
}

__hot_helper void fuse_helper_i_size_write(struct inode *inode, loff_t size)
{
	i_size_write(inode, size);
}

/*
 * Of a writer the owner is exact; of readers it is a hint, and marked as one
 * (kernel/locking/rwsem.c).
 */
__hot_helper bool fuse_helper_inode_is_locked_by_current(struct inode *inode)
{
#ifdef CONFIG_PREEMPT_RT
	return rt_mutex_owner(&inode->i_rwsem.rwbase.rtmutex) == current;
#else
	return atomic_long_read(&inode->i_rwsem.owner) == (long)current;
#endif
}

/* A directory's lock, under which those of its inodes are taken. */
void fuse_helper_inode_lock_parent(struct inode *dir)
{
	inode_lock_nested(dir, I_MUTEX_PARENT);
}

int fuse_helper_inode_lock_parent_killable(struct inode *dir)
{
	return down_write_killable_nested(&dir->i_rwsem, I_MUTEX_PARENT);
}

void fuse_helper_inode_set_dead(struct inode *inode)
{
	inode_set_flags(inode, S_DEAD, S_DEAD);
}

/* One more of what there is already. */
bool fuse_helper_inode_keep_write_access(struct inode *inode)
{
	int writers = atomic_read(&inode->i_writecount);

	do {
		if (writers <= 0)
			return false;
	} while (!atomic_try_cmpxchg(&inode->i_writecount, &writers, writers + 1));
	return true;
}

void fuse_helper_inode_put_write_access(struct inode *inode)
{
	put_write_access(inode);
}

bool fuse_helper_inode_deny_write_access(struct inode *inode)
{
	return atomic_dec_unless_positive(&inode->i_writecount);
}

void fuse_helper_inode_allow_write_access(struct inode *inode)
{
	atomic_inc(&inode->i_writecount);
}

bool fuse_helper_file_get_unless_released(struct file *file)
{
	return file_ref_get(&file->f_ref);
}

void fuse_helper_mark_inode_dirty_sync(struct inode *inode)
{
	mark_inode_dirty_sync(inode);
}

void fuse_helper_remove_inode_hash(struct inode *inode)
{
	remove_inode_hash(inode);
}

__hot_helper void fuse_helper_inode_set_acl_dont_cache(struct inode *inode)
{
	inode->i_acl = ACL_DONT_CACHE;
	inode->i_default_acl = ACL_DONT_CACHE;
}

__hot_helper bool fuse_helper_dir_emit_nointr(struct dir_context *ctx,
					      const char *name, int len,
					      u64 ino, unsigned int type)
{
	return dir_emit(ctx, name, len, ino, type | FILLDIR_FLAG_NOINTR);
}

__hot_helper unsigned int fuse_helper_current_umask(void)
{
	return current_umask();
}

__hot_helper bool fuse_helper_d_in_lookup(const struct dentry *dentry)
{
	return d_in_lookup(dentry);
}

struct dentry *fuse_helper_d_lookup_name(const struct dentry *parent,
					 const unsigned char *name,
					 unsigned int len)
{
	struct qstr q = QSTR_INIT(name, len);

	q.hash = full_name_hash(parent, name, len);
	return d_lookup(parent, &q);
}

bool fuse_helper_d_mountpoint(const struct dentry *dentry)
{
	return d_mountpoint(dentry);
}

void fuse_helper_dont_mount(struct dentry *dentry)
{
	dont_mount(dentry);
}

__hot_helper void fuse_helper_d_lookup_done(struct dentry *dentry)
{
	d_lookup_done(dentry);
}

__hot_helper bool fuse_helper_d_unhashed(const struct dentry *dentry)
{
	return d_unhashed(dentry);
}

bool fuse_helper_d_has_unhashed_parent(const struct dentry *dentry)
{
	const struct dentry *parent;
	bool unhashed = false;

	rcu_read_lock();
	for (parent = READ_ONCE(dentry->d_parent); !IS_ROOT(parent) && !unhashed;
	     parent = READ_ONCE(parent->d_parent))
		unhashed = d_unhashed(parent);
	rcu_read_unlock();
	return unhashed;
}

void fuse_helper_d_set_op_delete(struct dentry *dentry, bool ask)
{
	spin_lock(&dentry->d_lock);
	if (ask)
		dentry->d_flags |= DCACHE_OP_DELETE;
	else
		dentry->d_flags &= ~DCACHE_OP_DELETE;
	spin_unlock(&dentry->d_lock);
}

/* An unused dentry goes to the list, any other one with its last reference. */
void fuse_helper_d_expire(struct dentry *dentry, struct list_head *dispose)
{
	spin_lock(&dentry->d_lock);
	dentry->d_flags |= DCACHE_OP_DELETE;
	__move_to_shrink_list(dentry, dispose);
	spin_unlock(&dentry->d_lock);
}

u64 fuse_helper_inode_query_iversion(struct inode *inode)
{
	return inode_query_iversion(inode);
}

__hot_helper u64 fuse_helper_inode_peek_iversion(const struct inode *inode)
{
	return inode_peek_iversion(inode);
}

/* With the folio's lock, which is gone when read_folio has read it. */
static int read_link_folio(struct address_space *mapping, struct folio *folio)
{
	bool workingset = folio_test_workingset(folio);
	unsigned long pflags;
	int err;

	if (unlikely(workingset))
		psi_memstall_enter(&pflags);
	err = mapping->a_ops->read_folio(NULL, folio);
	if (unlikely(workingset))
		psi_memstall_leave(&pflags);
	if (!err && !folio_test_uptodate(folio))
		err = -EIO;
	return err;
}

/*
 * page_get_link_raw(), in which nobody who waits for another task's reading can
 * be killed. To wait first and call it then is not enough: if that reading has
 * failed, the next one is under way.
 */
const char *fuse_helper_page_get_link_killable(struct inode *inode,
					       struct delayed_call *done)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;
	int err;

	for (;;) {
		/* FGP_FOR_MMAP: a new folio comes without the lock as well. */
		folio = __filemap_get_folio(mapping, 0,
					    FGP_CREAT | FGP_FOR_MMAP,
					    mapping_gfp_mask(mapping));
		if (IS_ERR(folio))
			return ERR_CAST(folio);
		if (folio_test_uptodate(folio))
			break;
		err = folio_lock_killable(folio);
		if (err)
			goto put;
		/* Neither truncated nor read meanwhile? */
		if (folio->mapping == mapping && !folio_test_uptodate(folio)) {
			err = read_link_folio(mapping, folio);
			if (!err)
				break;
		} else {
			folio_unlock(folio);
		}
put:
		folio_put(folio);
		if (err)
			return ERR_PTR(err);
	}
	folio_mark_accessed(folio);
	set_delayed_call(done, page_put_link, folio);
	return folio_address(folio);
}

__hot_helper struct dentry *fuse_helper_file_dentry(const struct file *file)
{
	return file_dentry(file);
}

__hot_helper struct mnt_idmap *fuse_helper_file_mnt_idmap(const struct file *file)
{
	return file_mnt_idmap(file);
}
