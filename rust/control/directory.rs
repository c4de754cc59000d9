// SPDX-License-Identifier: GPL-2.0

//! The directory of a connection in the control filesystem.
//!
//! C counterpart: `fuse_ctl_add_conn`, `fuse_ctl_remove_conn` (control.c). Called with "fuse_mutex"
//! held; takes the locks of directories.

use super::{
    connection::Connection,
    knobs,
    FuseCtl, //
};
use crate::kapi::vfs::{
    libfs::Attach,
    super_block::SuperBlock, //
};
use kernel::{
    prelude::*,
    str::{
        CStr,
        Formatter, //
    },
    sync::Arc, //
};

/// Makes a connection's directory and files.
///
/// # Errors
///
/// ENOMEM.
pub(super) fn add(sb: &SuperBlock<FuseCtl>, connection: &Arc<Connection>) -> Result {
    let added = try_add(sb, connection);
    if added.is_err() {
        remove(sb, connection);
    }
    added
}

fn try_add(sb: &SuperBlock<FuseCtl>, connection: &Arc<Connection>) -> Result {
    let attach = Attach {
        uid: connection.uid,
        gid: connection.gid,
        node: connection,
    };
    let root = sb.simple_root().ok_or(ENOENT)?;
    let dir = with_name(connection.dev, |name| root.mkdir(name, 0o500, &attach))?;
    dir.create(c"waiting", 0o400, &attach, &knobs::WAITING)?;
    dir.create(c"abort", 0o200, &attach, &knobs::ABORT)?;
    dir.create(c"max_background", 0o600, &attach, &knobs::MAX_BACKGROUND)?;
    dir.create(
        c"congestion_threshold",
        0o600,
        &attach,
        &knobs::CONGESTION_THRESHOLD,
    )
}

/// Removes a connection's directory, if there is one.
pub(super) fn remove(sb: &SuperBlock<FuseCtl>, connection: &Connection) {
    let _ = with_name(connection.dev, |name| {
        if let Some(root) = sb.simple_root() {
            root.remove_by_name(name);
        }
        Ok(())
    });
}

/// Calls `f` with the name of a connection's directory.
fn with_name<R>(dev: u32, f: impl FnOnce(&CStr) -> Result<R>) -> Result<R> {
    // The largest number has ten digits.
    let mut name = [0; 12];
    kernel::fmt::Write::write_fmt(
        &mut Formatter::new(&mut name),
        kernel::prelude::fmt!("{dev}"),
    )
    .map_err(|_| EINVAL)?;
    f(CStr::from_bytes_until_nul(&name).map_err(|_| EINVAL)?)
}
