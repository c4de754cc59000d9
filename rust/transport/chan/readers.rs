// SPDX-License-Identifier: GPL-2.0

//! Daemon threads that wait for something to read, in read(2) and in poll(2), or for SIGIO.
//!
//! C counterpart: `waitq` and `fasync` of `struct fuse_iqueue`, `fuse_dev_wake_and_unlock()`. Takes
//! the wait queue's lock.

use crate::{
    engine::Effects,
    kapi::{
        device::fasync::Fasync,
        sync::wait::{
            new_wait_queue,
            WaitQueue, //
        },
    },
};
use kernel::prelude::*;

/// Those of a channel.
#[pin_data]
pub(in crate::transport) struct Readers {
    /// Readers of the device.
    #[pin]
    pub(in crate::transport) queue: WaitQueue,
    /// Owners of devices that want SIGIO when there is something to read.
    pub(in crate::transport) fasync: Fasync,
}

impl Readers {
    /// None.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- new_wait_queue!("fuse_chan::readers"),
            fasync: Fasync::new(),
        })
    }

    /// Wakes up one reader, with `sync` for a task that is about to wait for it.
    #[inline]
    pub(super) fn wake_one(&self, sync: bool) {
        if sync {
            self.queue.wake_up_sync();
        } else {
            self.queue.wake_up_nr(1);
        }
        self.fasync.kill_in();
    }

    /// Wakes up so many of them, which find something new unless not `news`.
    pub(super) fn wake(&self, readers: u32, news: bool) {
        match readers {
            Effects::ALL => self.queue.wake_up_all(),
            n => self.queue.wake_up_nr(n.try_into().unwrap_or(i32::MAX)),
        }
        if news {
            self.fasync.kill_in();
        }
    }
}
