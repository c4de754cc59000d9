// SPDX-License-Identifier: GPL-2.0

//! Messages of notifications, and a mount with a few files that callers have looked at.

use std::path::Path;
use std::time::Duration;

use mockd::caller::readable;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::msg::Msg;
use mockd::reply::{message, Bytes};
use mockd::wire::Op;
use mockd::{user, Caller, Init, Io, Mock, Setup};
use suites::daemon::until;

pub const INVAL_INODE: i32 = 2;
pub const INVAL_ENTRY: i32 = 3;
pub const DELETE: i32 = 6;
pub const PRUNE: i32 = 9;

/// A flag of INVAL_ENTRY.
pub const EXPIRE_ONLY: u32 = 1;

/// Only attributes: an offset of INVAL_INODE.
pub const NO_DATA: i64 = -1;

/// A node that nothing has.
pub const NOBODY: u64 = 0x1234_5678_9abc;

pub fn inval_inode(node: u64, offset: i64, len: i64) -> Vec<u8> {
    let body = Bytes::default()
        .u64(node)
        .u64(offset as u64)
        .u64(len as u64);
    message(0, INVAL_INODE, &body.0)
}

pub fn inval_entry(parent: u64, flags: u32, name: &[u8]) -> Vec<u8> {
    let body = Bytes::default()
        .u64(parent)
        .u32(name.len() as u32)
        .u32(flags)
        .bytes(name)
        .bytes(&[0]);
    message(0, INVAL_ENTRY, &body.0)
}

pub fn delete(parent: u64, child: u64, name: &[u8]) -> Vec<u8> {
    let body = Bytes::default()
        .u64(parent)
        .u64(child)
        .u32(name.len() as u32)
        .u32(0)
        .bytes(name)
        .bytes(&[0]);
    message(0, DELETE, &body.0)
}

pub fn prune(nodes: &[u64]) -> Vec<u8> {
    let head = Bytes::default().u32(nodes.len() as u32).u32(0).u64(0);
    let body = nodes.iter().fold(head, |b, node| b.u64(*node));
    message(0, PRUNE, &body.0)
}

/// A mount: the files are `f` and `d/f`, the directories `d`, `d/e` and `empty`, and `l` is a link.
/// Names and attributes are good for long.
pub struct Scene {
    pub m: Mock,
    pub fs: Memfs,
    pub f: u64,
    pub d: u64,
    pub df: u64,
    pub de: u64,
    pub empty: u64,
    pub l: u64,
}

impl Scene {
    pub fn new() -> Scene {
        Scene::with(&Setup::default(), &Init::plain())
    }

    pub fn with(setup: &Setup, init: &Init) -> Scene {
        let mut fs = Memfs::new();
        let f = fs.file("f", b"text of f");
        let d = fs.dir("d");
        let df = fs.add(d, "f", libc::S_IFREG | 0o644, b"text of d/f");
        let de = fs.add(d, "e", libc::S_IFDIR | 0o755, b"");
        let empty = fs.dir("empty");
        let l = fs.add(mockd::wire::ROOT, "l", libc::S_IFLNK | 0o777, b"f");
        Scene {
            m: Mock::with(setup, init),
            fs,
            f,
            d,
            df,
            de,
            empty,
            l,
        }
    }

    /// Runs a caller.
    #[track_caller]
    pub fn run<T: Msg>(&mut self, f: impl FnOnce(&Path) -> T) -> T {
        self.m.run(&mut self.fs, f)
    }

    /// Looks at these paths.
    #[track_caller]
    pub fn know(&mut self, paths: &[&str]) {
        for path in paths {
            assert_eq!(self.lstat(path), Ok(()), "{path}");
        }
    }

    /// lstat(2).
    #[track_caller]
    pub fn lstat(&mut self, path: &str) -> Res<()> {
        let path = self.m.path(path);
        self.run(|_| user::lstat(&path).map(drop))
    }

    /// How many requests of a kind a second lstat(2) sends.
    #[track_caller]
    pub fn asks(&mut self, op: Op, path: &str) -> usize {
        let before = self.m.rec.count(op);
        let _ = self.lstat(path);
        self.m.rec.count(op) - before
    }

    /// LOOKUPs that it takes to find a path.
    #[track_caller]
    pub fn lookups(&mut self, path: &str) -> usize {
        self.asks(Op::LOOKUP, path)
    }

    /// GETATTRs that it takes to know the attributes.
    #[track_caller]
    pub fn getattrs(&mut self, path: &str) -> usize {
        self.asks(Op::GETATTR, path)
    }

    /// Starts a caller, and serves it until it has put something.
    #[track_caller]
    pub fn hold<T: Msg>(&mut self, f: impl FnOnce(&Path, &Io) -> T) -> Caller {
        let mut c = self.m.caller(f);
        self.serve_put(&mut c);
        c
    }

    /// Serves a caller until it has put something.
    #[track_caller]
    pub fn serve_put(&mut self, c: &mut Caller) {
        let (m, fs) = (&mut self.m, &mut self.fs);
        until("the caller", || {
            m.drain(&mut |r| fs.handle(r));
            readable(c.fd(), Duration::ZERO).then_some(())
        });
        c.get::<()>();
    }

    /// Lets a caller that waits go on, and serves it to its end.
    #[track_caller]
    pub fn release<T: Msg>(&mut self, c: Caller) -> T {
        c.go();
        let fs = &mut self.fs;
        self.m.serve(c, &mut |r| fs.handle(r))
    }

    /// Writes a notification.
    pub fn tell(&self, notification: &[u8]) -> Res<()> {
        let n = self.m.write(notification)?;
        assert_eq!(n, notification.len());
        Ok(())
    }

    /// Answers what is there, so that FORGETs are counted.
    pub fn drain(&mut self) {
        let fs = &mut self.fs;
        self.m.drain(&mut |r| fs.handle(r));
    }

    /// Waits until the daemon has been given a node back.
    #[track_caller]
    pub fn await_forgotten(&mut self, node: u64) {
        self.m.await_forgotten(&mut self.fs, node);
    }

    /// Whether the kernel refers to a node.
    pub fn is_held(&mut self, node: u64) -> bool {
        self.drain();
        self.fs.held().iter().any(|(held, _)| *held == node)
    }

    pub fn finish(self) {
        self.m.finish();
    }
}
