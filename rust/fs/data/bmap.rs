// SPDX-License-Identifier: GPL-2.0

//! Where a file's blocks are on the block device, for FIBMAP and swap files.
//!
//! C counterpart: `fuse_bmap()` (file.c). Takes no locks; sleeps for the daemon's answer.

use crate::{
    abi::op::{
        Bmap,
        Op, //
    },
    fs::Inode, //
};

/// `bmap`: 0 for what is in no block of the device, or cannot be told.
pub(in crate::fs) fn bmap(inode: &Inode, block: u64) -> u64 {
    let conn = inode.conn();
    if !conn.params.on_bdev {
        return 0;
    }
    let Ok(blocksize) = u32::try_from(inode.sb().s_blocksize()) else {
        return 0;
    };
    let op = Bmap { block, blocksize };
    let asked = conn.unless_lacking(Bmap::OPCODE, || conn.call(inode, &op));
    asked.ok().flatten().unwrap_or(0)
}
