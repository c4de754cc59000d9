// SPDX-License-Identifier: GPL-2.0

//! The trace events of the queues' steps. Ours alone: C has three events, see suite `control`.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mem::{read_at, Held, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::fusectl;
use suites::releases::unanswered;
use suites::tracing::Tracing;

use super::device::Clone;
use super::notify::{send, RESEND};

pub fn cases() -> Vec<Case> {
    match ktap::implementation() {
        Impl::C => Vec::new(),
        Impl::Rust => cases![
            answered,
            interrupted_and_resent,
            killed_in_the_queue,
            held_back,
            devices,
            aborted,
            numbered_in_order,
        ],
    }
}

/// The steps of a connection, in their order: that of the log is by the clocks of the processors.
fn steps(t: &Tracing, id: u32) -> Vec<Step> {
    let text = t.text();
    let of_this = |line: &&str| line.contains(&format!(": connection {id} "));
    let mut steps: Vec<Step> = text
        .lines()
        .filter(of_this)
        .filter_map(Step::parse)
        .collect();
    steps.sort_by_key(|step| step.seq);
    steps
}

/// Without what happens outside of the queues.
fn names(t: &Tracing, id: u32) -> Vec<String> {
    let names = steps(t, id).into_iter().map(|step| step.name);
    names.filter(|name| name != "reply_copied").collect()
}

#[derive(Debug, Clone)]
struct Step {
    name: String,
    unique: u64,
    opcode: u32,
    device: u64,
    seq: u64,
}

impl Step {
    /// `...: fuse_request_queued: connection 40 req 4 opcode 1 (FUSE_LOOKUP) device 0 seq 7`
    fn parse(line: &str) -> Option<Step> {
        let (_, rest) = line.split_once(": fuse_")?;
        let (name, rest) = rest.split_once(": ")?;
        let words: Vec<_> = rest.split(' ').collect();
        let number = |key| {
            let at = words.iter().position(|word| *word == key)?;
            words.get(at + 1)?.parse::<u64>().ok()
        };
        Some(Step {
            name: name.to_string(),
            unique: number("req")?,
            opcode: number("opcode")? as u32,
            device: number("device")?,
            seq: number("seq")?,
        })
    }
}

/// There is nothing on C's side to compare with.
fn with(init: &Init) -> (Mock, u32) {
    let mut m = Mock::with(&Setup::default(), init);
    m.without_record();
    let id = fusectl::id(&m.mnt);
    (m, id)
}

/// A caller whose LOOKUP a signal interrupts.
pub fn look(m: &mut Mock, name: &str) -> Caller {
    let name = name.to_string();
    m.caller(move |mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join(name)).map(drop)
    })
}

fn answered() {
    let (mut m, id) = with(&Init::plain());
    let t = Tracing::all();
    let c = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    let steps = steps(&t, id);
    let names: Vec<_> = steps.iter().map(|s| s.name.as_str()).collect();
    let expected = [
        "request_queued",
        "request_taken",
        "reply_found",
        "reply_copied",
    ];
    assert_eq!(names, expected);
    assert!(
        steps.iter().all(|s| (s.unique, s.opcode) == (r.unique, 1)),
        "{steps:?}"
    );
    assert_eq!(steps[0].device, 0);
    assert_ne!(steps[1].device, 0);
    assert!(steps[1..].iter().all(|s| s.device == steps[1].device));
    drop(t);
    m.finish();
}

fn interrupted_and_resent() {
    let (mut m, id) = with(&Init::plain());
    let t = Tracing::all();
    let c = look(&mut m, "x");
    let first = m.expect_name(Op::LOOKUP, "x");
    c.kill(libc::SIGUSR1);
    m.expect(Op::INTERRUPT);
    assert_eq!(send(&m, RESEND, &[]), Ok(16));
    let r = m.expect_name(Op::LOOKUP, "x");
    let i = m.expect(Op::INTERRUPT);
    m.fail(&i, EAGAIN);
    m.expect(Op::INTERRUPT);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    assert_eq!(
        names(&t, id),
        [
            "request_queued",
            "request_taken",
            "interrupt_queued",
            "interrupt_taken",
            "request_recalled",
            "request_taken",
            "interrupt_queued",
            "interrupt_taken",
            "interrupt_queued",
            "interrupt_taken",
            "reply_found",
        ]
    );
    assert!(steps(&t, id).iter().all(|s| s.unique == first.unique));
    drop(t);
    m.finish();
}

fn killed_in_the_queue() {
    let (mut m, id) = with(&Init::plain());
    let t = Tracing::all();
    let mut c = look(&mut m, "x");
    suites::daemon::until("the request", || m.pending().then_some(()));
    c.wait_asleep();
    c.kill(libc::SIGKILL);
    c.reap();
    assert_eq!(names(&t, id), ["request_queued", "request_cancelled"]);
    drop(t);
    m.finish();
}

fn held_back() {
    let (mut m, id) = with(&Init {
        max_background: 1,
        ..Init::plain()
    });
    let mut fs = Memfs::new();
    let t = Tracing::all();
    let kept = unanswered(&mut m, &mut fs, 2);
    m.reply(&kept[0], &[]);
    let second = m.expect(Op::RELEASE);
    m.reply(&second, &[]);
    let steps: Vec<_> = steps(&t, id)
        .into_iter()
        .filter(|s| s.opcode == 18 && s.name != "reply_copied")
        .map(|s| (s.name, s.unique))
        .collect();
    let (a, b) = (kept[0].unique, second.unique);
    let expected = [
        ("request_held", 0),
        ("request_queued", a),
        ("request_taken", a),
        ("request_held", 0),
        // Let through by the answer to the first, which has found it in the same step.
        ("request_queued", b),
        ("reply_found", a),
        ("request_taken", b),
        ("reply_found", b),
    ];
    // The second may be held before the first is read.
    let sorted = |mut v: Vec<(String, u64)>| {
        v.sort();
        v
    };
    let expected = expected.map(|(name, unique)| (name.to_string(), unique));
    assert_eq!(sorted(steps.clone()), sorted(expected.to_vec()));
    assert_eq!(steps[0].0, "request_held");
    assert_eq!(steps[4..], expected[4..]);
    drop(t);
    m.finish();
}

fn devices() {
    let (mut m, id) = with(&Init::plain());
    let t = Tracing::all();
    let c = look(&mut m, "x");
    suites::daemon::until("the request", || m.pending().then_some(()));
    // After the caller, which would inherit it.
    let clone = Clone::of(&m);
    clone.read(&m);
    drop(clone);
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    let steps = steps(&t, id);
    let names: Vec<_> = steps.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "request_queued",
            "device_added",
            "request_taken",
            "device_released",
            "request_dropped",
        ]
    );
    let device = steps[1].device;
    assert_ne!(device, 0);
    assert_eq!((steps[2].device, steps[3].device), (device, device));
    drop(t);
    m.finish();
}

/// One that is queued, one that is being read, one that the daemon has.
fn aborted() {
    let (mut m, id) = with(&Init::plain());
    let held = Held::new((1 << 18) / PAGE + 2);
    let t = Tracing::all();
    let a = look(&mut m, "a");
    m.expect_name(Op::LOOKUP, "a");
    let b = look(&mut m, "b");
    suites::daemon::until("the request", || m.pending().then_some(()));
    let (fd, addr) = (m.dev().as_raw_fd(), held.pages.addr() + PAGE - 20);
    held.fill(0, &[]);
    let reader = std::thread::spawn(move || read_at(fd, addr, 1 << 18));
    assert_eq!(held.wait(), 1);
    let c = look(&mut m, "c");
    suites::daemon::until("the request", || m.pending().then_some(()));
    c.wait_asleep();
    let busy = user::open(&m.mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(&m.mnt, libc::MNT_FORCE), Err(EBUSY));
    drop(busy);
    for caller in [a, b, c] {
        assert_eq!(caller.join::<Res<()>>(), Err(ECONNABORTED));
    }
    held.fill(1, &[]);
    assert_eq!(reader.join().expect("reader"), Err(ENODEV));
    assert_eq!(
        names(&t, id),
        [
            "request_queued",
            "request_taken",
            "request_queued",
            "request_taken",
            "request_queued",
            "chan_aborted",
            "request_dropped",
            "request_dropped",
            "request_dropped",
        ]
    );
    drop(t);
    m.umount();
}

/// Several processors: no number twice, none left out, and each request goes its way.
fn numbered_in_order() {
    let (mut m, id) = with(&Init::plain());
    let t = Tracing::all();
    let mut callers: Vec<_> = (0..4)
        .map(|i| {
            m.caller(move |mnt, _| {
                (0..25).try_for_each(|n| match user::lstat(&mnt.join(format!("{i}.{n}"))) {
                    Err(ENOENT) => Ok(()),
                    other => other.map(drop),
                })
            })
        })
        .collect();
    let threads = m.threads(2, Arc::new(|_| Answer::Err(ENOENT)));
    while !callers.iter_mut().all(Caller::ended) {
        std::thread::yield_now();
    }
    let steps = steps(&t, id);
    drop(t);
    for c in callers {
        assert_eq!(c.join::<Res<()>>(), Ok(()));
    }
    m.umount();
    for t in threads {
        t.join().expect("reader");
    }
    for pair in steps.windows(2) {
        assert_eq!(pair[0].seq + 1, pair[1].seq, "{pair:?}");
    }
    let lookups = steps.iter().filter(|s| s.opcode == 1);
    let mut uniques: Vec<_> = lookups.map(|s| s.unique).collect();
    uniques.sort();
    uniques.dedup();
    assert_eq!(uniques.len(), 100);
    for unique in uniques {
        let way: Vec<_> = steps
            .iter()
            .filter(|s| s.unique == unique)
            .map(|s| s.name.as_str())
            .collect();
        let expected = [
            "request_queued",
            "request_taken",
            "reply_found",
            "reply_copied",
        ];
        assert_eq!(way, expected, "{unique}");
    }
}
