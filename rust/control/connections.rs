// SPDX-License-Identifier: GPL-2.0

//! All connections that are mounted, and their directories: in debugfs, and in the control
//! filesystem, if that is mounted.
//!
//! C counterpart: `fuse_conn_list`, `fuse_control_sb`, `fuse_mutex` (inode.c, control.c).
//! "fuse_mutex" is taken with `s_umount` held; below it come the control superblock's killsb
//! semaphore, and the locks of its directories. All of it may sleep.

use super::{
    connection::Connection,
    debugfs::DebugDir,
    directory,
    FuseCtl, //
};
use crate::{
    kapi::{
        sync::mutex::StaticMutex,
        task::uidgid::Kgid,
        vfs::super_block::{
            LiveSuper,
            SuperBlock, //
        },
    },
    transport::Chan, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    task::Kuid, //
};

/// A connection that is mounted.
struct Mounted {
    connection: Arc<Connection>,
    _debug: DebugDir,
}

/// What there is.
struct Connections {
    all: KVec<Mounted>,
    /// The control filesystem's superblock, if it has been mounted; it may be gone since.
    control: Option<Arc<LiveSuper<FuseCtl>>>,
}

static CONNECTIONS: StaticMutex<Connections> = StaticMutex::new(
    c"fuse_mutex",
    Connections {
        all: KVec::new(),
        control: None,
    },
);

impl Connections {
    /// Calls `f` with the control filesystem, if it is mounted.
    fn with_control<R>(&self, f: impl FnOnce(&SuperBlock<FuseCtl>) -> R) -> Option<R> {
        self.control.as_ref()?.with(f)
    }
}

/// The connection of superblock `dev` is being mounted by this user and group. Sleeps. C:
/// `fuse_ctl_add_conn()` and what is around it.
///
/// # Errors
///
/// ENOMEM.
pub(crate) fn add(dev: u32, uid: Kuid, gid: Kgid, chan: &Arc<Chan>) -> Result {
    let connection = Connection::new(dev, uid, gid, chan.clone())?;
    let debug = DebugDir::new(dev, chan)?;
    let mut connections = CONNECTIONS.lock();
    connections.all.reserve(1, GFP_KERNEL)?;
    connections
        .with_control(|sb| directory::add(sb, &connection))
        .unwrap_or(Ok(()))?;
    connections
        .all
        .push_within_capacity(Mounted {
            connection,
            _debug: debug,
        })
        .map_err(|_| ENOMEM)
}

/// A connection is being unmounted, or was not mounted after all. Sleeps. C:
/// `fuse_ctl_remove_conn()` and what is around it.
pub(crate) fn remove(dev: u32) {
    let mut connections = CONNECTIONS.lock();
    let position = |mounted: &Mounted| mounted.connection.dev == dev;
    let Some(index) = connections.all.iter().position(position) else {
        return;
    };
    // Dropped at the end, when no lock is held any more; so is its reference to the channel.
    let Ok(mounted) = connections.all.remove(index) else {
        return;
    };
    let connection = &mounted.connection;
    // No memory stays behind at unload.
    if connections.all.is_empty() {
        connections.all = KVec::new();
    }
    let _chan = connection.chan.lock().take();
    connections.with_control(|sb| directory::remove(sb, connection));
    drop(connections);
}

/// The control filesystem is being mounted: gives it a directory for each connection that there is.
///
/// # Errors
///
/// ENOMEM.
pub(super) fn show_all(sb: &SuperBlock<FuseCtl>) -> Result {
    let mut connections = CONNECTIONS.lock();
    for mounted in &connections.all {
        directory::add(sb, &mounted.connection)?;
    }
    connections.control = Some(sb.live().clone());
    Ok(())
}

/// The control filesystem is being unmounted.
pub(super) fn hide_all() {
    CONNECTIONS.lock().control = None;
}
