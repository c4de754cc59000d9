// SPDX-License-Identifier: GPL-2.0

//! Moves requests between callers and the daemon; knows no inode and no dentry.
//!
//! C counterpart: `dev.c` (`struct fuse_chan`). In reading order: [`request`] is what moves,
//! [`args`] and [`payload`] what it carries; [`chan`] has the queues, which are the [`engine`](crate::engine)'s;
//! [`call`], [`background`] and [`left`] are the callers' side, [`device`], [`reader`] and [`writer`] the
//! daemon's, with [`copy`] between the two; [`forget`] and [`notify`] are apart, as they have no reply.
//! [`suspend`] lets callers be frozen.

mod args;
mod background;
mod call;
mod chan;
mod copy;
mod device;
mod forget;
mod latency;
mod left;
mod look;
mod notify;
mod payload;
mod reader;
mod request;
pub(crate) mod suspend;
mod timeout;
mod writer;

#[allow(unused_imports)]
pub(crate) use self::{
    background::{
        Done,
        End,
        Prepared, //
    },
    call::How,
    chan::{
        Chan,
        ChanParams, //
    },
    device::{
        register,
        Device,
        Registration, //
    },
    forget::Forget,
    latency::Counted,
    left::{
        Leave,
        Left,
        NeverLeaves,
        Next, //
    },
    look::{
        Sight,
        Stage, //
    },
    notify::Notified,
    payload::Payload,
    request::RequestCache, //
};
#[allow(unused_imports)]
pub(crate) use crate::abi::Creds as Caller;
pub(crate) use crate::engine::{
    may_leave,
    Hold,
    Occupied, //
};
