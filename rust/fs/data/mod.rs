// SPDX-License-Identifier: GPL-2.0

//! What is in files and symbolic links.
//!
//! - [`read`]: reading through the page cache,
//! - [`write`]: writing through the page cache,
//! - [`direct_io`]: reading and writing past it,
//! - [`readlink`]: READLINK, the text of a link.

pub(in crate::fs) mod direct_io;
pub(in crate::fs) mod read;
pub(in crate::fs) mod readlink;
pub(in crate::fs) mod write;
