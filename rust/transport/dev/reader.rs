// SPDX-License-Identifier: GPL-2.0

//! read(2) on the device, and splice(2) from it: the next message goes to the daemon.
//!
//! C counterpart: `fuse_dev_do_read()`. Takes the engine's lock, once for a request; sleeps.

use super::{
    fault,
    installed::Installed,
    messages, //
};
use crate::{
    abi::{
        op,
        Errno,
        Opcode,
        Unique, //
    },
    engine::{
        self,
        Taken, //
    },
    kapi::fuse::{
        lend::{
            Back,
            Lease, //
        },
        trace, //
    },
    transport::{
        chan::{
            channel::Chan,
            forgets::Forgets,
            left::Legacy,
            request::Req, //
        },
        message::{
            args::{
                Args,
                Cursor, //
            },
            copy::CopyOut, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

// The engine knows no wire: its mark is the protocol's.
const _: () = assert!(engine::ReqId::RESEND == Unique::RESEND);

/// Why a request was not copied out.
type Failed<'a> = fault::Failed<'a, Lease<'a, Args, Legacy>>;

/// Reads one message, for which there are `room` bytes; returns its length.
///
/// # Errors
///
/// `EINVAL` if the buffer is not large enough for any request; `EAGAIN` if nothing is there and
/// `nonblock`; `ERESTARTSYS` after a signal; `ENODEV` (or `ECONNABORTED`) if disconnected; those of
/// [`CopyOut::fill`].
pub(super) fn read(
    installed: &Installed,
    nonblock: bool,
    to: &mut impl CopyOut,
    room: usize,
) -> Result<usize> {
    let Installed { chan, id } = installed;
    if room < chan.min_read_buffer() {
        return Err(EINVAL);
    }

    loop {
        if nonblock {
            if !chan.is_readable() {
                return Err(EAGAIN);
            }
        } else {
            chan.readers()
                .queue
                .wait_event_interruptible_exclusive(|| chan.is_readable())?;
        }
        let usual = chan.step(|engine| {
            let usual = engine.take_usual(*id);
            if let Some(request) = &usual {
                trace::fuse_request_taken(|| request.payload.trace_step(id.number()));
            }
            usual
        });
        let request = match usual {
            Some(request) => request,
            None => match take_other(chan, *id, room, to) {
                Next::Request(request) => request,
                Next::Done(result) => return result,
                Next::Nothing => continue,
            },
        };
        request.payload.time_taken();
        if let Some(result) = send(chan, &request, room, to) {
            return result;
        }
    }
}

/// What else there was to read.
enum Next {
    /// A request after all.
    Request(engine::TakenRequest<Req>),
    /// That was it.
    Done(Result<usize>),
    /// Somebody else was quicker.
    Nothing,
}

/// Takes what is next, whatever it is, and sends it, unless it is a request. Apart, in a step of
/// its own, as it is nearly always a request, for which nobody is to be woken up.
#[cold]
#[inline(never)]
fn take_other(chan: &Chan, id: engine::DeviceId, room: usize, to: &mut impl CopyOut) -> Next {
    let mut forgets = Forgets::default();
    let taken = chan.step(|engine| {
        let taken = engine.take(id, max_forgets(chan, room), &mut forgets);
        match &taken {
            Taken::Request(request) => {
                trace::fuse_request_taken(|| request.payload.trace_step(id.number()));
            }
            Taken::Interrupt(unique) => trace::fuse_interrupt_taken(|| {
                chan.trace_step(unique.0 & !Unique::RESEND, 0, id.number())
            }),
            Taken::Empty | Taken::Closed { .. } | Taken::Forgets { .. } => {}
        }
        taken
    });
    Next::Done(match taken {
        Taken::Request(request) => return Next::Request(request),
        Taken::Empty => return Next::Nothing,
        Taken::Closed { with_err: true } => Err(ECONNABORTED),
        Taken::Closed { with_err: false } => Err(ENODEV),
        Taken::Interrupt(request) => messages::interrupt(to, Unique::from_raw(request.0)),
        Taken::Forgets {
            unique,
            count,
            single,
            more,
            ..
        } => {
            let count = if more {
                take_forgets(chan, room, count, &mut forgets)
            } else {
                count
            };
            messages::forgets(to, Unique::from_raw(unique.0), forgets, count, single)
        }
    })
}

/// How many forgets fit into the daemon's buffer.
fn max_forgets(chan: &Chan, room: usize) -> u32 {
    if chan.minor().before(16) {
        1
    } else {
        op::BatchForget::max_in(room).try_into().unwrap_or(u32::MAX)
    }
}

/// Takes further forgets, a few at a time; returns how many there are now.
fn take_forgets(chan: &Chan, room: usize, count: u32, forgets: &mut Forgets) -> u32 {
    let mut count = count;
    loop {
        let max = max_forgets(chan, room).saturating_sub(count);
        let further = chan.step(|engine| engine.take_forgets(max, forgets));
        count = count.saturating_add(further.count);
        if !further.more {
            return count;
        }
    }
}

/// Copies a request out. `None`: there is nothing to return for it, go on with the next one.
fn send(
    chan: &Chan,
    request: &engine::TakenRequest<Req>,
    room: usize,
    to: &mut impl CopyOut,
) -> Option<Result<usize>> {
    let req = &request.payload;
    // Gone: aborted just now, and ended by the aborter.
    let lease = req.args.lend().ok()?;
    let len = req.len.load(Relaxed) as usize;

    if len > room {
        let (ender, _) = lease.end();
        chan.remove(request.ticket);
        let opcode = Opcode::from_raw(req.opcode.load(Relaxed));
        let errno = opcode.map_or(Errno::EIO, Opcode::too_large);
        req.end(ender, errno.to_negative());
        return None;
    }

    Some(match copy_out(lease, request.unique, len, to) {
        Ok(lease) if !request.reply => {
            let (ender, aborted) = lease.end();
            chan.remove(request.ticket);
            req.end(ender, if aborted { ECONNABORTED.to_errno() } else { 0 });
            Ok(len)
        }
        Ok(lease) => {
            trace::fuse_request_sent(|| {
                (
                    chan.connection(),
                    request.unique.0,
                    req.opcode.load(Relaxed),
                )
            });
            match lease.return_sent() {
                Back::Here { interrupt, orphan } => {
                    if interrupt {
                        chan.queue_interrupt(request.ticket);
                    }
                    if orphan {
                        chan.return_own(req);
                    }
                    Ok(len)
                }
                Back::MustEnd(ender) => {
                    req.end(ender, ECONNABORTED.to_errno());
                    Err(disconnected(chan))
                }
            }
        }
        Err(Failed::Aborted(ender)) => {
            req.end(ender, ECONNABORTED.to_errno());
            Err(disconnected(chan))
        }
        Err(Failed::Gone) => Err(disconnected(chan)),
        Err(Failed::Left(lease)) => {
            let (ender, _) = lease.end();
            chan.remove(request.ticket);
            req.end(ender, EINTR.to_errno());
            Err(ENOENT)
        }
        Err(Failed::Fault(error, lease)) => {
            let (ender, aborted) = lease.end();
            chan.remove(request.ticket);
            if aborted {
                req.end(ender, ECONNABORTED.to_errno());
                Err(disconnected(chan))
            } else {
                req.end(ender, EIO.to_errno());
                Err(error)
            }
        }
    })
}

#[cold]
fn disconnected(chan: &Chan) -> Error {
    if chan.peek(|engine| engine.is_aborted_with_err()) {
        ECONNABORTED
    } else {
        ENODEV
    }
}

/// Copies a message of `len` bytes out.
#[inline]
fn copy_out<'a>(
    mut lease: Lease<'a, Args, Legacy>,
    unique: engine::ReqId,
    len: usize,
    to: &mut impl CopyOut,
) -> Result<Lease<'a, Args, Legacy>, Failed<'a>> {
    match lease.start_copy_out(unique.0, to) {
        Ok(()) => Ok(lease),
        Err(cursor) => copy_rest_out(lease, cursor, len, to),
    }
}

/// Copies the rest of a message out, parking the lease wherever pages must be faulted in.
#[cold]
#[inline(never)]
fn copy_rest_out<'a>(
    mut lease: Lease<'a, Args, Legacy>,
    mut cursor: Cursor,
    len: usize,
    to: &mut impl CopyOut,
) -> Result<Lease<'a, Args, Legacy>, Failed<'a>> {
    // What the daemon's memory has room for behind the message.
    let room = to.remaining().saturating_add(cursor.bytes());
    let end = room.saturating_sub(len);
    loop {
        let needed = to.remaining().saturating_sub(end);
        let filled;
        (lease, filled) = fault::parked(lease, || to.fill(needed))?;
        if lease.is_orphan() && lease.sends_own() {
            return Err(Failed::Left(lease));
        }
        if let Err(error) = filled {
            return Err(Failed::Fault(error, lease));
        }
        if lease.copy_out(&mut cursor, to) {
            return Ok(lease);
        }
    }
}
