// SPDX-License-Identifier: GPL-2.0

//! An ordinary user with a memory cgroup of their own, whose callers are killed without end while
//! the daemon answers nothing: what that takes outside of the group is bounded.

use std::path::PathBuf;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::{self, Op};
use mockd::{Caller, Init, Request, Setup};

use crate::memory::meminfo;
use crate::scene::{open, show, Scene};
use suites::settle::settle;

pub fn cases() -> Vec<Case> {
    cases![readdirs_without_end, reads_without_end]
}

/// This process and its children, with 256 MiB at most; back in the root when dropped.
struct Group(PathBuf);

impl Group {
    fn new() -> Group {
        ktap::needs("CONFIG_MEMCG");
        let root = PathBuf::from("/sys/fs/cgroup");
        let dir = root.join("left");
        let set = |p: PathBuf, v: &str| {
            std::fs::write(&p, v).unwrap_or_else(|e| panic!("{}: {v}: {e}", p.display()));
        };
        set(root.join("cgroup.subtree_control"), "+memory");
        let _ = std::fs::create_dir(&dir);
        set(dir.join("memory.max"), "256M");
        set(dir.join("cgroup.procs"), &std::process::id().to_string());
        Group(dir)
    }

    /// KiB in use.
    fn current(&self) -> i64 {
        let t = std::fs::read_to_string(self.0.join("memory.current")).expect("memory.current");
        t.trim().parse::<i64>().expect("number") / 1024
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let me = std::process::id().to_string();
        let _ = std::fs::write("/sys/fs/cgroup/cgroup.procs", me);
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// So many tasks the user may have.
const TASKS: usize = 64;
/// Callers at most; before, all tasks of the user wait for their answers.
const ROUNDS: usize = 256;
/// What may be taken outside of the group, in KiB.
const BOUND: i64 = 64 << 10;
/// What each asks for, in pages and bytes.
const PAGES: u16 = 128;
const SIZE: usize = (PAGES as usize) << 12;

fn without_end(op: Op, act: fn(&std::os::fd::OwnedFd) -> String, name: &'static str, flags: i32) {
    let group = Group::new();
    let mut fs = Memfs::new();
    let id = fs.file("f", b"");
    fs.nodes.get_mut(&id).expect("f").attr.size = SIZE as u64;
    let init = Init {
        max_pages: PAGES,
        ..Init::plain()
    };
    let setup = Setup::default().opt("allow_other", "");
    let mut s = Scene::mounted(&setup, fs, &init);
    s.open_flags.insert(id, wire::FOPEN_DIRECT_IO);
    user::drop_caches();
    let (before, mine) = (meminfo("MemAvailable"), group.current());

    let mut out: Vec<Request> = Vec::new();
    let mut stay: Vec<Caller> = Vec::new();
    while stay.len() < TASKS && out.len() < ROUNDS {
        let mut c = s.actor("first", move |mnt| {
            user::become_user(1000, 1000);
            let f = open(mnt, name, flags);
            Box::new(move || act(&f))
        });
        let r = s.hold("first", &c, op, "");
        assert_eq!(r.get("size"), SIZE as u64, "{r:?}");
        out.push(r);
        c.kill(libc::SIGKILL);
        settle(&[c.pid]);
        s.serve();
        if c.exited() {
            c.reap();
        } else {
            stay.push(c);
        }
    }
    assert_eq!(stay.len(), TASKS, "killed callers leave without end");
    s.forget();
    user::drop_caches();
    let lost = before - meminfo("MemAvailable");
    let charged = group.current() - mine;
    println!(
        "{} are out, {lost} KiB less, {charged} KiB of it in the group",
        out.len()
    );
    for r in &out {
        s.m.fail(r, EIO);
    }
    for c in &mut stay {
        s.gone(c);
    }
    s.end(vec![]);
    drop(group);
    assert!(lost - charged < BOUND, "too much outside of the group");
}

fn readdirs_without_end() {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    without_end(Op::READDIR, |d| show(user::getdents(d, SIZE)), "", flags);
}

fn reads_without_end() {
    without_end(
        Op::READ,
        |f| show(user::pread(f, SIZE, 0)),
        "f",
        libc::O_RDONLY,
    );
}
