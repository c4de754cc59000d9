// SPDX-License-Identifier: GPL-2.0

//! Locks of files: the callers' system calls, and the table of an honest daemon.

use std::os::fd::AsRawFd;

use crate::errno::*;
use crate::reply::Bytes;
use crate::request::Request;
use crate::wire::{Op, FUSE_LK_FLOCK, FUSE_RELEASE_FLOCK_UNLOCK};

pub const RDLCK: i32 = libc::F_RDLCK;
pub const WRLCK: i32 = libc::F_WRLCK;
pub const UNLCK: i32 = libc::F_UNLCK;

/// The last byte that a file can have.
pub const LAST: u64 = i64::MAX as u64;

/// `struct flock`: kind, first byte, how many (0: all that come), process.
pub type Lk = (i32, i64, i64, i32);

/// fcntl(2) with a lock whose start counts from the beginning; gives it back as the call left it.
pub fn fcntl(f: &impl AsRawFd, cmd: i32, lk: Lk) -> Res<Lk> {
    fcntl_from(f, cmd, libc::SEEK_SET, lk)
}

/// The same with a start that counts from elsewhere.
pub fn fcntl_from(f: &impl AsRawFd, cmd: i32, whence: i32, lk: Lk) -> Res<Lk> {
    // SAFETY: all zeros are a valid one.
    let mut l: libc::flock = unsafe { std::mem::zeroed() };
    (l.l_type, l.l_whence) = (lk.0 as i16, whence as i16);
    (l.l_start, l.l_len, l.l_pid) = (lk.1, lk.2, lk.3);
    // SAFETY: l is one.
    check(unsafe { libc::fcntl(f.as_raw_fd(), cmd, &mut l) })?;
    Ok((l.l_type.into(), l.l_start, l.l_len, l.l_pid))
}

/// F_SETLK of some bytes.
pub fn setlk(f: &impl AsRawFd, kind: i32, start: i64, len: i64) -> Res<()> {
    fcntl(f, libc::F_SETLK, (kind, start, len, 0)).map(drop)
}

/// F_SETLKW of some bytes.
pub fn setlkw(f: &impl AsRawFd, kind: i32, start: i64, len: i64) -> Res<()> {
    fcntl(f, libc::F_SETLKW, (kind, start, len, 0)).map(drop)
}

/// F_GETLK for some bytes.
pub fn getlk(f: &impl AsRawFd, kind: i32, start: i64, len: i64) -> Res<Lk> {
    fcntl(f, libc::F_GETLK, (kind, start, len, 0))
}

/// flock(2).
pub fn flock(f: &impl AsRawFd, operation: i32) -> Res<()> {
    // SAFETY: integers.
    check(unsafe { libc::flock(f.as_raw_fd(), operation) }).map(drop)
}

/// Answer to GETLK.
pub fn lk_out(start: u64, end: u64, kind: u32, pid: u32) -> Vec<u8> {
    Bytes::default().u64(start).u64(end).u32(kind).u32(pid).0
}

/// A lock that the daemon has granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Granted {
    node: u64,
    fh: u64,
    owner: u64,
    flock: bool,
    start: u64,
    end: u64,
    kind: i32,
    pid: u32,
}

impl Granted {
    fn of(r: &Request) -> Granted {
        Granted {
            node: r.node,
            fh: r.get("fh"),
            owner: r.get("owner"),
            flock: r.get("lk_flags") as u32 & FUSE_LK_FLOCK != 0,
            start: r.get("start"),
            end: r.get("end"),
            kind: r.get("type") as i32,
            pid: r.get("lk_pid") as u32,
        }
    }

    fn same_owner(&self, other: &Granted) -> bool {
        (self.node, self.owner, self.flock) == (other.node, other.owner, other.flock)
    }

    fn overlaps(&self, other: &Granted) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    fn excludes(&self, other: &Granted) -> bool {
        (self.node, self.flock) == (other.node, other.flock)
            && self.owner != other.owner
            && self.overlaps(other)
            && (self.kind == WRLCK || other.kind == WRLCK)
    }
}

/// All that the daemon has granted.
#[derive(Clone, Default, Debug)]
pub struct Locks(Vec<Granted>);

impl Locks {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Kind, first and last byte of those of a node, in order.
    pub fn of(&self, node: u64) -> Vec<(i32, u64, u64)> {
        let of_node = self.0.iter().filter(|l| l.node == node);
        let mut v: Vec<_> = of_node.map(|l| (l.kind, l.start, l.end)).collect();
        v.sort_by_key(|l| (l.1, l.2, l.0));
        v
    }

    /// Answers GETLK, SETLK and SETLKW. None waits: where another is in the way it is EAGAIN.
    pub(crate) fn work(&mut self, r: &Request) -> Res<Vec<u8>> {
        let asked = Granted::of(r);
        let other = self.0.iter().find(|l| l.excludes(&asked));
        if r.op == Op::GETLK {
            return Ok(match other {
                Some(l) => lk_out(l.start, l.end, l.kind as u32, l.pid),
                None => lk_out(0, 0, UNLCK as u32, 0),
            });
        }
        if asked.kind != UNLCK && other.is_some() {
            return Err(EAGAIN);
        }
        self.cut(&asked);
        if asked.kind != UNLCK {
            self.0.push(asked);
        }
        Ok(vec![])
    }

    /// The owner has none of these bytes any more.
    fn cut(&mut self, asked: &Granted) {
        let mut rest = Vec::new();
        for l in std::mem::take(&mut self.0) {
            if !l.same_owner(asked) || !l.overlaps(asked) {
                rest.push(l);
                continue;
            }
            if l.start < asked.start {
                let end = asked.start - 1;
                rest.push(Granted { end, ..l });
            }
            if l.end > asked.end {
                let start = asked.end + 1;
                rest.push(Granted { start, ..l });
            }
        }
        self.0 = rest;
    }

    /// FLUSH and RELEASE: what goes with them.
    pub(crate) fn closed(&mut self, r: &Request) {
        let (node, owner) = (r.node, r.get("lock_owner"));
        let flush = r.op == Op::FLUSH;
        let unlock = flush || r.get("release_flags") as u32 & FUSE_RELEASE_FLOCK_UNLOCK != 0;
        self.0.retain(|l| {
            let by_owner = unlock && (l.node, l.owner, l.flock) == (node, owner, !flush);
            let by_file = !flush && !l.flock && l.fh == r.get("fh");
            !by_owner && !by_file
        });
    }
}
