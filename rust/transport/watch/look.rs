// SPDX-License-Identifier: GPL-2.0

//! What an onlooker sees of the requests of a channel, one by one.
//!
//! No counterpart in C. Takes the engine's lock for a bounded number of slots at a time, and
//! nothing that a daemon could keep. A request whose short reply is just being copied in has left
//! the engine, and is not seen.

use crate::{
    abi::Opcode,
    engine::{Place, ReqId, Seen},
    kapi::{
        task::sched,
        time::jiffies::Jiffies64, //
    },
    transport::chan::{
        channel::Chan,
        request::Req, //
    },
};
use kernel::sync::atomic::Relaxed;

/// How far a request has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Behind the limit of background requests.
    Background,
    /// To be read by the daemon.
    Pending,
    /// Being read.
    Reading,
    /// The daemon has it.
    Daemon,
    /// The reply is being written, or what has no reply is being read.
    Copying,
}

/// A request, as it was when it was seen.
pub(crate) struct Sight {
    /// Its number, without the mark of a resent one; 0 if it has none yet.
    pub(crate) unique: u64,
    /// Which operation; `None` for one that the protocol does not have.
    pub(crate) opcode: Option<Opcode>,
    /// The inode that it is about, 0 for none.
    pub(crate) node: u64,
    /// The task that sent it, in the first namespace.
    pub(crate) pid: i32,
    /// How far it has come.
    pub(crate) stage: Stage,
    /// Since when, in milliseconds, from when it was sent.
    pub(crate) age: u64,
    /// A signal has interrupted its caller.
    pub(crate) interrupted: bool,
    /// Its caller was killed and has left.
    pub(crate) orphan: bool,
    /// The daemon has been sent it again.
    pub(crate) resent: bool,
}

impl Sight {
    fn new(seen: &Seen<'_, Req>) -> Self {
        let req = seen.payload;
        let stage = match seen.place {
            Place::Background => Stage::Background,
            Place::Pending => Stage::Pending,
            Place::Processing if req.args.is_sent() => Stage::Daemon,
            Place::Processing => Stage::Reading,
            Place::Copying => Stage::Copying,
        };
        let unique = req.unique.load(Relaxed);
        Self {
            unique,
            opcode: Opcode::from_raw(req.opcode.load(Relaxed)),
            node: req.node.load(Relaxed),
            pid: req.pid.load(Relaxed),
            stage,
            age: Jiffies64::now().millis_since(req.created()),
            interrupted: req.args.is_interrupted(),
            orphan: req.args.is_orphan(),
            resent: seen.unique.0 & ReqId::RESEND != 0,
        }
    }
}

/// Numbers of a channel.
pub(crate) struct Numbers {
    /// Requests that have not ended, with those that are held back before they get here.
    pub(crate) waiting: u32,
    /// Background requests that have not ended.
    pub(crate) background: u32,
    /// How many of them may be with the daemon at once.
    pub(crate) max_background: u32,
}

impl Chan {
    /// The request in slot `from`, or in the next one that has any; and the number of that slot.
    /// `None` if there is none.
    pub(crate) fn look(&self, from: u32) -> Option<(u32, Sight)> {
        let mut from = from;
        loop {
            let mut sight = None;
            let next = self.peek(|engine| {
                engine.scan(from, |seen| {
                    sight = Some((seen.slot, Sight::new(&seen)));
                    false
                })
            });
            if sight.is_some() {
                return sight;
            }
            from = next?;
            sched::cond_resched();
        }
    }

    /// How many requests there are.
    pub(crate) fn numbers(&self) -> Numbers {
        self.peek(|engine| Numbers {
            waiting: self.num_waiting(),
            background: engine.num_background(),
            max_background: engine.max_background(),
        })
    }
}
