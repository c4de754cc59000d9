// SPDX-License-Identifier: GPL-2.0

//! The daemon of `random`: it serves well, but late, and in any order. It looks at each request:
//! whether C's locks would have let it come now, and whether the kernel could know that it makes no
//! sense.

use std::collections::HashMap;

use fastrand::Rng;
use mockd::errno::*;
use mockd::memfs::{Memfs, Node};
use mockd::mock::{read_request, Answer};
use mockd::record::Recorder;
use mockd::reply::{Entry, Valid, LONG, ZERO};
use mockd::wire::{Op, FATTR_FH, FOPEN_KEEP_CACHE};
use mockd::{Caller, Mock, Request};
use rustix::event::{PollFd, PollFlags, Timespec};
use suites::catalogue::summary;

use crate::random_caller::line;

/// A request that waits for its answer.
struct Held {
    r: Request,
    locks: Vec<Lock>,
    /// What is to be answered, if that has been done already.
    done: Option<Answer>,
    killed: bool,
}

/// A node that C's caller has locked while it waits, and whether nobody else may have.
type Lock = (u64, bool);

/// For how long things are believed.
#[derive(Clone, Copy, Debug)]
pub enum Trust {
    Long,
    Never,
    /// As it happens.
    Either,
}

impl Trust {
    pub fn random(rng: &mut Rng) -> Trust {
        [Trust::Long, Trust::Long, Trust::Never, Trust::Either][rng.usize(..4)]
    }

    fn valid(self, rng: &mut Rng) -> Valid {
        match self {
            Trust::Long => LONG,
            Trust::Never => ZERO,
            Trust::Either => [LONG, ZERO][rng.usize(..2)],
        }
    }
}

pub struct Daemon {
    pub m: Mock,
    pub fs: Memfs,
    rng: Rng,
    pub entries: Trust,
    pub attrs: Trust,
    /// Of a hundred requests so many are answered later.
    pub late: u32,
    held: Vec<Held>,
    /// Whether they are open still, by number.
    handles: HashMap<u64, bool>,
    pub served: u64,
    /// Requests that were told that they were interrupted.
    pub interrupted: u64,
}

impl Daemon {
    pub fn new(m: Mock, fs: Memfs, rng: Rng) -> Daemon {
        Daemon {
            m,
            fs,
            rng,
            entries: Trust::Long,
            attrs: Trust::Long,
            late: 0,
            held: Vec::new(),
            handles: HashMap::new(),
            served: 0,
            interrupted: 0,
        }
    }

    /// Waits a little for a request, and does a little.
    pub fn step(&mut self) {
        let idle = !self.something();
        if !idle {
            self.receive();
        }
        if self.late == 0 || self.rng.u32(..if idle { 2 } else { 8 }) == 0 {
            self.answer_one();
        }
    }

    /// Whether there is a request, after a moment.
    fn something(&mut self) -> bool {
        let tick = match self.held.len() {
            0 => 2_000_000,
            _ if self.late == 0 => 0,
            _ => self.rng.i64(0..1_000_000),
        };
        let mut fds = [PollFd::from_borrowed_fd(self.m.dev(), PollFlags::IN)];
        let tick = Timespec {
            tv_sec: 0,
            tv_nsec: tick,
        };
        rustix::event::poll(&mut fds, Some(&tick)).expect("poll") > 0
    }

    /// True if a request of this process waits for its answer.
    pub fn holds_of(&self, c: &Caller) -> bool {
        self.held.iter().any(|h| h.r.pid == c.pid as u32)
    }

    /// How much a caller has asked to write, if that waits for its answer.
    pub fn writes_of(&self, c: &Caller) -> Option<u64> {
        let its = |h: &&Held| h.r.pid == c.pid as u32 && h.r.op == Op::WRITE;
        self.held.iter().find(its).map(|h| h.r.get("size"))
    }

    /// Of those that wait, these wait longer than others.
    pub fn killed(&mut self, c: &Caller) {
        let its = |h: &&mut Held| h.r.pid == c.pid as u32;
        self.held
            .iter_mut()
            .filter(its)
            .for_each(|h| h.killed = true);
    }

    /// True if nothing is waited for, and all that was opened is closed.
    pub fn quiet(&self) -> bool {
        self.held.is_empty() && !self.m.pending() && self.handles.values().all(|open| !open)
    }

    /// What is in the way of that.
    pub fn state(&self) -> String {
        let held: Vec<&Request> = self.held.iter().map(|h| &h.r).collect();
        let open: Vec<&u64> = self.handles.iter().filter(|h| *h.1).map(|h| h.0).collect();
        format!("held {held:?}, open {open:?}")
    }

    fn receive(&mut self) {
        let r = match read_request(self.m.dev(), self.m.buf, &Recorder::default()) {
            Ok(r) => r,
            // It has been taken back, before this read(2) or while its data was being copied.
            Err(EAGAIN | ENOENT) => return,
            Err(e) => panic!("read of the device: {e}"),
        };
        match r.op {
            Op::FORGET | Op::BATCH_FORGET => {
                self.fs.handle(&r);
            }
            Op::INTERRUPT => self.interrupt(r.get("unique")),
            _ if mockd::table::is_unasked(&r) => {
                let a = self.fs.handle(&r);
                self.write(&r, &a);
            }
            _ => {
                self.served += 1;
                self.request(r);
            }
        }
    }

    /// Does not what was not yet done, or does not care. What a failed WRITE leaves in the page
    /// cache stays there, with either module.
    fn interrupt(&mut self, unique: u64) {
        let never = |op| matches!(op, Op::FLUSH | Op::RELEASE | Op::RELEASEDIR | Op::WRITE);
        let at = |h: &Held| h.r.unique == unique && h.done.is_none() && !never(h.r.op);
        if let Some(i) = self.held.iter().position(at) {
            if self.rng.bool() {
                let h = self.held.swap_remove(i);
                self.interrupted += 1;
                self.write(&h.r, &Answer::Err(EINTR));
            }
        }
    }

    fn request(&mut self, r: Request) {
        let locks = self.check(&r);
        if self.rng.u32(..100) >= self.late {
            let a = self.work(&r);
            return self.write(&r, &a);
        }
        let done = self.rng.bool().then(|| self.work(&r));
        self.held.push(Held {
            r,
            locks,
            done,
            killed: false,
        });
    }

    /// Answers one of those that wait.
    fn answer_one(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let i = self.rng.usize(..self.held.len());
        if self.held[i].killed && self.late > 0 && self.rng.u8(..4) != 0 {
            return;
        }
        let h = self.held.swap_remove(i);
        let a = match h.done {
            Some(a) => a,
            None => self.work(&h.r),
        };
        self.write(&h.r, &a);
    }

    fn write(&self, r: &Request, a: &Answer) {
        if let Err(e) = self.m.answer(r, a) {
            panic!("answer to {r:?}: {e}");
        }
    }

    /// It may come now: what it is about is there, and nobody else has what its caller has locked.
    fn check(&self, r: &Request) -> Vec<Lock> {
        assert!(self.fs.nodes.contains_key(&r.node), "no such node: {r:?}");
        if let Some(fh) = handle(r) {
            assert_eq!(self.handles.get(&fh), Some(&true), "handle of {r:?}");
            if matches!(r.op, Op::RELEASE | Op::RELEASEDIR) {
                let busy = self.held.iter().find(|h| handle(&h.r) == Some(fh));
                assert!(busy.is_none(), "{r:?} before {:?}", busy.map(|h| &h.r));
            }
        }
        let locks = self.locks(r);
        for (node, alone) in &locks {
            let other = |h: &&Held| h.locks.iter().any(|l| l.0 == *node && (l.1 || *alone));
            if let Some(h) = self.held.iter().find(other) {
                panic!("{r:?} comes while {:?} is out, node {node}", h.r);
            }
        }
        locks
    }

    fn child(&self, dir: u64, name: &str) -> Option<&Node> {
        let id = self.fs.nodes.get(&dir)?.children.get(name)?;
        self.fs.nodes.get(id)
    }

    /// What C's caller has locked. LOOKUPs need not have locked anything.
    fn locks(&self, r: &Request) -> Vec<Lock> {
        let names = r.names();
        let mut all = vec![(r.node, true)];
        match r.op {
            Op::READDIR => all = vec![(r.node, false)],
            Op::WRITE | Op::SETATTR | Op::FSYNC => {}
            Op::CREATE | Op::MKNOD | Op::MKDIR | Op::SYMLINK => {}
            Op::LINK => all.push((r.get("oldnodeid"), true)),
            Op::UNLINK | Op::RMDIR => {
                let victim = self.child(r.node, &names[0]);
                all.extend(victim.map(|n| (n.attr.ino, true)));
            }
            Op::RENAME | Op::RENAME2 => {
                let to = r.get("newdir");
                // A directory is locked if it gets another parent, or none.
                let moves = |n: &&Node| to != r.node || !is_dir(n);
                let exchange =
                    r.op == Op::RENAME2 && r.get("flags") as u32 == libc::RENAME_EXCHANGE;
                let from = self.child(r.node, &names[0]).filter(moves);
                let old = self.child(to, &names[1]).filter(|n| !exchange || moves(n));
                all.extend(from.into_iter().chain(old).map(|n| (n.attr.ino, true)));
                if to != r.node {
                    all.push((to, true));
                }
            }
            _ => all.clear(),
        }
        all
    }

    /// Does what it says.
    fn work(&mut self, r: &Request) -> Answer {
        self.fs.entry_valid = self.entries.valid(&mut self.rng);
        self.fs.attr_valid = self.attrs.valid(&mut self.rng);
        // Nobody else changes the files, so that pages may stay; at the end they do.
        let keep = self.late == 0 || self.rng.bool();
        self.fs.open_flags = if keep { FOPEN_KEEP_CACHE } else { 0 };
        self.before(r);
        let a = self.fs.handle(r);
        let odd = match &a {
            Answer::Err(ENOENT) => r.op != Op::LOOKUP,
            Answer::Err(ENOTEMPTY) => !matches!(r.op, Op::RMDIR | Op::RENAME | Op::RENAME2),
            Answer::Err(_) => true,
            _ => false,
        };
        assert!(!odd, "the kernel could know: {a:?} to {r:?}");
        match &a {
            Answer::Ok(b) => self.after(r, b),
            Answer::Err(ENOENT) if self.rng.bool() => {
                return Answer::Ok(Entry::negative(self.fs.entry_valid).bytes());
            }
            _ => {}
        }
        a
    }

    /// Nothing is made in a directory that has been removed, and what is appended comes at the end.
    fn before(&self, r: &Request) {
        let Some(n) = self.fs.nodes.get(&r.node) else {
            return;
        };
        match r.op {
            Op::CREATE | Op::MKNOD | Op::MKDIR | Op::SYMLINK | Op::LINK => {
                assert!(n.attr.nlink > 0, "in a removed directory: {r:?}");
            }
            Op::RENAME | Op::RENAME2 => {
                let to = &self.fs.nodes[&r.get("newdir")];
                assert!(to.attr.nlink > 0, "into a removed directory: {r:?}");
            }
            Op::WRITE if r.get("flags") as i32 & libc::O_APPEND != 0 => {
                assert_eq!(r.get("offset"), n.attr.size, "where it appends: {r:?}");
            }
            _ => {}
        }
        if r.op == Op::LINK {
            let old = self.fs.nodes.get(&r.get("oldnodeid"));
            assert!(
                old.is_some_and(|n| n.attr.nlink > 0),
                "of what is removed: {r:?}"
            );
        }
    }

    fn after(&mut self, r: &Request, b: &[u8]) {
        let at = match r.op {
            Op::OPEN | Op::OPENDIR => 0,
            Op::CREATE | Op::TMPFILE => 128,
            Op::RELEASE | Op::RELEASEDIR => {
                self.handles.insert(r.get("fh"), false);
                return;
            }
            _ => return,
        };
        let fh = u64::from_ne_bytes(b[at..at + 8].try_into().expect("eight"));
        self.handles.insert(fh, true);
    }

    /// The tree, in lines as `random_caller::walk` has them.
    pub fn tree(&self, id: u64, rel: &str, out: &mut Vec<String>) {
        let all = &self.fs.nodes[&id].children;
        let names: Vec<&String> = all.keys().collect();
        out.push(format!("{rel}/ has {names:?}"));
        for (name, id) in all {
            let (n, rel) = (&self.fs.nodes[id], format!("{rel}/{name}"));
            let a = &n.attr;
            let content = match a.mode & libc::S_IFMT {
                libc::S_IFLNK => String::from_utf8_lossy(&n.data).into_owned(),
                libc::S_IFREG => summary(n.data.clone()),
                _ => String::new(),
            };
            out.push(line(&rel, a.ino, a.mode, a.nlink.into(), a.size, &content));
            if is_dir(n) {
                self.tree(*id, &rel, out);
            }
        }
    }
}

fn is_dir(n: &Node) -> bool {
    n.attr.mode & libc::S_IFMT == libc::S_IFDIR
}

/// The open file that a request is about.
fn handle(r: &Request) -> Option<u64> {
    let has = match r.op {
        Op::READ | Op::WRITE | Op::READDIR | Op::FLUSH | Op::FSYNC | Op::FSYNCDIR => true,
        Op::RELEASE | Op::RELEASEDIR => true,
        Op::SETATTR => r.get("valid") as u32 & FATTR_FH != 0,
        Op::GETATTR => r.get("getattr_flags") & 1 != 0,
        _ => false,
    };
    has.then(|| r.get("fh"))
}
