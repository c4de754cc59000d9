// SPDX-License-Identifier: GPL-2.0

//! write(2) on the device, and splice(2) to it: a reply, or a notification, comes from the daemon.
//!
//! C counterpart: `fuse_dev_do_write()`. Takes the engine's lock, once for a reply; sleeps where
//! the daemon's memory must be faulted in.

use super::{
    fault::{
        self,
        Failed, //
    },
    installed::Installed, //
};
use crate::{
    abi::{
        Answer,
        Errno,
        OutHeader,
        Unique, //
    },
    engine::{
        self,
        Claimed,
        InterruptReply,
        Ticket, //
    },
    kapi::fuse::{
        lend::Lease,
        trace, //
    },
    transport::{
        chan::{
            channel::Chan,
            freeze,
            left::Legacy,
            request::Req, //
        },
        message::{
            args::{
                Args,
                Cursor, //
            },
            copy::CopyIn, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use zerocopy::{
    FromBytes,
    IntoBytes, //
};

/// Writes one message of `len` bytes; returns its length.
///
/// # Errors
///
/// `EINVAL` for a malformed one; `ENOENT` if there is no such request; those of [`CopyIn::fill`].
pub(super) fn write(installed: &Installed, from: &mut impl CopyIn, len: usize) -> Result<usize> {
    if len < OutHeader::SIZE {
        return Err(EINVAL);
    }
    let mut words = [0; 2];
    from.get_header(&mut words)?;
    let header = OutHeader::read_from_bytes(words.as_bytes()).map_err(|_| EINVAL)?;

    match header.parse(len).map_err(|_| EINVAL)? {
        Answer::Notify { code, body_len } => installed.chan.notify(code, body_len, from)?,
        Answer::Interrupt {
            request,
            error,
            body_len,
        } => interrupt_reply(installed, request, error, body_len)?,
        Answer::Request {
            unique,
            error,
            body_len,
        } => reply(installed, unique, error, len, body_len, from)?,
    }
    Ok(len)
}

/// The reply to an INTERRUPT.
#[inline(never)]
fn interrupt_reply(
    installed: &Installed,
    request: Unique,
    error: Option<Errno>,
    body_len: usize,
) -> Result {
    let Installed { chan, id } = installed;
    let again = body_len == 0 && error == Some(Errno::EAGAIN);
    let unique = engine::ReqId(request.get());
    match chan.step(|engine| engine.interrupt_reply(*id, unique, again)) {
        InterruptReply::NotFound => return Err(ENOENT),
        InterruptReply::NotInterrupted => return Err(EINVAL),
        InterruptReply::Found | InterruptReply::Again(_) => {}
    }
    if body_len != 0 {
        return Err(EINVAL);
    }
    if error == Some(Errno::ENOSYS) {
        chan.no_interrupt.store(true, Relaxed);
    }
    Ok(())
}

/// The reply to a request, of `len` bytes with its header and `body_len` without.
#[inline(always)]
fn reply(
    installed: &Installed,
    unique: Unique,
    error: Option<Errno>,
    len: usize,
    body_len: usize,
    from: &mut impl CopyIn,
) -> Result {
    let Installed { chan, id } = installed;
    let req = claim(chan, *id, unique).ok_or(ENOENT)?;
    let mut lease = req.args.accept().ok_or(ENOENT)?;
    lease.reply_len = len;

    // What the daemon's write returns, and what the request ends with unless that is an error.
    let mut listed = None;
    let (lease, result) = match error {
        Some(_) if body_len != 0 => (lease, Err(EINVAL)),
        Some(errno) => (lease, Ok(errno.to_negative())),
        None => match lease.start_reply(body_len) {
            Err(error) => (lease, Err(error)),
            Ok(()) => match copy_in(installed, &req, lease, from, &mut listed) {
                Ok(lease) => (lease, Ok(0)),
                Err(Failed::Fault(error, lease)) => (lease, Err(error)),
                Err(Failed::Aborted(ender)) => {
                    req.end(ender, ECONNABORTED.to_errno());
                    return Err(ENOENT);
                }
                Err(Failed::Gone) => return Err(ENOENT),
            },
        },
    };

    let lease = match (&result, listed) {
        (&Ok(errno), None) => match req.end_at_once(lease, errno) {
            Ok(()) => return Ok(()),
            Err(lease) => lease,
        },
        _ => lease,
    };
    let (ender, aborted) = lease.end();
    if let Some(ticket) = listed {
        chan.remove(ticket);
    }
    if aborted {
        req.end(ender, ECONNABORTED.to_errno());
        return Err(ENOENT);
    }
    match result {
        Ok(errno) => {
            trace::fuse_reply_copied(|| req.trace_step(id.number()));
            req.end(ender, errno);
            Ok(())
        }
        Err(error) => {
            req.end(ender, EIO.to_errno());
            Err(error)
        }
    }
}

/// Finds the request that a reply is for, and takes it out of the engine.
fn claim(chan: &Chan, id: engine::DeviceId, unique: Unique) -> Option<Req> {
    let claimed = chan.step(|engine| {
        let claimed = engine.claim(id, engine::ReqId(unique.get()));
        if let Some(Claimed { payload, .. }) = &claimed {
            trace::fuse_reply_found(|| payload.trace_step(id.number()));
        }
        claimed
    });
    Some(claimed?.payload)
}

/// Copies a reply in.
#[inline]
fn copy_in<'a>(
    installed: &Installed,
    req: &'a Req,
    mut lease: Lease<'a, Args, Legacy>,
    from: &mut impl CopyIn,
    listed: &mut Option<Ticket>,
) -> Result<Lease<'a, Args, Legacy>, Failed<'a>> {
    match lease.start_copy_in(from) {
        Ok(()) => Ok(lease),
        Err(cursor) => copy_rest_in(installed, req, lease, cursor, from, listed),
    }
}

/// Copies the rest of a reply in, where pages must be faulted in: an abort is let find the request
/// first (`listed`), and the lease is parked.
#[cold]
#[inline(never)]
fn copy_rest_in<'a>(
    installed: &Installed,
    req: &'a Req,
    mut lease: Lease<'a, Args, Legacy>,
    mut cursor: Cursor,
    from: &mut impl CopyIn,
    listed: &mut Option<Ticket>,
) -> Result<Lease<'a, Args, Legacy>, Failed<'a>> {
    loop {
        if listed.is_none() {
            let Some(ticket) = relist(installed, req) else {
                let (ender, _) = lease.end();
                return Err(Failed::Aborted(ender));
            };
            *listed = Some(ticket);
            freeze::relisted(req);
        }
        let filled;
        (lease, filled) = fault::parked(lease, || from.fill(from.remaining()))?;
        if lease.is_orphan() {
            // Nothing of a caller that has left is written to any more.
            let (own, _) = lease.take_own();
            own.let_go();
        }
        if let Err(error) = filled {
            return Err(Failed::Fault(error, lease));
        }
        if lease.copy_in(&mut cursor, from) {
            return Ok(lease);
        }
    }
}

/// Puts a request where an abort finds it, in the slot that there is for each request. `None` if it
/// was aborted just now.
#[cold]
fn relist(installed: &Installed, req: &Req) -> Option<Ticket> {
    let Installed { chan, id } = installed;
    let relisted = chan.step(|engine| {
        let relisted = engine.relist(*id, req.clone());
        if relisted.is_ok() {
            trace::fuse_reply_parked(|| req.trace_step(id.number()));
        }
        relisted
    });
    // Its reference to the request is dropped here, after the lock.
    relisted.ok()
}
