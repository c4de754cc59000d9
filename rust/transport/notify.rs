// SPDX-License-Identifier: GPL-2.0

//! Notifications: what a daemon writes to the device unasked.
//!
//! C counterpart: `fuse_notify()`, `fuse_chan_resend()`. Those about the queues are carried out
//! here, those about the filesystem are passed on ([`Notified`](crate::transport::Notified), which
//! stands with the channel that keeps it). Takes the engine's lock; sleeps.

use crate::{
    abi::{
        Errno,
        Notification,
        NotifyCode, //
    },
    engine::Resend,
    kapi::{
        fuse::trace,
        task::sched, //
    },
    transport::{
        chan::channel::Chan,
        message::copy::CopyIn,
        unbuilt::unbuilt, //
    },
};
use kernel::prelude::*;

impl Chan {
    /// Takes a notification from the daemon, with `body_len` bytes after its header.
    ///
    /// # Errors
    ///
    /// `EINVAL` before INIT was answered and after an abort, and for an unknown one; for a
    /// malformed one as [`NotifyCode::parse`]; those of [`CopyIn::fill`].
    pub(super) fn notify(&self, code: i32, body_len: usize, from: &mut impl CopyIn) -> Result {
        if !self.initialized() || !self.connected() {
            return Err(EINVAL);
        }
        let code = NotifyCode::from_raw(code).ok_or(EINVAL)?;
        match self.read_fixed(code, body_len, from)? {
            Notification::Poll { kh } => {
                if let Some(notified) = self.notified() {
                    notified.poll(kh);
                }
            }
            Notification::Resend => self.resend(),
            Notification::IncEpoch => {
                if let Some(notified) = self.notified() {
                    notified.inc_epoch();
                }
            }
            // As an older kernel answers.
            Notification::InvalInode { .. } => {
                return Err(unbuilt!("FUSE_NOTIFY_INVAL_INODE", EINVAL))
            }
            Notification::InvalEntry { .. } => {
                return Err(unbuilt!("FUSE_NOTIFY_INVAL_ENTRY", EINVAL))
            }
            Notification::Store { .. } => return Err(unbuilt!("FUSE_NOTIFY_STORE", EINVAL)),
            Notification::Retrieve { .. } => return Err(unbuilt!("FUSE_NOTIFY_RETRIEVE", EINVAL)),
            Notification::Delete { .. } => return Err(unbuilt!("FUSE_NOTIFY_DELETE", EINVAL)),
            Notification::Prune { .. } => return Err(unbuilt!("FUSE_NOTIFY_PRUNE", EINVAL)),
        }
        Ok(())
    }

    /// Reads the fixed part of a notification and checks it.
    fn read_fixed(
        &self,
        code: NotifyCode,
        body_len: usize,
        from: &mut impl CopyIn,
    ) -> Result<Notification> {
        let bad = |errno: Errno| Error::from_errno(errno.to_negative());
        let mut fixed = [0u8; NotifyCode::MAX_FIXED];
        let len = code.fixed_len(body_len).map_err(bad)?;
        let fixed = fixed.get_mut(..len).ok_or(EIO)?;
        from.get_all(fixed)?;
        code.parse(fixed, body_len, self.name_max()).map_err(bad)
    }

    /// Queues again, in front of all others, what the daemon has read and not answered.
    fn resend(&self) {
        let mut resend = Resend::default();
        loop {
            let resent = self.step(|engine| {
                let resent = engine.resend(&mut resend);
                if let Some(req) = &resent.spent {
                    trace::fuse_request_removed(|| req.trace_step(0));
                }
                resent
            });
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
