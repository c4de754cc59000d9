// SPDX-License-Identifier: GPL-2.0

//! Sending requests on behalf of the current task.
//!
//! C counterpart: `req.c`. Adds to the channel's calls what only the filesystem knows: who the
//! caller is in the daemon's namespaces, and what a request is about. Takes no locks; may sleep.

use super::held::{
    Afterwards,
    Held,
    LeftCall, //
};
use crate::{
    abi::{
        header::INVALID_UIDGID,
        BadReply,
        Body,
        Creds,
        InitFlags,
        Minor,
        NodeId,
        Op, //
    },
    fs::{
        conn::connection::Conn,
        File,
        Inode, //
    },
    kapi::{
        task::{
            cred::{
                current_fsgid,
                current_fsuid, //
            },
            pid_namespace::current_pid_nr_ns,
            uidgid::{
                from_kgid,
                from_kgid_munged,
                from_kuid,
                from_kuid_munged, //
            },
        },
        time::jiffies::Jiffies64,
        vfs::mnt_idmapping::MntIdmap, //
    },
    transport::{
        Answer,
        How,
        Leave,
        Left,
        Message,
        Next,
        Outcome,
        Payload,
        Prepared, //
    },
};
use kernel::prelude::*;

impl Conn {
    /// The current task, as the daemon is told of it (`fuse_fill_creds()`); with the mapping of the
    /// mount, if what it asks for makes a file.
    ///
    /// # Errors
    ///
    /// EOVERFLOW for a user or group that has no id in the daemon's namespace.
    #[inline(always)]
    pub(in crate::fs) fn caller(&self, idmap: Option<&MntIdmap>) -> Result<Creds> {
        if self.agreed(InitFlags::ALLOW_IDMAP) {
            return Ok(self.caller_idmapped(idmap));
        }
        Ok(Creds {
            uid: from_kuid(&self.user_ns, current_fsuid()).ok_or(EOVERFLOW)?,
            gid: from_kgid(&self.user_ns, current_fsgid()).ok_or(EOVERFLOW)?,
            pid: current_pid_nr_ns(&self.pid_ns),
        })
    }

    /// The same where mounts may map ids. Who asks is the kernel's to look at then; whose a new
    /// file is, the mount says.
    #[inline(never)]
    fn caller_idmapped(&self, idmap: Option<&MntIdmap>) -> Creds {
        let ns = &*self.user_ns;
        let (uid, gid) = match idmap {
            Some(idmap) => (
                from_kuid(ns, idmap.mapped_fsuid(ns)),
                from_kgid(ns, idmap.mapped_fsgid(ns)),
            ),
            None => (None, None),
        };
        Creds {
            uid: uid.unwrap_or(INVALID_UIDGID),
            gid: gid.unwrap_or(INVALID_UIDGID),
            pid: current_pid_nr_ns(&self.pid_ns),
        }
    }

    /// As [`caller`](Self::caller), for what must be sent: an id without a name is replaced.
    pub(in crate::fs) fn caller_munged(&self) -> Creds {
        if self.agreed(InitFlags::ALLOW_IDMAP) {
            return self.caller_idmapped(None);
        }
        Creds {
            uid: from_kuid_munged(&self.user_ns, current_fsuid()),
            gid: from_kgid_munged(&self.user_ns, current_fsgid()),
            pid: current_pid_nr_ns(&self.pid_ns),
        }
    }

    /// The current task without its ids, which are 0 on the wire (`args->nocreds`).
    pub(in crate::fs) fn caller_nocreds(&self) -> Creds {
        Creds {
            uid: 0,
            gid: 0,
            pid: current_pid_nr_ns(&self.pid_ns),
        }
    }

    /// Sends a request and waits for its reply (`fuse_simple_request()`). For a caller that leaves
    /// nothing is done when the answer has come.
    ///
    /// # Errors
    ///
    /// The daemon's; EIO for a reply that makes no sense; ENOTCONN, ECONNABORTED, ECONNREFUSED when
    /// there is no daemon; EINTR, also where a killed caller has left; ENOMEM; EOVERFLOW
    /// ([`caller`](Self::caller)).
    pub(in crate::fs) fn call<O: Op>(&self, on: impl Subject, op: &O) -> Result<O::Out> {
        self.call_then(on, op, || |_: &mut Outcome<'_>| {})
    }

    /// As [`call`](Self::call). If the caller leaves, `then` is called, and makes what is to be
    /// done in its place when the answer has come: in a work item, before it is free for others
    /// what the caller held. It takes no lock of the VFS but folio locks, and needs no memory that
    /// it might not get.
    pub(in crate::fs) fn call_then<O: Op, A: Afterwards, T: Then<A>>(
        &self,
        on: impl Subject,
        op: &O,
        then: impl FnOnce() -> T,
    ) -> Result<O::Out> {
        self.call_parse(on, op, then, |body, minor| op.decode(body, minor))
    }

    /// As [`call_then`](Self::call_then), with what `parse` makes of the reply's body: that saves
    /// moving it around.
    #[inline]
    pub(in crate::fs) fn call_parse<O: Op, R, A: Afterwards, T: Then<A>>(
        &self,
        on: impl Subject,
        op: &O,
        then: impl FnOnce() -> T,
        parse: impl FnOnce(Body<'_>, Minor) -> Result<R, BadReply>,
    ) -> Result<R> {
        self.ask(on, op, None, then)?.parse(parse)
    }

    /// As [`call_then`](Self::call_then), with data that goes along; also gives the number of bytes
    /// received. Where the caller leaves, folios stay with the request.
    pub(in crate::fs) fn call_with<O: Op, A: Afterwards, T: Then<A>>(
        &self,
        on: impl Subject,
        op: &O,
        mut payload: Payload,
        then: impl FnOnce() -> T,
    ) -> (Result<(O::Out, usize)>, Payload) {
        let answer = self.ask(on, op, Some(&mut payload), then);
        let result = answer.and_then(|answer| answer.decode_with(op, &mut payload));
        (result, payload)
    }

    /// Sends a request and waits for its answer.
    #[inline(always)]
    fn ask<O: Op, A: Afterwards, T: Then<A>>(
        &self,
        on: impl Subject,
        op: &O,
        payload: Option<&mut Payload>,
        then: impl FnOnce() -> T,
    ) -> Result<Answer> {
        if self.chan.conn_error() {
            return Err(ECONNREFUSED);
        }
        let message = Message {
            caller: self.caller(on.idmap())?,
            node: Some(on.node()),
            op,
        };
        let mut leaver = Leaver::new(self, &on, then);
        self.chan.call(How::Normal, &message, payload, &mut leaver)
    }

    /// A request that is sent in place of a caller which has left. Nobody waits for the answer.
    pub(in crate::fs) fn call_behind<O: Op>(
        &self,
        request: Prepared,
        node: NodeId,
        caller: Creds,
        op: &O,
    ) -> Next {
        let node = Some(node);
        let message = Message { node, caller, op };
        // Without a payload there is no error.
        (self.chan.fill_behind(request, &message)).map_or(Next::Done, Next::Call)
    }

    /// Sends a request that must get through as long as there is a daemon, whoever sends it
    /// (`args->force`), and waits for its reply; a task that is killed, or dies of a signal, does
    /// so for a time ([`LeftTable::deadline`](crate::fs::conn::left::LeftTable::deadline)).
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), but neither ENOMEM nor EOVERFLOW.
    pub(in crate::fs) fn call_forced<O: Op>(&self, on: impl Subject, op: &O) -> Result<O::Out> {
        let message = Message {
            caller: self.caller_munged(),
            node: Some(on.node()),
            op,
        };
        let mut leaver = Leaver::new(self, &on, || |_: &mut Outcome<'_>| {}).patient();
        (self.chan)
            .call(How::Forced, &message, None, &mut leaver)?
            .decode(op)
    }
}

/// What is done with the answer to a request whose caller has left, before others go on; what it
/// returns is done after that.
pub(in crate::fs) trait Then<A: Afterwards>:
    FnOnce(&mut Outcome<'_>) -> A + Send + 'static
{
}

impl<A: Afterwards, T: FnOnce(&mut Outcome<'_>) -> A + Send + 'static> Then<A> for T {}

/// What a caller has while its request is under way.
pub(in crate::fs) trait Holds {
    /// Hands it over, as the caller leaves.
    ///
    /// # Errors
    ///
    /// EAGAIN, ENOMEM: the caller has to stay.
    fn hold(&self, held: &mut Held) -> Result;
}

/// What a request is about.
pub(in crate::fs) trait Subject: Holds {
    /// The node that it is sent to.
    fn node(&self) -> NodeId;

    /// If it makes a file, the mapping of ids of the mount that the caller has come by.
    fn idmap(&self) -> Option<&MntIdmap> {
        None
    }
}

impl Holds for &Inode {
    fn hold(&self, held: &mut Held) -> Result {
        held.inode(self)
    }
}

impl Subject for &Inode {
    fn node(&self) -> NodeId {
        self.nodeid()
    }
}

impl Holds for &File {
    fn hold(&self, held: &mut Held) -> Result {
        held.file(self)
    }
}

impl Subject for &File {
    fn node(&self) -> NodeId {
        self.inode().nodeid()
    }
}

impl Holds for (&Inode, Option<&File>) {
    fn hold(&self, held: &mut Held) -> Result {
        match self.1 {
            Some(file) => held.file(file),
            None => held.inode(self.0),
        }
    }
}

impl Subject for (&Inode, Option<&File>) {
    fn node(&self) -> NodeId {
        self.0.nodeid()
    }
}

/// A directory and another inode that is locked with it.
impl Holds for (&Inode, Option<&Inode>) {
    fn hold(&self, held: &mut Held) -> Result {
        held.inode(self.0)?;
        self.1.map_or(Ok(()), |other| held.inode(other))
    }
}

impl Subject for (&Inode, Option<&Inode>) {
    fn node(&self) -> NodeId {
        self.0.nodeid()
    }
}

/// The way in which a caller leaves the request that it has sent on behalf of `conn`.
pub(in crate::fs) struct Leaver<'a, S, F> {
    conn: &'a Conn,
    holds: &'a S,
    then: Option<F>,
    /// Whether it waits a time for the answer before.
    patient: bool,
}

impl<'a, S, F> Leaver<'a, S, F> {
    /// See [`Conn::call_then`].
    #[inline]
    pub(in crate::fs) fn new(conn: &'a Conn, holds: &'a S, then: F) -> Self {
        Self {
            conn,
            holds,
            then: Some(then),
            patient: false,
        }
    }

    /// It does so after it has waited a time for the answer
    /// ([`LeftTable::deadline`](crate::fs::conn::left::LeftTable::deadline)).
    pub(in crate::fs) fn patient(mut self) -> Self {
        self.patient = true;
        self
    }
}

impl<S, F, A, T> Leave for Leaver<'_, S, F>
where
    S: Holds,
    F: FnOnce() -> T,
    A: Afterwards,
    T: FnOnce(&mut Outcome<'_>) -> A + Send + 'static,
{
    fn patience(&mut self) -> Option<Jiffies64> {
        self.patient.then(|| self.conn.left.deadline())
    }

    #[cold]
    fn leave(&mut self) -> Result<KBox<dyn Left>> {
        let memory = KBox::<LeftCall<T, A>>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let mut held = Held::new(self.conn)?;
        self.holds.hold(&mut held)?;
        // Last, as it may take what the caller needs if it stays.
        let then = self.then.take().ok_or(EAGAIN)?();
        Ok(memory.write(LeftCall::new(then, held)) as KBox<dyn Left>)
    }
}
