// SPDX-License-Identifier: GPL-2.0

//! What we keep with an open file or directory, from OPEN to RELEASE.
//!
//! C counterpart: `struct fuse_file` and `fuse_file_open()` to `fuse_file_put()` in `file.c`.
//!
//! A [`FuseFile`] is shared by the `struct file` and by the requests that read for it; when the
//! last of them lets go, RELEASE is sent, so it follows all of them on the wire. All memory that
//! takes is there before OPEN is sent: a handle that the daemon has given is never lost. Takes the
//! inode's lock when it is dropped ([`iomode`]).

use crate::{
    abi::{
        op::{
            Op,
            Open,
            OpenOut,
            Opendir,
            Release,
            Releasedir, //
        },
        Creds,
        FileHandle,
        LockOwner,
        NodeId,
        OpenOutFlags,
        PollHandle, //
    },
    fs::{
        conn::{
            connection::Conn,
            polled::PollPlace, //
        },
        inode::{
            dir_cache::Stream,
            iomode::{
                self,
                CachedUse, //
            },
        },
        Fuse,
        Inode, //
    },
    kapi::{
        mm::gfp::Gfp,
        task::sched::is_kthread,
        vfs::inode_hold::InodeHold, //
    },
    transport::{
        Message,
        OnEnd,
        Outcome,
        Payload,
        Prepared, //
    },
};
use core::mem::MaybeUninit;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce,
        UniqueArc, //
    },
};

/// An open file's or directory's data.
pub(in crate::fs) struct FuseFile {
    pub(in crate::fs) conn: Arc<Conn>,
    pub(in crate::fs) fh: FileHandle,
    pub(in crate::fs) nodeid: NodeId,
    pub(in crate::fs) open_flags: OpenOutFlags,
    /// The flags of open(2) that the file had when it was closed.
    pub(super) flags: Atomic<u32>,
    /// The last task to have left a request of the file, as the daemon knows it, or 0: where a work
    /// item closes the file, it does so for that.
    left_by: Atomic<u32>,
    /// Who has locks of flock(2), as the daemon knows it, once there was one that it has granted.
    flock: SetOnce<LockOwner>,
    pub(super) cached_use: CachedUse,
    /// What notifications call it.
    pub(super) kh: PollHandle,
    /// Those who wait for it, once it has been polled.
    pub(super) polled: PollPlace,
    /// Of a directory: where its reader is in its page cache.
    pub(in crate::fs) stream: ReaderAt,
    kind: Kind,
    /// `None` if there is nothing to be released.
    release: Option<ReleaseMemory>,
}

/// A [`Stream`]. Readers of one open file exclude each other where they come by getdents(2); others
/// in the kernel may get a mixture, and look for their position.
pub(in crate::fs) struct ReaderAt {
    pos: Atomic<i64>,
    offset: Atomic<usize>,
    version: Atomic<u64>,
}

impl ReaderAt {
    fn new() -> Self {
        Self {
            pos: Atomic::new(0),
            offset: Atomic::new(0),
            version: Atomic::new(0),
        }
    }

    /// Where it is.
    pub(in crate::fs) fn get(&self) -> Stream {
        Stream {
            pos: self.pos.load(Relaxed),
            offset: self.offset.load(Relaxed),
            version: self.version.load(Relaxed),
        }
    }

    /// It is there now.
    pub(in crate::fs) fn set(&self, stream: Stream) {
        self.pos.store(stream.pos, Relaxed);
        self.offset.store(stream.offset, Relaxed);
        self.version.store(stream.version, Relaxed);
    }
}

/// A file or a directory: they have operations of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::fs) enum Kind {
    /// OPEN, RELEASE.
    File,
    /// OPENDIR, RELEASEDIR.
    Dir,
}

/// What RELEASE needs, allocated before OPEN is sent.
pub(super) struct ReleaseMemory {
    pub(super) request: Prepared,
    pub(super) end: KBox<ReleaseEnd>,
}

/// What is kept until RELEASE has ended, so that FORGET comes after it.
pub(super) struct ReleaseEnd {
    /// The inode of the file. Its reference goes where it may be the last.
    inode: InodeHold<Fuse>,
}

impl OnEnd for ReleaseEnd {
    fn ended(self: KBox<Self>, _outcome: Outcome<'_>) {
        // Nobody hears of errors.
    }
}

/// Sends RELEASE or RELEASEDIR in the background. Does not wait for the daemon; may sleep for
/// memory.
fn send_release(
    conn: &Conn,
    kind: Kind,
    request: Prepared,
    node: NodeId,
    caller: Creds,
    release: Release,
    end: KBox<ReleaseEnd>,
) {
    let (chan, end) = (&conn.chan, Some(end as KBox<dyn OnEnd>));
    let node = Some(node);
    match kind {
        Kind::File => {
            let op = &release;
            let message = Message { node, caller, op };
            chan.send_background(request, &message, Payload::None, end);
        }
        Kind::Dir => {
            let op = &Releasedir(release);
            let message = Message { node, caller, op };
            chan.send_background(request, &message, Payload::None, end);
        }
    }
}

/// A file's memory, before the daemon has given a handle (`fuse_file_alloc()`).
pub(in crate::fs) struct NewFile {
    conn: Arc<Conn>,
    kind: Kind,
    kh: PollHandle,
    file: UniqueArc<MaybeUninit<FuseFile>>,
    release: Option<ReleaseMemory>,
}

impl NewFile {
    /// Allocates all that a file and its release will need, charged to the current task's memory
    /// cgroup as in C: a task may open as many files as it likes. May sleep.
    pub(in crate::fs) fn new(conn: &Arc<Conn>, kind: Kind) -> Result<Self> {
        // Without an OPENDIR there is no RELEASEDIR, and no inode to be kept for it. With files it
        // is kept anyhow, for as long as there are READs: should the daemon cause reclaim while it
        // serves one, the inode must not be evicted.
        let release = if kind == Kind::File || !conn.lacks(Opendir::OPCODE) {
            Some(ReleaseMemory {
                request: conn.chan.prepare(Gfp::KERNEL | Gfp::ACCOUNT)?,
                end: KBox::new(
                    ReleaseEnd {
                        inode: InodeHold::new(),
                    },
                    GFP_KERNEL_ACCOUNT,
                )?,
            })
        } else {
            None
        };
        Ok(Self {
            conn: conn.clone(),
            kind,
            kh: conn.new_kh(),
            file: UniqueArc::new_uninit(GFP_KERNEL_ACCOUNT)?,
            release,
        })
    }

    /// The file, once the daemon has given its handle; from now on it will be released.
    pub(in crate::fs) fn opened(self, nodeid: NodeId, out: OpenOut) -> Arc<FuseFile> {
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
                left_by: Atomic::new(0),
                flock: SetOnce::new(),
                cached_use: CachedUse::new(),
                kh: self.kh,
                polled: PollPlace::new(),
                stream: ReaderAt::new(),
                kind: self.kind,
                release: self.release,
            })
            .into()
    }

    /// The file, when the daemon does not care to be asked.
    pub(super) fn opened_without_asking(mut self, nodeid: NodeId) -> Arc<FuseFile> {
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
    /// The inode, once the file has been attached to it.
    pub(in crate::fs) fn inode(&self) -> Option<&Inode> {
        self.release.as_ref().and_then(|r| r.end.inode.get())
    }

    /// Ties the file to its inode, which is kept until RELEASE has ended.
    pub(in crate::fs) fn attach(&self, inode: &Inode) {
        if let Some(release) = &self.release {
            release.end.inode.set(inode);
        }
    }

    /// The file is closed with these flags of open(2) (`fuse_file_release()`). RELEASE is sent when
    /// those who read for it are through as well.
    pub(in crate::fs) fn release(self: Arc<Self>, flags: u32) {
        self.flags.store(flags, Relaxed);
    }

    /// The last use of the inode, and the memory for a RELEASE if one is to be sent.
    pub(super) fn take_release(&mut self) -> Option<ReleaseMemory> {
        if let Some(inode) = self.inode() {
            iomode::release(&self.cached_use, inode);
        }
        let memory = self.release.take()?;
        (self.kind == Kind::Dir || !self.conn.lacks(Open::OPCODE)).then_some(memory)
    }

    /// Whether the daemon wants all transfers to itself.
    pub(in crate::fs) fn is_direct(&self) -> bool {
        self.open_flags.contains(OpenOutFlags::DIRECT_IO)
    }

    /// A task has left a request of the file.
    pub(in crate::fs) fn set_left_by(&self, pid: u32) {
        self.left_by.store(pid, Relaxed);
    }

    /// The daemon has granted a lock of flock(2) to `owner`, which is the same each time, or taken
    /// it back.
    pub(super) fn set_flock(&self, owner: LockOwner) {
        self.flock.populate(owner);
    }

    /// Who closes the file, for RELEASE.
    pub(super) fn closer(&self) -> Creds {
        let mut caller = self.conn.caller_nocreds();
        let left_by = self.left_by.load(Relaxed);
        if left_by != 0 && is_kthread() {
            caller.pid = left_by;
        }
        caller
    }

    pub(super) fn release_op(&self) -> Release {
        Release {
            fh: self.fh,
            flags: self.flags.load(Relaxed),
            flock_owner: self.flock.copy(),
        }
    }
}

impl Drop for FuseFile {
    /// Sends RELEASE in the background, since this may be the daemon's own doing: it is not waited
    /// for. May sleep for memory.
    fn drop(&mut self) {
        self.conn.polled.remove(self.kh, &self.polled);
        let Some(memory) = self.take_release() else {
            return;
        };
        let (caller, release) = (self.closer(), self.release_op());
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
