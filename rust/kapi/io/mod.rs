// SPDX-License-Identifier: GPL-2.0

//! Moving data: pipes and splice, direct I/O, iomap.
//!
//! - [`pipe_fs_i`]: `struct pipe_inode_info`, `struct pipe_buffer`,
//! - [`splice`]: putting something into a pipe, flags of splice(2),
//! - [`direct_io`]: a caller's pages, pinned for a request (`iov_iter_extract_pages()`),
//! - [`iomap`]: `struct iomap_read_ops`, `struct iomap_ops`.
//!
//! May use: `mm`, `page_cache`, `vfs`. Used by `device`, and by `transport` and `fs`.

pub(crate) mod direct_io;
pub(crate) mod iomap;
pub(crate) mod pipe_fs_i;
pub(crate) mod splice;
