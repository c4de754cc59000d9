// SPDX-License-Identifier: GPL-2.0

#include <linux/pipe_fs_i.h>

unsigned int fuse_helper_pipe_max_usage(const struct pipe_inode_info *pipe)
{
	return READ_ONCE(pipe->max_usage);
}

unsigned int fuse_helper_pipe_buf_usage(const struct pipe_inode_info *pipe)
{
	return pipe_buf_usage(pipe);
}

/* The buffer that is @nth to be read; @nth is less than the usage. */
struct pipe_buffer *fuse_helper_pipe_nth_buf(const struct pipe_inode_info *pipe,
					     unsigned int nth)
{
	return pipe_buf(pipe, pipe->tail + nth);
}

/* The first buffer has been taken. */
void fuse_helper_pipe_advance_tail(struct pipe_inode_info *pipe)
{
	pipe->tail++;
}

bool fuse_helper_pipe_buf_get(struct pipe_inode_info *pipe,
			      struct pipe_buffer *buf)
{
	return pipe_buf_get(pipe, buf);
}

void fuse_helper_pipe_buf_release(struct pipe_inode_info *pipe,
				  struct pipe_buffer *buf)
{
	pipe_buf_release(pipe, buf);
}

int fuse_helper_pipe_buf_confirm(struct pipe_inode_info *pipe,
				 struct pipe_buffer *buf)
{
	return pipe_buf_confirm(pipe, buf);
}

bool fuse_helper_pipe_buf_try_steal(struct pipe_inode_info *pipe,
				    struct pipe_buffer *buf)
{
	return pipe_buf_try_steal(pipe, buf);
}
