// SPDX-License-Identifier: GPL-2.0

//! The daemon's side: `/dev/fuse`.

pub(super) mod device;
pub(super) mod installed;
pub(super) mod messages;
pub(super) mod reader;
pub(super) mod writer;
