// SPDX-License-Identifier: GPL-2.0

//! Notifications: what a daemon writes to the device unasked.
//!
//! C counterpart: `fuse_notify()`, `fuse_chan_resend()`. Those about the queues are carried out here,
//! those about the filesystem are passed on ([`Notified`]). Takes the engine's lock; sleeps.

use crate::{
    abi::NotifyCode,
    engine::Resend,
    kapi::{
        fuse::trace,
        task::sched, //
    },
    transport::chan::channel::Chan, //
};
use kernel::prelude::*;

/// What the filesystem does about notifications. Called in the daemon's write(2), without locks, when
/// the whole message has been copied and checked.
pub(crate) trait Notified: Send + Sync {
    /// All names are out of date.
    fn inc_epoch(&self);
}

/// A notification, whole.
enum Notification {
    Resend,
    IncEpoch,
}

impl Notification {
    /// Parses one.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an unknown one.
    fn parse(code: i32) -> Result<Self> {
        match NotifyCode::from_raw(code).ok_or(EINVAL)? {
            // These two have no body, and C does not look whether there is one.
            NotifyCode::Resend => Ok(Self::Resend),
            NotifyCode::IncEpoch => Ok(Self::IncEpoch),
            // Until they are built: as an older kernel answers.
            NotifyCode::Poll
            | NotifyCode::InvalInode
            | NotifyCode::InvalEntry
            | NotifyCode::Store
            | NotifyCode::Retrieve
            | NotifyCode::Delete
            | NotifyCode::Prune => Err(EINVAL),
        }
    }
}

impl Chan {
    /// Takes a notification from the daemon.
    ///
    /// # Errors
    ///
    /// `EINVAL` before INIT was answered and after an abort, and for a malformed or unknown one.
    pub(super) fn notify(&self, code: i32) -> Result {
        if !self.initialized() || !self.connected() {
            return Err(EINVAL);
        }
        match Notification::parse(code)? {
            Notification::Resend => self.resend(),
            Notification::IncEpoch => {
                if let Some(notified) = self.notified() {
                    notified.inc_epoch();
                }
            }
        }
        Ok(())
    }

    /// Queues again, in front of all others, what the daemon has read and not answered.
    fn resend(&self) {
        let mut resend = Resend::default();
        loop {
            let resent = {
                let mut engine = self.engine.lock();
                let resent = engine.resend(&mut resend);
                self.update_readable(&engine);
                if let Some(req) = &resent.spent {
                    trace::fuse_request_removed(|| req.step(0));
                }
                resent
            };
            self.carry_out(resent.effects, false);
            if let Some(req) = resent.spent {
                req.end_if_here(EINTR);
            }
            if !resent.more {
                return;
            }
            sched::cond_resched();
        }
    }
}
