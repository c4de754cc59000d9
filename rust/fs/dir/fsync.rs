// SPDX-License-Identifier: GPL-2.0

//! Making a directory's changes durable: FSYNCDIR.
//!
//! C counterpart: `fuse_dir_fsync()` (dir.c). Takes the directory's `i_rwsem` exclusively; sleeps
//! for the daemon's answer.

use crate::{
    abi::op::{
        Fsync,
        Fsyncdir,
        Op, //
    },
    fs::File, //
};
use kernel::prelude::*;

/// `fsync` of a directory.
pub(in crate::fs) fn fsync(file: &File, datasync: bool) -> Result {
    let inode = file.inode();
    let conn = inode.conn();
    inode.check_bad()?;

    let op = Fsyncdir(Fsync {
        fh: file.data().fh,
        datasync,
    });
    conn.unless_lacking(Fsyncdir::OPCODE, || {
        let _lock = inode.lock()?;
        conn.call(file, &op)
    })
    .map(drop)
}
