// SPDX-License-Identifier: GPL-2.0

//! Data that a daemon has written unasked: what is left of a message when its fixed part was read.
//!
//! C counterpart: the `struct fuse_copy_state` that `fuse_notify_store()` gets. Takes no lock.

use super::copy::CopyIn;
use crate::kapi::page_cache::folio_store::FolioStore;
use kernel::prelude::*;

/// Data from a daemon's memory, or from a pipe of its, front to back.
pub(crate) trait Incoming {
    /// Copies to a folio as far as that goes without a fault; returns how much. Does not sleep.
    fn copy_to(&mut self, folio: &mut FolioStore) -> usize;

    /// Makes the next copy get on, as far as `needed` bytes reach. To be called with nothing
    /// locked: sleeps, and may wait for the daemon itself, until a fatal signal.
    ///
    /// # Errors
    ///
    /// `EFAULT`, and what else there is that hinders it; `EINTR` if killed.
    fn fault_in(&mut self, needed: usize) -> Result;

    /// Copies all of it. To be called with nothing locked, as [`fault_in`](Self::fault_in).
    ///
    /// # Errors
    ///
    /// As there.
    fn copy_all(&mut self, to: &mut [u8]) -> Result;
}

impl<C: CopyIn> Incoming for C {
    fn copy_to(&mut self, folio: &mut FolioStore) -> usize {
        let len = folio.len();
        self.get_folios(folio, len)
    }

    fn fault_in(&mut self, needed: usize) -> Result {
        self.fill(needed)
    }

    fn copy_all(&mut self, to: &mut [u8]) -> Result {
        self.get_all(to)
    }
}
