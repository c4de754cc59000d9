// SPDX-License-Identifier: GPL-2.0

//! A connection, as an administrator sees it.
//!
//! C counterpart: what `fuse_ctl_add_conn()` gives the inodes in `i_private` (control.c). Takes
//! "control::Connection::chan", a leaf; sleeps only where one is made.

use crate::{
    kapi::task::uidgid::Kgid,
    transport::Chan, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        Arc,
        SpinLock, //
    },
    task::Kuid, //
};

/// A connection, as its directory and files know it.
#[pin_data]
pub(super) struct Connection {
    /// Its id, which is the superblock's device number and the directory's name.
    pub(super) dev: u32,
    /// The mounter, who owns directory and files.
    pub(super) uid: Kuid,
    pub(super) gid: Kgid,
    /// Until it is unmounted; open files stay for longer.
    #[pin]
    pub(super) chan: SpinLock<Option<Arc<Chan>>>,
}

impl Connection {
    /// A connection that nobody knows yet.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(super) fn new(dev: u32, uid: Kuid, gid: Kgid, chan: Arc<Chan>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                dev,
                uid,
                gid,
                chan <- new_spinlock!(Some(chan), "control::Connection::chan"),
            }),
            GFP_KERNEL,
        )
    }

    /// Its channel, unless it has been unmounted.
    pub(super) fn chan(&self) -> Option<Arc<Chan>> {
        self.chan.lock().clone()
    }
}
