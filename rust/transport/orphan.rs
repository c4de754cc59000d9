// SPDX-License-Identifier: GPL-2.0

//! What becomes of a request whose caller was killed and has left: its reply is undone.
//!
//! C counterpart: none; there a caller whose request the daemon has waits for the reply, killed or
//! not. Runs where requests end, in the daemon's write(2) or in an aborter's context, without
//! locks; it sleeps and allocates only where there was no memory when the caller left. Takes the
//! engine's lock, and "FuseInode::inner" of the inodes that it tells.

use super::{
    args::Args,
    background::{
        Done,
        End, //
    },
    chan::Chan,
    forget::Forget,
};
use crate::kapi::{
    inode_hold::Touched,
    lend::Orphaned, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// How the reply to an operation is undone. The memory for that comes with it.
pub(crate) enum Undo {
    /// It gives nothing that would have to be given back.
    Nothing,
    /// It is an entry: a FORGET of its node.
    Forget(Option<Forget>),
    /// As this does, in place of who would have had the result.
    End(KBox<dyn End>),
}

impl Undo {
    /// For a reply that is an entry.
    pub(crate) fn forget() -> Self {
        Undo::Forget(Forget::new(GFP_KERNEL).ok())
    }
}

/// What a caller that leaves gives to its request.
pub(crate) struct Orphan {
    /// How the reply is undone.
    pub(crate) undo: Undo,
    /// The open file that the request is about, if one: RELEASE comes after the reply.
    pub(crate) file: Option<Arc<dyn Send + Sync>>,
    /// The inodes that it is about: they are told of the reply, and FORGET comes after it.
    pub(crate) inodes: [Option<Touched>; 2],
}

/// Ends a request whose caller has left.
#[cold]
pub(super) fn end(chan: &Chan, opcode: u32, orphaned: Orphaned<'_, Args, Orphan>) {
    let Orphaned { mut args, legacy } = orphaned;
    let Orphan { undo, file, inodes } = legacy;

    if args.error == ENOSYS.to_errno() {
        chan.set_lacks(opcode);
    }
    args.finish_payload();
    for inode in inodes.iter().flatten() {
        inode.ended();
    }
    match undo {
        Undo::Nothing => {}
        Undo::Forget(forget) => {
            if let Some(node) = args.entry_node() {
                chan.give_back(forget, node);
            }
        }
        Undo::End(end) => end.end(Done::new(&mut args)),
    }
    // In this order: an inode is forgotten after its files are released.
    drop(file);
    drop(inodes);
}
