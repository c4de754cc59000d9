// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/posix_acl.h>

void fuse_helper_posix_acl_release(struct posix_acl *acl)
{
	posix_acl_release(acl);
}

/* Whether the caller may have the set-group-id bit on this inode. */
bool fuse_helper_inode_in_group_or_capable(struct mnt_idmap *idmap,
					   const struct inode *inode)
{
	return in_group_or_capable(idmap, inode,
				   i_gid_into_vfsgid(idmap, inode));
}
