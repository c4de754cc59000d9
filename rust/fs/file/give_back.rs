// SPDX-License-Identifier: GPL-2.0

//! A file that was opened and could not be used after all.
//!
//! C counterpart: `fuse_sync_release()` (file.c). Takes no locks; sleeps until the daemon has
//! answered.

use super::fuse_file::{
    FuseFile,
    ReleaseEnd,
    ReleaseMemory, //
};
use crate::{
    abi::{
        op::Release,
        Creds,
        NodeId, //
    },
    fs::{
        conn::connection::Conn,
        inode::given::Given,
        request::{
            call::{
                Holds,
                Leaver, //
            },
            held::{
                Afterwards,
                Held, //
            },
        },
    },
    transport::{
        How,
        Message,
        Next,
        Outcome,
        Prepared, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

/// A node that no inode has taken.
type GivenNode = Given<Arc<Conn>>;

impl FuseFile {
    /// Takes an open of a file back that failed after all, and waits until the daemon knows
    /// (`fuse_sync_release()`), unless killed. `node`, which no inode has taken, is given back
    /// after that. May sleep.
    pub(in crate::fs) fn sync_release(self: Arc<Self>, flags: u32, mut node: Option<GivenNode>) {
        self.flags.store(flags, Relaxed);
        // Nobody has read for it yet. If someone had, RELEASE would go when they let go, and `node`
        // be given back here, at once. But there is one only where no inode could be made, and
        // without an inode nobody else has the file.
        let Some(mut file) = Arc::into_unique_or_drop(self) else {
            return;
        };
        let mut memory = file.take_release();

        if memory.is_some() {
            let then = || {
                let (node, memory) = (node.take(), memory.take());
                move |_: &mut Outcome<'_>| {
                    drop(node);
                    // An inode is forgotten after its files are released.
                    drop(memory);
                }
            };
            let conn = &file.conn;
            let mut leaver = Leaver::new(conn, &NothingHeld, then);
            let message = Message {
                node: Some(file.nodeid),
                caller: file.closer(),
                op: &file.release_op(),
            };
            // What the daemon answers changes nothing.
            let _ = (conn.chan).call(How::Forced, &message, None, &mut leaver);
        }
        drop(node);
    }

    /// As [`sync_release`](Self::sync_release), in place of a caller that has left.
    pub(in crate::fs) fn give_back(
        self: Arc<Self>,
        flags: u32,
        node: Option<GivenNode>,
    ) -> Option<GivenBack> {
        self.flags.store(flags, Relaxed);
        // As above.
        let mut file = Arc::into_unique_or_drop(self)?;
        let (request, end) = match file.take_release() {
            Some(ReleaseMemory { request, end }) => (Some(request), Some(end)),
            None => (None, None),
        };
        Some(GivenBack {
            conn: file.conn.clone(),
            node: file.nodeid,
            caller: file.closer(),
            release: file.release_op(),
            request,
            _given: node,
            _end: end,
        })
    }
}

/// A file that could not be opened after all for a task that has left.
pub(in crate::fs) struct GivenBack {
    conn: Arc<Conn>,
    node: NodeId,
    caller: Creds,
    release: Release,
    /// None if RELEASE has been sent, or none is to be.
    request: Option<Prepared>,
    // In this order, after RELEASE: an inode is forgotten after its files are released.
    _given: Option<GivenNode>,
    _end: Option<KBox<ReleaseEnd>>,
}

impl Afterwards for GivenBack {
    fn after(&mut self) -> Next {
        match self.request.take() {
            Some(request) => {
                (self.conn).call_behind(request, self.node, self.caller, &self.release)
            }
            None => Next::Done,
        }
    }
}

/// Of a request whose caller holds nothing.
struct NothingHeld;

impl Holds for NothingHeld {
    fn hold(&self, _held: &mut Held) -> Result {
        Ok(())
    }
}
