// SPDX-License-Identifier: GPL-2.0

//! Notifications: what a daemon writes to the device unasked.
//!
//! C counterpart: `fuse_notify()`, `fuse_chan_resend()`. Those about the queues are carried out
//! here, those about the filesystem are passed on ([`Notified`], which
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
        task::sched::{
            cond_resched,
            fatal_signal_pending, //
        },
    },
    transport::{
        chan::channel::{
            Chan,
            Notified, //
        },
        message::copy::CopyIn, //
    },
};
use kernel::prelude::*;
use zerocopy::IntoBytes;

/// Nodes of PRUNE that are read at a time.
const PRUNE_BATCH: usize = 512;

/// Reads a name, and what stands for the NUL after it.
fn read_name(len: usize, from: &mut impl CopyIn) -> Result<KVec<u8>> {
    let mut name = KVec::from_elem(0u8, len.checked_add(1).ok_or(EINVAL)?, GFP_KERNEL)?;
    from.get_all(&mut name)?;
    name.truncate(len);
    Ok(name)
}

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
            Notification::InvalInode { node, offset, len } => {
                (self.told()?).inval_inode(node.ok_or(ENOENT)?, offset, len)?;
            }
            Notification::InvalEntry {
                parent,
                name_len,
                expire_only,
            } => {
                let name = read_name(name_len, from)?;
                (self.told()?).inval_entry(parent.ok_or(ENOENT)?, &name, expire_only)?;
            }
            Notification::Delete {
                parent,
                child,
                name_len,
            } => {
                let name = read_name(name_len, from)?;
                let parent = parent.ok_or(ENOENT)?;
                match child {
                    Some(child) => self.told()?.delete(parent, child, &name)?,
                    // Whatever it was the name of.
                    None => self.told()?.inval_entry(parent, &name, false)?,
                }
            }
            Notification::Prune { count } => self.prune(count, from)?,
            Notification::Store { node, offset, size } => {
                (self.told()?).store(node.ok_or(ENOENT)?, offset, size, from)?;
            }
            Notification::Retrieve {
                notify_unique,
                node,
                offset,
                size,
            } => {
                (self.told()?).retrieve(notify_unique, node.ok_or(ENOENT)?, offset, size)?;
            }
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

    /// Who is told of what is about nodes.
    fn told(&self) -> Result<&dyn Notified> {
        self.notified().ok_or(ENOENT)
    }

    /// Reads as many nodes as there are, some at a time, and has them forgotten.
    fn prune(&self, count: u32, from: &mut impl CopyIn) -> Result {
        let mut nodes = KVec::from_elem(0u64, PRUNE_BATCH.min(count as usize), GFP_KERNEL)?;
        let mut left = count as usize;
        while left > 0 {
            let now = left.min(PRUNE_BATCH);
            let batch = nodes.get_mut(..now).ok_or(EIO)?;
            from.get_all(batch.as_mut_bytes())?;
            self.told()?.prune(batch);
            left -= now;
            if fatal_signal_pending() {
                return Err(EINTR);
            }
            cond_resched();
        }
        Ok(())
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
            cond_resched();
        }
    }
}
