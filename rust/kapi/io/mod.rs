// SPDX-License-Identifier: GPL-2.0

//! Moving data: pipes and splice, direct I/O, iomap.

pub(crate) mod direct_io;
pub(crate) mod iomap;
pub(crate) mod pipe_fs_i;
pub(crate) mod splice;
