// SPDX-License-Identifier: GPL-2.0

//! What our module keeps for requests besides the requests: places in its queues, in portions that
//! come and go. C's requests bring their own.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::mem::{vector, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::{answer, Answer};
use mockd::reply::{message, raw, Bytes, LONG, ZERO};
use mockd::user;
use mockd::wire::{Op, OUT_HEADER, ROOT};
use mockd::{Caller, Init, Io, Mock, Request, Setup};
use suites::daemon::until;
use suites::fusectl;
use suites::slabs;

pub fn cases() -> Vec<Case> {
    cases![
        a_hundred_callers,
        memory_comes_back,
        replies_that_fault,
        killed_before_they_are_read,
        answered_before_they_run,
    ]
}

const CALLERS: usize = 100;

/// What that many callers may have the kernel allocate when they come at once, in KiB.
const BOUND: u64 = 4 << 10;

/// Requests that a portion is for.
const PORTION: usize = 64;

/// Bytes of a reply to STATFS without its header.
const STATFS: usize = 80;

/// Pages that the kernel has allocated since it was booted, in KiB.
fn allocated() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").expect("vmstat");
    let of = |line: &str| {
        let (name, n) = line.split_once(' ')?;
        name.starts_with("pgalloc_")
            .then(|| n.parse::<u64>().ok())?
    };
    text.lines().filter_map(of).sum::<u64>() * (PAGE as u64 >> 10)
}

/// Portions that are there; none in C, nor where the kernel does not tell.
fn portions() -> usize {
    // The slab allocator counts what it has at hand for each processor as used.
    let _ = std::fs::write("/sys/kernel/slab/fuse_slots/shrink", "1");
    let text = std::fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    let of = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next()? == "fuse_slots").then(|| words.next()?.parse().ok())?
    };
    text.lines().find_map(of).unwrap_or(0)
}

/// Waits until as few portions are there as before.
fn until_gone(empty: usize) {
    until("slots have gone back", || {
        (portions() <= empty).then_some(())
    });
}

/// A mount with a file whose attributes are asked for each time; a daemon that is asked for any
/// number of RELEASEs at once.
fn mount(fs: &mut Memfs) -> Mock {
    let init = Init {
        max_background: 65_535,
        congestion_threshold: 65_535,
        ..Init::plain()
    };
    let mut m = Mock::with(&Setup::default(), &init);
    m.without_record();
    fs.file("f", b"content");
    (fs.entry_valid, fs.attr_valid) = (LONG, ZERO);
    fs.on(Op::FLUSH, Answer::Err(ENOSYS));
    m
}

/// Serves until `over`, which is told how many requests were kept: those that `keep` says.
fn serve(
    m: &Mock,
    fs: &mut Memfs,
    mut keep: impl FnMut(&Request) -> bool,
    mut over: impl FnMut(usize) -> bool,
) {
    let mut kept = 0;
    while !over(kept) || m.pending() {
        if !readable(m.dev(), Duration::from_millis(10)) {
            continue;
        }
        let r = m.read().expect("a request");
        if keep(&r) {
            kept += 1;
        } else {
            let a = fs.handle(&r);
            answer(m.dev(), &r, &a).expect("answer");
        }
    }
}

/// Callers that do something when they are let go.
fn callers(m: &mut Mock, act: impl Fn(&Path) -> Res<()>) -> Vec<Caller> {
    let call = |mnt: &Path, io: &Io| -> Res<()> {
        io.wait();
        act(mnt)
    };
    (0..CALLERS).map(|_| m.caller(call)).collect()
}

/// Serves callers until all of them have ended well; gives what was kept of their requests.
fn serve_callers(
    m: &Mock,
    fs: &mut Memfs,
    mut callers: Vec<Caller>,
    keep: impl Fn(&Request) -> bool,
) -> Vec<u64> {
    let mut kept = Vec::new();
    let note = |r: &Request| {
        let keep = keep(r);
        if keep {
            kept.push(r.unique);
        }
        keep
    };
    serve(m, fs, note, |_| callers.iter_mut().all(Caller::ended));
    for c in callers {
        assert_eq!(c.join::<Res<()>>(), Ok(()));
    }
    kept
}

/// So many files of each of a hundred callers are closed, and no RELEASE is answered.
fn hold(m: &mut Mock, fs: &mut Memfs, files: usize) -> Vec<u64> {
    let all = callers(m, |mnt| {
        let f = mnt.join("f");
        (0..files).try_for_each(|_| user::close(user::open(&f, libc::O_RDONLY, 0)?))
    });
    all.iter().for_each(Caller::go);
    let held = serve_callers(m, fs, all, |r| r.op == Op::RELEASE);
    assert_eq!(held.len(), CALLERS * files);
    fusectl::await_waiting(&m.mnt, held.len() as u32);
    held
}

/// Thousands of requests are with the daemon, and a hundred callers come at once: that costs little
/// more than their requests, and when all have ended what was there for them is gone.
fn come_at_once(m: &mut Mock, fs: &mut Memfs, held: &[u64], empty: usize) {
    // Of callers who do not find the name one would look it up, and all others wait for that.
    let first = m.call("f", |p| user::lstat(p).map(drop));
    serve_callers(m, fs, vec![first], |_| false);
    let callers = callers(m, |mnt| user::lstat(&mnt.join("f")).map(drop));
    callers.iter().for_each(Caller::wait_asleep);
    let mut asked = Vec::with_capacity(CALLERS);
    let before = allocated();
    callers.iter().for_each(Caller::go);
    let all = |r: &Request| {
        asked.push(r.clone());
        true
    };
    serve(m, fs, all, |n| n == CALLERS);
    let cost = allocated() - before;
    println!("# {CALLERS} callers: {cost} KiB, {} portions", portions());
    assert!(cost < BOUND, "{cost} KiB for {CALLERS} callers");
    fusectl::await_waiting(&m.mnt, (held.len() + CALLERS) as u32);
    let most = empty + (held.len() + CALLERS) / PORTION + 2;
    assert!(portions() <= most, "{} portions", portions());

    for unique in held {
        assert_eq!(m.write(&message(*unique, 0, &[])).map(drop), Ok(()));
    }
    for r in &asked {
        let a = fs.handle(r);
        m.answer(r, &a).expect("answer");
    }
    serve_callers(m, fs, callers, |_| false);
    fusectl::await_waiting(&m.mnt, 0);
    until_gone(empty);
}

/// Waits until the slabs take less than so many KiB more than before.
fn until_back(before: i64, bound: i64) {
    let mut left = i64::MAX;
    until("the memory to come back", || {
        left = slabs::idle() - before;
        (left < bound).then_some(())
    });
    println!("# left: {left} KiB");
}

/// Thousands of requests; with `RF_QUEUES` set as many as there can be in the background, whose
/// limit has 16 bits (`make soak`).
fn most() -> usize {
    if std::env::var_os("RF_QUEUES").is_some() {
        65_535
    } else {
        8_000
    }
}

/// KiB for each request, the open file included; KASAN puts something around each object.
fn each() -> i64 {
    if ktap::has("CONFIG_KASAN_GENERIC") {
        4
    } else {
        1
    }
}

fn a_hundred_callers() {
    let mut fs = Memfs::new();
    let mut m = mount(&mut fs);
    let (empty, before) = (portions(), slabs::idle());
    let held = hold(&mut m, &mut fs, most() / CALLERS);
    let (n, during) = (held.len(), slabs::idle() - before);
    println!("# {n} requests: {during} KiB, {} portions", portions());
    let bound = n as i64 * each();
    assert!(during < bound, "{during} of {bound} KiB");
    come_at_once(&mut m, &mut fs, &held, empty);
    // The first callers leave something in the kernel, whatever they call.
    until_back(before, 1 << 10);
    m.finish();
}

/// What a daemon asks for by so many RETRIEVEs; our module allows 16,384.
const ASKED: usize = 16_000;
/// `FUSE_NOTIFY_RETRIEVE`.
const RETRIEVE: i32 = 5;

/// A daemon asks for thousands of messages before it reads one.
fn memory_comes_back() {
    let mut fs = Memfs::new();
    let mut m = mount(&mut fs);
    let (empty, before) = (portions(), slabs::idle());
    let c = m.call("f", |p| user::lstat(p).map(drop));
    serve_callers(&m, &mut fs, vec![c], |_| false);
    let f = fs.nodes[&ROOT].children["f"];
    for unique in 1..=ASKED as u64 {
        let body = Bytes::default().u64(unique).u64(f).u64(0).u32(0).u32(0);
        let told = m.write(&message(0, RETRIEVE, &body.0));
        assert_eq!(told.map(drop), Ok(()));
    }
    fusectl::await_waiting(&m.mnt, ASKED as u32);
    let during = slabs::idle() - before;
    println!("# {ASKED} messages: {during} KiB, {} portions", portions());
    let reply = |r: &Request| r.op == Op::NOTIFY_REPLY;
    serve(&m, &mut fs, reply, |n| n == ASKED);
    fusectl::await_waiting(&m.mnt, 0);
    until_gone(empty);
    // Half of what slots for them take.
    until_back(before, 512);
    m.finish();
}

/// Threads of one caller, each with a request that the daemon has not read: more than a portion is
/// for, and all killed at once.
fn killed_before_they_are_read() {
    let mut m = mount(&mut Memfs::new());
    let empty = portions();
    let mut c = threads(&mut m);
    c.kill(libc::SIGKILL);
    c.reap();
    fusectl::await_waiting(&m.mnt, 0);
    until_gone(empty);
    assert!(!m.pending(), "cancelled");
    m.finish();
}

/// All answers come before a caller has got on: as long as they count, what was there for them is
/// there, and the last ones that go give it back.
fn answered_before_they_run() {
    let mut fs = Memfs::new();
    let mut m = mount(&mut fs);
    let empty = portions();
    // The callers will inherit it.
    on_one_processor();
    let c = threads(&mut m);
    let mut asked = Vec::with_capacity(THREADS);
    let all = |r: &Request| {
        asked.push(r.clone());
        true
    };
    serve(&m, &mut fs, all, |n| n == THREADS);
    before_all_others(true);
    for r in &asked {
        let a = fs.handle(r);
        m.answer(r, &a).expect("answer");
    }
    before_all_others(false);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    fusectl::await_waiting(&m.mnt, 0);
    until_gone(empty);
    m.finish();
}

const THREADS: usize = 300;

/// A caller of so many threads, which all call statfs(2), when all of the requests are there.
fn threads(m: &mut Mock) -> Caller {
    let c = m.call("", |mnt| -> Res<()> {
        let one = || {
            let mnt = mnt.to_path_buf();
            let builder = std::thread::Builder::new().stack_size(64 << 10);
            builder.spawn(move || user::statfs(&mnt).map(drop))
        };
        let all: Vec<_> = (0..THREADS).map(|_| one().expect("a thread")).collect();
        all.into_iter()
            .try_for_each(|t| t.join().expect("a thread"))
    });
    fusectl::await_waiting(&m.mnt, THREADS as u32);
    c
}

/// This thread, and whom it starts from now on.
fn on_one_processor() {
    // SAFETY: a set of processors of the right size, for this thread.
    let r = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    mockd::errno::check(r).expect("affinity");
}

/// Whether this thread runs before all that are not real-time.
fn before_all_others(yes: bool) {
    let (policy, sched_priority) = match yes {
        true => (libc::SCHED_FIFO, 1),
        false => (libc::SCHED_OTHER, 0),
    };
    let p = libc::sched_param { sched_priority };
    // SAFETY: a parameter of the right size, for this thread.
    let r = unsafe { libc::sched_setscheduler(0, policy, &p) };
    mockd::errno::check(r).expect("scheduler");
}

/// Replies from memory that is not there yet, with more requests than one portion has places for:
/// each is put back while the memory comes, and its caller gets what was said.
fn replies_that_fault() {
    let mut fs = Memfs::new();
    let mut m = mount(&mut fs);
    let callers = callers(&mut m, |mnt| user::statfs(mnt).map(drop));
    callers.iter().for_each(Caller::go);
    let mut asked = Vec::new();
    let all = |r: &Request| {
        asked.push(r.clone());
        true
    };
    serve(&m, &mut fs, all, |n| n == CALLERS);
    for r in &asked {
        // Nothing has been at this page: it reads as zeroes, as a file system without room has it.
        let page = Pages::new(1);
        let header = raw((OUT_HEADER + STATFS) as u32, r.unique, 0, &[]);
        let pieces = [
            (header.as_ptr() as usize, header.len()),
            (page.addr(), STATFS),
        ];
        let written = vector(m.dev().as_raw_fd(), true, &pieces);
        assert_eq!(written, Ok(OUT_HEADER + STATFS));
    }
    for c in callers {
        assert_eq!(c.join::<Res<()>>(), Ok(()));
    }
    m.finish();
}
