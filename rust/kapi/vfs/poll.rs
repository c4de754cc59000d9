// SPDX-License-Identifier: GPL-2.0

//! Who asks what a file is ready for, and waits until it is: `struct poll_table_struct`.
//!
//! C header: [`include/linux/poll.h`](srctree/include/linux/poll.h).
//!
//! The kernel crate's `PollTable` registers a `PollCondVar` only, whose waits are those of a
//! condition variable (see [`wait`](crate::kapi::sync::wait)), and whose end costs a grace period;
//! it does not tell which events are asked for. C rule encoded here: a queue that was given to
//! `poll_wait()` stays until the file is released. Whoever waits has taken its entry off by then:
//! poll(2), select(2), io_uring and libaio have a reference to the file meanwhile, and epoll goes
//! in `eventpoll_release()`, before `release` is called.

use super::{
    file::File,
    types::Types, //
};
use crate::{
    bindings,
    kapi::sync::{
        poll::PollEvents,
        wait::WaitQueue, //
    },
};
use kernel::prelude::*;

/// One call of `poll` of an operations table.
///
/// # Invariants
///
/// `table` is null or valid for `'a`, and made for `file`.
pub(crate) struct PollTable<'a, T: Types> {
    file: &'a File<T>,
    table: *mut bindings::poll_table_struct,
}

impl<'a, T: Types> PollTable<'a, T> {
    /// Of a call.
    ///
    /// # Safety
    ///
    /// `table` is what the VFS has called `poll` of `file` with, and valid for `'a`.
    pub(super) unsafe fn from_raw(
        file: &'a File<T>,
        table: *mut bindings::poll_table_struct,
    ) -> Self {
        // INVARIANT: The caller's promise.
        Self { file, table }
    }

    /// The file.
    pub(crate) fn file(&self) -> &'a File<T> {
        self.file
    }

    /// What the caller wants to know (`poll_requested_events()`); it may be told more.
    pub(crate) fn requested_events(&self) -> PollEvents {
        // SAFETY: By the type's invariant.
        PollEvents::from_raw(unsafe { bindings::poll_requested_events(self.table) })
    }

    /// The caller will be woken up with `queue`, which is borrowed from the file's data, if it is
    /// to wait at all (`poll_wait()`). May allocate, and so sleep.
    ///
    /// # Errors
    ///
    /// Those of `queue`.
    pub(crate) fn wait(
        &self,
        queue: impl for<'q> FnOnce(&'q T::File) -> Result<&'q WaitQueue>,
    ) -> Result<&'a WaitQueue> {
        let queue = queue(self.file.data())?;
        // SAFETY: File and table are valid. The queue is borrowed from the file's data for however
        // long that is there to be borrowed, which is until `release`: nobody has unique access to
        // it before.
        unsafe { bindings::poll_wait(self.file.as_ptr(), queue.as_ptr(), self.table) };
        Ok(queue)
    }
}
