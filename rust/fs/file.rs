// SPDX-License-Identifier: GPL-2.0

//! What we keep with an open file or directory, from OPEN to RELEASE.
//!
//! C counterpart: `struct fuse_file` and `fuse_file_open()` to `fuse_file_put()` in `file.c`.
//!
//! A [`FuseFile`] is shared by the `struct file` and by the requests that read for it; when the last
//! of them lets go, RELEASE is sent, so it follows all of them on the wire. All memory that takes
//! is there before OPEN is sent: a handle that the daemon has given is never lost. Takes the
//! inode's lock when it is dropped ([`iomode`]).

use super::{
    conn::{Conn, NoOp},
    iomode, Fuse, Inode,
};
use crate::{
    abi::{
        op::{CreateOut, Open, OpenOut, Opendir, Release, Releasedir},
        Creds, FileHandle, NodeId, OpenOutFlags,
    },
    kapi::{
        fcntl::{O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC},
        gfp::Gfp,
        inode_hold::InodeHold,
        rcu::RcuArc,
    },
    transport::{Done, End, Forget, How, Orphan, Payload, Prepared, Undo},
};
use core::mem::MaybeUninit;
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, UniqueArc,
    },
};

/// An open file's or directory's data.
pub(crate) struct FuseFile {
    pub(super) conn: RcuArc<Conn>,
    pub(super) fh: FileHandle,
    pub(super) nodeid: NodeId,
    pub(super) open_flags: OpenOutFlags,
    /// The flags of open(2) that the file had when it was closed.
    flags: Atomic<u32>,
    /// Whether the file counts as one that uses the page cache; changed under the inode's lock.
    pub(super) cached_io: Atomic<bool>,
    kind: Kind,
    /// `None` if there is nothing to be released.
    release: Option<ReleaseMemory>,
}

/// A file or a directory: they have operations of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// OPEN, RELEASE.
    File,
    /// OPENDIR, RELEASEDIR.
    Dir,
}

/// What RELEASE needs, allocated before OPEN is sent.
struct ReleaseMemory {
    request: Prepared,
    end: KBox<ReleaseEnd>,
}

/// What is kept until RELEASE has ended, so that FORGET comes after it.
struct ReleaseEnd {
    /// The inode of the file. Its reference goes where it may be the last.
    inode: InodeHold<Fuse>,
    /// A node that is to be given back, of a file that never got an inode.
    forget: Option<NodeForget>,
    /// This is the end of an OPEN or CREATE first, whose caller has left.
    orphan: Option<OrphanOpen>,
}

impl End for ReleaseEnd {
    fn end(mut self: KBox<Self>, done: Done<'_>) {
        if let Some(orphan) = self.orphan.take() {
            orphan.release(self, &done);
        } else {
            // Nobody hears of errors.
            give_back(self.forget.take());
        }
    }
}

/// What gives a node back that no inode stands for.
type NodeForget = (RcuArc<Conn>, Option<Forget>, NodeId);

/// Gives a node back.
fn give_back(forget: Option<NodeForget>) {
    if let Some((conn, forget, node)) = forget {
        conn.chan.give_back(forget, node);
    }
}

/// An OPEN, OPENDIR or CREATE whose caller has left: what the daemon has opened is released.
struct OrphanOpen {
    conn: RcuArc<Conn>,
    kind: Kind,
    flags: u32,
    /// Of the file; of a new one, what gives it back.
    node: Result<NodeId, Option<Forget>>,
    /// As the daemon knows it.
    caller: Creds,
    request: Prepared,
}

impl OrphanOpen {
    fn release(self, mut end: KBox<ReleaseEnd>, done: &Done<'_>) {
        let Self {
            conn,
            kind,
            flags,
            node,
            caller,
            request,
        } = self;
        let (node, fh) = match node {
            Ok(node) => match done.parse(OpenOut::decode) {
                Ok(out) => (node, out.fh),
                Err(_) => return,
            },
            Err(forget) => match done.parse(CreateOut::decode) {
                Ok(out) => {
                    end.forget = Some((conn.clone(), forget, out.entry.node));
                    (out.entry.node, out.open.fh)
                }
                Err(_) => return,
            },
        };
        let release = Release {
            fh,
            flags: flags & !(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC),
            flock_owner: None,
        };
        send_release(&conn, kind, request, node, caller, release, end);
    }
}

/// Sends RELEASE or RELEASEDIR in the background. Does not sleep.
fn send_release(
    conn: &Conn,
    kind: Kind,
    request: Prepared,
    node: NodeId,
    caller: Creds,
    release: Release,
    end: KBox<ReleaseEnd>,
) {
    let (chan, end) = (&conn.chan, Some(end as KBox<dyn End>));
    match kind {
        Kind::File => chan.send_background(request, node, caller, &release, Payload::None, end),
        Kind::Dir => {
            let release = Releasedir(release);
            chan.send_background(request, node, caller, &release, Payload::None, end);
        }
    }
}

/// A file's memory, before the daemon has given a handle (`fuse_file_alloc()`).
pub(crate) struct NewFile {
    conn: RcuArc<Conn>,
    kind: Kind,
    file: UniqueArc<MaybeUninit<FuseFile>>,
    release: Option<ReleaseMemory>,
}

impl NewFile {
    /// Allocates all that a file and its release will need. May sleep.
    pub(crate) fn new(conn: &RcuArc<Conn>, kind: Kind) -> Result<Self> {
        // Without an OPENDIR there is no RELEASEDIR, and no inode to be kept for it. With files it
        // is kept anyhow, for as long as there are READs: should the daemon cause reclaim while it
        // serves one, the inode must not be evicted.
        let release = if kind == Kind::File || !conn.lacks(NoOp::Opendir) {
            Some(ReleaseMemory {
                request: conn.chan.prepare(Gfp::KERNEL | Gfp::ACCOUNT)?,
                end: KBox::new(
                    ReleaseEnd {
                        inode: InodeHold::new(),
                        forget: None,
                        orphan: None,
                    },
                    GFP_KERNEL,
                )?,
            })
        } else {
            None
        };
        Ok(Self {
            conn: conn.clone(),
            kind,
            file: UniqueArc::new_uninit(GFP_KERNEL)?,
            release,
        })
    }

    /// What undoes the open with `flags` of `node`, if its caller does not wait for it. Uses up the
    /// memory for RELEASE.
    fn undo_open(&mut self, inode: &Inode, flags: u32) -> Undo {
        if let Some(release) = &self.release {
            release.end.inode.set(inode);
        }
        self.undo(Ok(inode.nodeid()), flags)
    }

    /// The same for a file that is made as well.
    pub(crate) fn undo_create(&mut self, flags: u32) -> Undo {
        self.undo(Err(Forget::new(GFP_KERNEL).ok()), flags)
    }

    fn undo(&mut self, node: Result<NodeId, Option<Forget>>, flags: u32) -> Undo {
        let Some(ReleaseMemory { request, mut end }) = self.release.take() else {
            return Undo::Nothing;
        };
        end.orphan = Some(OrphanOpen {
            conn: self.conn.clone(),
            kind: self.kind,
            flags,
            node,
            caller: self.conn.caller_nocreds(),
            request,
        });
        Undo::End(end)
    }

    /// The file, once the daemon has given its handle; from now on it will be released.
    pub(crate) fn opened(self, nodeid: NodeId, out: OpenOut) -> Arc<FuseFile> {
        let mut open_flags = out.flags;
        if self.kind == Kind::Dir || !open_flags.contains(OpenOutFlags::DIRECT_IO) {
            open_flags = open_flags.without(OpenOutFlags::PARALLEL_DIRECT_WRITES);
        }
        if self.kind == Kind::Dir {
            open_flags = open_flags.without(OpenOutFlags::DIRECT_IO);
        }
        self.file
            .write(FuseFile {
                conn: self.conn,
                fh: out.fh,
                nodeid,
                open_flags,
                flags: Atomic::new(0),
                cached_io: Atomic::new(false),
                kind: self.kind,
                release: self.release,
            })
            .into()
    }

    /// The file, when the daemon does not care to be asked.
    fn opened_without_asking(mut self, nodeid: NodeId) -> Arc<FuseFile> {
        let flags = match self.kind {
            Kind::File => OpenOutFlags::KEEP_CACHE,
            Kind::Dir => {
                // No release needed.
                self.release = None;
                OpenOutFlags::KEEP_CACHE | OpenOutFlags::CACHE_DIR
            }
        };
        self.opened(
            nodeid,
            OpenOut {
                fh: FileHandle::ZERO,
                flags,
            },
        )
    }
}

impl FuseFile {
    /// Opens an inode for open(2) with `flags` (`fuse_file_open()`). May sleep.
    pub(crate) fn open(inode: &Inode, flags: u32, kind: Kind) -> Result<Arc<Self>> {
        let (conn, nodeid) = (inode.conn(), inode.nodeid());
        let mut file = NewFile::new(conn, kind)?;
        let no_open = match kind {
            Kind::File => NoOp::Open,
            Kind::Dir => NoOp::Opendir,
        };
        if conn.lacks(no_open) {
            return Ok(file.opened_without_asking(nodeid));
        }
        let open = Open {
            flags: wire_flags(conn, flags),
            // Only with HANDLE_KILLPRIV_V2.
            kill_suidgid: false,
        };
        let undo = || file.undo_open(inode, flags);
        let out = match kind {
            Kind::File => conn.call_undo(inode, &open, undo),
            Kind::Dir => conn.call_undo(inode, &Opendir(open), undo),
        };
        match out {
            Ok(out) => Ok(file.opened(nodeid, out)),
            Err(e) if e == ENOSYS => {
                conn.set_lacks(no_open);
                Ok(file.opened_without_asking(nodeid))
            }
            Err(e) => Err(e),
        }
    }

    /// The inode, once the file has been attached to it.
    pub(super) fn inode(&self) -> Option<&Inode> {
        self.release.as_ref().and_then(|r| r.end.inode.get())
    }

    /// Ties the file to its inode, which is kept until RELEASE has ended.
    pub(crate) fn attach(&self, inode: &Inode) {
        if let Some(release) = &self.release {
            release.end.inode.set(inode);
        }
    }

    /// The file is closed with these flags of open(2) (`fuse_file_release()`). RELEASE is sent when
    /// those who read for it are through as well.
    pub(crate) fn release(self: Arc<Self>, flags: u32) {
        self.flags.store(flags, Relaxed);
    }

    /// Takes an open of a file back that failed after all, and waits until the daemon knows
    /// (`fuse_sync_release()`), unless killed; with `forget`, gives its node back after that, as it has
    /// no inode. May sleep.
    pub(crate) fn sync_release(self: Arc<Self>, flags: u32, forget: bool) {
        self.flags.store(flags, Relaxed);
        // Nobody has read for it yet. If someone had, RELEASE would go when they let go.
        let Some(mut file) = Arc::into_unique_or_drop(self) else {
            return;
        };
        let (conn, node) = (file.conn.clone(), file.nodeid);
        let mut memory = file.take_release();

        if memory.is_some() {
            let mut leave = || Orphan {
                undo: match memory.take() {
                    Some(ReleaseMemory { mut end, .. }) => {
                        end.forget =
                            forget.then(|| (conn.clone(), Forget::new(GFP_KERNEL).ok(), node));
                        Undo::End(end)
                    }
                    None => Undo::Nothing,
                },
                file: None,
                inodes: [None, None],
            };
            let (caller, release) = (conn.caller_nocreds(), file.release_op());
            // What the daemon answers changes nothing.
            let _ = conn
                .chan
                .call(How::Forced, node, caller, &release, &mut leave);
            if memory.is_none() {
                // Left, to who does the rest.
                return;
            }
        }
        if forget {
            conn.chan.forget_one(node);
        }
    }

    /// The last use of the inode, and the memory for a RELEASE if one is to be sent.
    fn take_release(&mut self) -> Option<ReleaseMemory> {
        if let Some(inode) = self.inode() {
            iomode::release(self, inode);
        }
        let memory = self.release.take()?;
        (self.kind == Kind::Dir || !self.conn.lacks(NoOp::Open)).then_some(memory)
    }

    fn release_op(&self) -> Release {
        Release {
            fh: self.fh,
            flags: self.flags.load(Relaxed),
            // Only where flock(2) is the daemon's.
            flock_owner: None,
        }
    }
}

impl Drop for FuseFile {
    /// Sends RELEASE in the background, since this may be the daemon's own doing. Does not sleep.
    fn drop(&mut self) {
        let Some(memory) = self.take_release() else {
            return;
        };
        let (caller, release) = (self.conn.caller_nocreds(), self.release_op());
        send_release(
            &self.conn,
            self.kind,
            memory.request,
            self.nodeid,
            caller,
            release,
            memory.end,
        );
    }
}

/// The flags of open(2) that the daemon is told of.
fn wire_flags(conn: &Conn, flags: u32) -> u32 {
    let mut hidden = O_CREAT | O_EXCL | O_NOCTTY;
    if !atomic_o_trunc(conn) {
        hidden |= O_TRUNC;
    }
    flags & !hidden
}

/// Whether OPEN truncates, so that the kernel need not.
pub(super) fn atomic_o_trunc(conn: &Conn) -> bool {
    conn.negotiated().is_some_and(|n| n.atomic_o_trunc)
}
