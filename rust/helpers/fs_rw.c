// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/task_io_accounting_ops.h>

bool fuse_helper_iocb_is_dsync(const struct kiocb *iocb)
{
	return iocb_is_dsync(iocb);
}

ssize_t fuse_helper_generic_write_sync(struct kiocb *iocb, ssize_t count)
{
	return generic_write_sync(iocb, count);
}

void fuse_helper_task_io_account_write(size_t bytes)
{
	task_io_account_write(bytes);
}

bool fuse_helper_iput_if_not_last(struct inode *inode)
{
	return iput_if_not_last(inode);
}
