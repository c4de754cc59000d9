// SPDX-License-Identifier: GPL-2.0

//! Sending requests on behalf of the current task.
//!
//! C counterpart: `req.c`. Adds to the channel's calls what only the filesystem knows: who the
//! caller is in the daemon's namespaces. Takes no locks; may sleep.

use super::conn::Conn;
use crate::{
    abi::{Creds, NodeId, Op},
    kapi::{
        cred::{current_fsgid, current_fsuid},
        pid_namespace::current_pid_nr_ns,
        uidgid::{from_kgid, from_kgid_munged, from_kuid, from_kuid_munged},
    },
    transport::{How, Payload},
};
use kernel::prelude::*;

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
    /// there is no daemon; EINTR; ENOMEM; EOVERFLOW ([`caller`](Self::caller)).
    pub(crate) fn call<O: Op>(&self, node: NodeId, op: &O) -> Result<O::Out> {
        if self.chan.conn_error() {
            return Err(ECONNREFUSED);
        }
        self.chan.call(node, self.caller()?, op)
    }

    /// As [`call`](Self::call), with data that goes along; also gives the number of bytes received.
    pub(crate) fn call_with<O: Op>(
        &self,
        node: NodeId,
        op: &O,
        payload: Payload,
    ) -> (Result<(O::Out, usize)>, Payload) {
        if self.chan.conn_error() {
            return (Err(ECONNREFUSED), payload);
        }
        match self.caller() {
            Ok(caller) => self.chan.call_with(How::Normal, node, caller, op, payload),
            Err(e) => (Err(e), payload),
        }
    }

    /// Sends a request that must get through as long as there is a daemon, whoever sends it
    /// (`args->force`), and waits for its reply.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), but neither EINTR nor ENOMEM nor EOVERFLOW.
    pub(crate) fn call_forced<O: Op>(&self, node: NodeId, op: &O) -> Result<O::Out> {
        self.chan.call_forced(node, self.caller_munged(), op)
    }
}
