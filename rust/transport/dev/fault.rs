// SPDX-License-Identifier: GPL-2.0

//! Copies for which pages of the daemon must be faulted in.
//!
//! C counterpart: the unlocking and locking of a request around `iov_iter_get_pages2()` in
//! `fuse_copy_fill()`. Takes no lock; sleeps.

use crate::{
    kapi::fuse::lend::{
        Ender,
        Lease, //
    },
    transport::{
        chan::left::Legacy,
        message::args::Args, //
    },
};
use core::convert::Infallible;
use kernel::prelude::*;

/// Why a request was not copied out, or a reply not copied in. `L` is what a reader may find
/// besides: that the caller has left.
pub(super) enum Failed<'a, L = Infallible> {
    /// Aborted: to be ended with this.
    Aborted(Ender<'a, Args, Legacy>),
    /// Aborted, and ended by the aborter.
    Gone,
    /// Its caller has left, with memory that is still to be sent: as if the daemon had not begun to
    /// read it.
    Left(L),
    /// The daemon's memory is bad.
    Fault(Error, Lease<'a, Args, Legacy>),
}

/// Faults pages in by `fill`, while the request may be ended; its result comes with the lease.
#[cold]
pub(super) fn parked<'a, L>(
    lease: Lease<'a, Args, Legacy>,
    fill: impl FnOnce() -> Result,
) -> Result<(Lease<'a, Args, Legacy>, Result), Failed<'a, L>> {
    let parked = lease.park().map_err(Failed::Aborted)?;
    let filled = fill();
    let lease = parked.resume().map_err(|_| Failed::Gone)?;
    Ok((lease, filled))
}
