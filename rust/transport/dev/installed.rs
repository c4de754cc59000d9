// SPDX-License-Identifier: GPL-2.0

//! What an open file of `/dev/fuse` serves, once it is mounted.
//!
//! C counterpart: `fuse_dev::chan`. Takes no lock.

use crate::{
    engine,
    transport::chan::channel::Chan, //
};
use kernel::sync::Arc;

/// A channel in a device.
pub(super) struct Installed {
    pub(super) chan: Arc<Chan>,
    /// The device, towards the channel's engine.
    pub(super) id: engine::DeviceId,
}
