// SPDX-License-Identifier: GPL-2.0

//! Moves requests between callers and the daemon; knows no inode and no dentry.
//!
//! C counterpart: `dev.c` (`struct fuse_chan`). In reading order, in which each room uses only
//! those before it:
//!
//! - [`unbuilt`]: what a daemon is refused because it is not built yet,
//! - [`message`]: what a request carries, and how it is copied,
//! - [`chan`]: a channel and its requests, whose queues are the [`engine`](crate::engine)'s,
//! - [`caller`]: what callers send, and how they wait,
//! - [`notify`]: what a daemon writes unasked,
//! - [`dev`]: the device `/dev/fuse`,
//! - [`watch`]: what looks on (it uses `chan` alone).
//!
//! Uses `abi`, `engine` and `kapi`; `fs` and `control` use what is named here.

mod caller;
mod chan;
mod dev;
mod message;
mod notify;
mod unbuilt;
mod watch;

pub(crate) use self::{
    caller::{
        background::Prepared,
        call::{
            Answer,
            How, //
        },
        forget::Forget,
        left::{
            Leave,
            NeverLeaves, //
        },
    },
    chan::{
        channel::{
            Chan,
            ChanParams,
            Notified, //
        },
        latency::Measured,
        left::{
            Left,
            Next, //
        },
        request::RequestCache, //
    },
    dev::device::{
        register,
        Device,
        Registration, //
    },
    message::{
        args::Message,
        incoming::Incoming,
        outcome::{
            OnEnd,
            Outcome, //
        },
        payload::Payload, //
    },
    watch::{
        look::{
            Sight,
            Stage, //
        },
        suspend, //
    },
};
pub(crate) use crate::engine::{
    may_leave,
    Hold,
    Occupied, //
};
