// SPDX-License-Identifier: GPL-2.0

//! What looks at the requests of a channel: onlookers, the timeout, a suspend.

pub(super) mod look;
pub(crate) mod suspend;
pub(super) mod timeout;
