// SPDX-License-Identifier: GPL-2.0

//! How many killed callers may leave: the parameter `max_left`, of each connection, a quarter of it
//! for each user without CAP_SYS_ADMIN. Beyond it a killed caller waits for its answer as in C.

use std::path::Path;

use ktap::{cases, Case};
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Request, Setup};
use suites::setting::Setting;

use crate::scene::{open, ours, show, Act, Scene};
use suites::settle::settle;

pub fn cases() -> Vec<Case> {
    cases![
        parameters,
        none_leaves,
        root,
        user,
        each_connection,
        many_at_once,
        no_thread_for_a_flush,
        no_thread_for_a_page,
    ]
}

fn only_ours() {
    if !ours() {
        ktap::skip("C has no such parameter");
    }
}

/// They are there, with what is usual, and take numbers.
fn parameters() {
    only_ours();
    let p = Setting::parameter("max_left");
    assert_eq!(p.get(), "256\n");
    for good in ["0", "1", "1000"] {
        p.set(good).expect("set");
        assert_eq!(p.get(), format!("{good}\n"));
    }
    assert!(p.set("-1").is_err() && p.set("some").is_err());
    let p = Setting::parameter("flush_wait");
    // The suite has set it.
    assert_eq!(p.get(), "0\n");
    for good in ["10", "0", "600"] {
        p.set(good).expect("set");
        assert_eq!(p.get(), format!("{good}\n"));
    }
    assert!(p.set("-1").is_err() && p.set("some").is_err());
}

fn scene() -> Scene {
    let mut fs = Memfs::new();
    for n in 0..8 {
        fs.file(&format!("f{n}"), b"x");
    }
    let setup = Setup::default().opt("allow_other", "");
    Scene::mounted(&setup, fs, &Init::plain())
}

const WHO: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];

/// Caller `n`, of that user, whose LOOKUP the daemon has, and which is killed.
fn killed(s: &mut Scene, n: usize, uid: u32) -> (Caller, Request) {
    let c = s.actor(WHO[n], move |mnt| {
        let p = mnt.join(format!("f{n}"));
        if uid != 0 {
            user::become_user(uid, uid);
        }
        Box::new(move || show(user::lstat(&p).map(drop)))
    });
    let r = s.hold(WHO[n], &c, Op::LOOKUP, "");
    c.kill(libc::SIGKILL);
    (c, r)
}

#[track_caller]
fn leaves(s: &mut Scene, n: usize, uid: u32) -> Request {
    let (mut c, r) = killed(s, n, uid);
    s.gone(&mut c);
    r
}

#[track_caller]
fn stays(s: &mut Scene, n: usize, uid: u32) -> (Caller, Request) {
    let (c, r) = killed(s, n, uid);
    settle(&[c.pid]);
    s.serve();
    settle(&[c.pid]);
    assert!(!c.exited(), "it has left");
    (c, r)
}

/// It is answered, and what is to be done then is done.
fn ends(s: &mut Scene, r: &Request) {
    s.answer("left", r);
    settle(&[]);
}

fn answered_stay(s: &mut Scene, (mut c, r): (Caller, Request)) {
    s.answer("stayed", &r);
    s.gone(&mut c);
}

fn none_leaves() {
    only_ours();
    let p = Setting::parameter("max_left");
    p.set("0").expect("set");
    let mut s = scene();
    let one = stays(&mut s, 0, 0);
    let two = stays(&mut s, 1, 1000);
    answered_stay(&mut s, one);
    answered_stay(&mut s, two);
    s.end(vec![]);
}

/// What ends makes room.
fn root() {
    only_ours();
    let p = Setting::parameter("max_left");
    p.set("2").expect("set");
    let mut s = scene();
    let one = leaves(&mut s, 0, 0);
    let two = leaves(&mut s, 1, 0);
    let three = stays(&mut s, 2, 0);
    ends(&mut s, &one);
    let four = leaves(&mut s, 3, 0);
    answered_stay(&mut s, three);
    s.answer("left", &two);
    s.answer("left", &four);
    s.end(vec![]);
}

fn user() {
    only_ours();
    let p = Setting::parameter("max_left");
    p.set("8").expect("set");
    let mut s = scene();
    let mut out = vec![leaves(&mut s, 0, 1000), leaves(&mut s, 1, 1000)];
    let three = stays(&mut s, 2, 1000);
    // Others have their own.
    out.push(leaves(&mut s, 3, 1001));
    out.push(leaves(&mut s, 4, 0));
    ends(&mut s, &out.remove(0));
    out.push(leaves(&mut s, 5, 1000));
    answered_stay(&mut s, three);
    for r in &out {
        s.answer("left", r);
    }
    s.end(vec![]);
}

fn each_connection() {
    only_ours();
    let p = Setting::parameter("max_left");
    p.set("1").expect("set");
    let (mut s, mut t) = (scene(), scene());
    let one = leaves(&mut s, 0, 0);
    let two = leaves(&mut t, 0, 0);
    s.answer("left", &one);
    t.answer("left", &two);
    s.end(vec![]);
    t.end(vec![]);
}

/// Very many are killed at once: those up to the limit leave, the others wait. All are answered,
/// nothing is lost or left.
fn many_at_once() {
    let all = std::env::var("RF_LEFT").as_deref() == Ok("all");
    let n = if all { 4096 } else { 600 };
    let mut fs = Memfs::new();
    for i in 0..n {
        fs.file(&format!("f{i}"), b"");
    }
    let mut s = Scene::new(fs);
    // Threads of one process, which SIGKILL ends together.
    let mut c = s.actor("many", move |mnt| {
        let mnt = mnt.to_path_buf();
        Box::new(move || {
            let looks = |i: usize| {
                let p = mnt.join(format!("f{i}"));
                let thread = std::thread::Builder::new().stack_size(1 << 16);
                thread.spawn(move || user::lstat(&p)).expect("thread")
            };
            let threads: Vec<_> = (0..n).map(looks).collect();
            let ends = threads
                .into_iter()
                .map(|t| t.join().expect("thread").is_ok());
            format!("{}", ends.filter(|ok| *ok).count())
        })
    });
    c.go();
    let mut out = Vec::new();
    suites::daemon::until("all of them to ask", || {
        while s.m.pending() {
            out.push(s.m.read().expect("read"));
        }
        (out.len() == n).then_some(())
    });
    assert!(out.iter().all(|r| r.op == Op::LOOKUP));
    c.kill(libc::SIGKILL);
    settle(&[c.pid]);
    assert!(!c.exited(), "more have left than may");
    for r in &out {
        s.answer("many", r);
    }
    s.gone(&mut c);
    suites::fusectl::await_waiting(&s.m.mnt, 0);
    s.end(vec![]);
}

/// Callers for whom the kernel has something to do.
const KILLED: usize = 48;

/// How many of the kernel's threads are at work: those have a plus and what it is for in their
/// names.
fn kworkers() -> usize {
    let name = |pid: String| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let entries = std::fs::read_dir("/proc").expect("proc").flatten();
    let names = entries.filter_map(|e| name(e.file_name().into_string().ok()?));
    names
        .filter(|n| n.starts_with("kworker/") && n.contains('+'))
        .count()
}

/// The daemon lets killed callers' closes wait. In C those wait by themselves; it costs nobody a
/// thread but the user.
#[track_caller]
fn no_thread() {
    settle(&[]);
    let busy = kworkers();
    println!("{busy} threads at work");
    assert!(busy < KILLED / 2, "{busy} threads of the kernel at work");
}

/// Callers killed in open(2), whose OPEN is answered after that.
fn opened_by_killed(s: &mut Scene, mut answer: impl FnMut(&mut Scene, &Request)) -> Vec<Caller> {
    let open = |mnt: &Path| -> Act {
        let p = mnt.join("f0");
        Box::new(move || show(user::open(&p, libc::O_RDWR, 0).map(drop)))
    };
    let mut callers = vec![];
    for _ in 0..KILLED {
        let mut c = s.actor("opener", open);
        let r = s.leave("opener", &mut c, Op::OPEN, "");
        answer(s, &r);
        callers.push(c);
    }
    callers
}

/// Where killed callers stay, they go now.
fn all_gone(s: &mut Scene, callers: Vec<Caller>) {
    for mut c in callers {
        if !ours() {
            s.gone(&mut c);
        }
    }
}

fn no_thread_for_a_flush() {
    let mut s = scene();
    let mut flushes: Vec<Request> = vec![];
    let callers = opened_by_killed(&mut s, |s, r| {
        s.hold_next("opener", Op::FLUSH, "");
        s.answer("opener", r);
        flushes.push(s.await_held(Op::FLUSH));
    });
    no_thread();
    for r in &flushes {
        s.answer("opener", r);
    }
    all_gone(&mut s, callers);
    s.end(vec![]);
}

/// The page is being read, and who opens the file drops it.
fn no_thread_for_a_page() {
    let mut s = scene();
    let mut reader = s.actor("reader", |mnt| {
        let f = open(mnt, "f0", libc::O_RDONLY);
        Box::new(move || show(user::pread(&f, 1, 0)))
    });
    let read = s.hold("reader", &reader, Op::READ, "");
    let callers = opened_by_killed(&mut s, |s, r| s.answer("opener", r));
    no_thread();
    s.answer("reader", &read);
    s.said(&mut reader);
    all_gone(&mut s, callers);
    s.end(vec![reader]);
}
