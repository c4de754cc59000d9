// SPDX-License-Identifier: GPL-2.0

//! Sending requests on behalf of the current task.
//!
//! C counterpart: `req.c`. Adds to the channel's calls what only the filesystem knows: who the
//! caller is in the daemon's namespaces, and what a request is about. Takes no locks; may sleep.

use super::{conn::Conn, file::FuseFile, File, Fuse, Inode};
use crate::{
    abi::{BadReply, Body, Creds, Minor, Op, Opcode},
    kapi::{
        cred::{current_fsgid, current_fsuid},
        inode_hold::{Ended, Touched},
        pid_namespace::current_pid_nr_ns,
        task::fatal_signal_pending,
        uidgid::{from_kgid, from_kgid_munged, from_kuid, from_kuid_munged},
    },
    transport::{How, Orphan, Payload, Undo},
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

impl Conn {
    /// The current task, as the daemon is told of it (`fuse_fill_creds()`).
    ///
    /// # Errors
    ///
    /// EOVERFLOW for a user or group that has no id in the daemon's namespace.
    pub(crate) fn caller(&self) -> Result<Creds> {
        Ok(Creds {
            uid: from_kuid(&self.user_ns, current_fsuid()).ok_or(EOVERFLOW)?,
            gid: from_kgid(&self.user_ns, current_fsgid()).ok_or(EOVERFLOW)?,
            pid: current_pid_nr_ns(&self.pid_ns),
        })
    }

    /// As [`caller`](Self::caller), for what must be sent: an id without a name is replaced.
    pub(crate) fn caller_munged(&self) -> Creds {
        Creds {
            uid: from_kuid_munged(&self.user_ns, current_fsuid()),
            gid: from_kgid_munged(&self.user_ns, current_fsgid()),
            pid: current_pid_nr_ns(&self.pid_ns),
        }
    }

    /// The current task without its ids, which are 0 on the wire (`args->nocreds`).
    pub(crate) fn caller_nocreds(&self) -> Creds {
        Creds {
            uid: 0,
            gid: 0,
            pid: current_pid_nr_ns(&self.pid_ns),
        }
    }

    /// Sends a request and waits for its reply (`fuse_simple_request()`).
    ///
    /// # Errors
    ///
    /// The daemon's; EIO for a reply that makes no sense; ENOTCONN, ECONNABORTED, ECONNREFUSED when
    /// there is no daemon; EINTR, also where a killed caller has not waited for the reply ([`left`]);
    /// ENOMEM; EOVERFLOW ([`caller`](Self::caller)).
    pub(crate) fn call<'a, O: Op>(&self, on: impl Into<On<'a>>, op: &O) -> Result<O::Out> {
        self.call_undo(on, op, || Undo::Nothing)
    }

    /// As [`call`](Self::call), where the reply gives something: if the caller does not wait for it,
    /// `undo` says how it is given back, and has the memory for that.
    pub(crate) fn call_undo<'a, O: Op>(
        &self,
        on: impl Into<On<'a>>,
        op: &O,
        undo: impl FnMut() -> Undo,
    ) -> Result<O::Out> {
        self.call_parse(on, op, undo, |body, minor| op.decode(body, minor))
    }

    /// As [`call_undo`](Self::call_undo), with what `parse` makes of the reply's body: that saves moving it
    /// around.
    #[inline]
    pub(crate) fn call_parse<'a, O: Op, R>(
        &self,
        on: impl Into<On<'a>>,
        op: &O,
        mut undo: impl FnMut() -> Undo,
        parse: impl FnOnce(Body<'_>, Minor) -> Result<R, BadReply>,
    ) -> Result<R> {
        if self.chan.conn_error() {
            return Err(ECONNREFUSED);
        }
        let (on, caller) = (on.into(), self.caller()?);
        let mut leave = || on.leave(O::OPCODE, undo());
        let node = on.inode.nodeid();
        self.chan
            .call_parse(How::Normal, node, caller, op, &mut leave, parse)
    }

    /// As [`call`](Self::call), with data that goes along; also gives the number of bytes received.
    /// Where a caller does not wait for the reply, the data stays with the request.
    pub(crate) fn call_with<'a, O: Op>(
        &self,
        on: impl Into<On<'a>>,
        op: &O,
        payload: Payload,
    ) -> (Result<(O::Out, usize)>, Payload) {
        if self.chan.conn_error() {
            return (Err(ECONNREFUSED), payload);
        }
        let caller = match self.caller() {
            Ok(caller) => caller,
            Err(e) => return (Err(e), payload),
        };
        let on = on.into();
        let mut leave = || on.leave(O::OPCODE, Undo::Nothing);
        let node = on.inode.nodeid();
        self.chan
            .call_with(How::Normal, node, caller, op, payload, &mut leave)
    }

    /// Sends a request that must get through as long as there is a daemon, whoever sends it
    /// (`args->force`), and waits for its reply, unless killed.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), but neither ENOMEM nor EOVERFLOW.
    pub(crate) fn call_forced<'a, O: Op>(&self, on: impl Into<On<'a>>, op: &O) -> Result<O::Out> {
        let (on, caller) = (on.into(), self.caller_munged());
        let mut leave = || on.leave(O::OPCODE, Undo::Nothing);
        let node = on.inode.nodeid();
        self.chan.call(How::Forced, node, caller, op, &mut leave)
    }
}

/// What a request is about, and so what must stay until it has ended.
#[derive(Clone, Copy)]
pub(crate) struct On<'a> {
    inode: &'a Inode,
    other: Option<&'a Inode>,
    file: Option<&'a File>,
}

impl<'a> From<&'a Inode> for On<'a> {
    fn from(inode: &'a Inode) -> Self {
        Self {
            inode,
            other: None,
            file: None,
        }
    }
}

/// The request is sent to the first.
impl<'a> From<(&'a Inode, Option<&'a Inode>)> for On<'a> {
    fn from((inode, other): (&'a Inode, Option<&'a Inode>)) -> Self {
        Self {
            inode,
            other,
            file: None,
        }
    }
}

impl<'a> From<&'a File> for On<'a> {
    fn from(file: &'a File) -> Self {
        Self {
            inode: file.inode(),
            other: None,
            file: Some(file),
        }
    }
}

impl<'a> From<(&'a Inode, Option<&'a File>)> for On<'a> {
    fn from((inode, file): (&'a Inode, Option<&'a File>)) -> Self {
        Self {
            inode,
            other: None,
            file,
        }
    }
}

impl On<'_> {
    /// The caller is killed. What the request does to these nobody will say, so that they are to be
    /// asked for; and once more when it has ended, as what is asked for meanwhile may tell of before.
    #[cold]
    fn leave(&self, opcode: Opcode, undo: Undo) -> Orphan {
        let touched = |inode: &Inode| {
            inode.invalidate_attr();
            if opcode.changes_names() {
                Touched::new::<_, NamesChanged>(inode)
            } else {
                Touched::new::<_, AttrsChanged>(inode)
            }
        };
        Orphan {
            undo,
            file: self.file.map(|file| {
                let data: Arc<FuseFile> = file.data_arc().into();
                data as Arc<dyn Send + Sync>
            }),
            inodes: [Some(touched(self.inode)), self.other.map(touched)],
        }
    }
}

/// After a left request that may have changed attributes.
enum AttrsChanged {}

impl Ended<Fuse> for AttrsChanged {
    fn ended(inode: &Inode) {
        inode.changed_unseen(false);
    }
}

/// After one that may have changed names, too.
enum NamesChanged {}

impl Ended<Fuse> for NamesChanged {
    fn ended(inode: &Inode) {
        inode.changed_unseen(true);
    }
}

/// Whether an error means that a killed caller has left its request, so that nobody knows what
/// becomes of it.
pub(crate) fn left(e: Error) -> bool {
    e == EINTR && fatal_signal_pending()
}
