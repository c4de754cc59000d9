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
use mockd::reply::{message, raw, ZERO};
use mockd::user;
use mockd::wire::{Op, OUT_HEADER};
use mockd::{Caller, Init, Io, Mock, Request, Setup};
use suites::daemon::until;
use suites::fusectl;

pub fn cases() -> Vec<Case> {
    cases![a_hundred_callers, replies_that_fault]
}

/// Requests that nobody answers, and callers that come then, all at once.
const HELD: usize = 8192;
const CALLERS: usize = 100;

/// What those callers may have the kernel allocate, in KiB.
const BOUND: u64 = 4 << 10;

/// Requests that a portion is for.
const PORTION: usize = 64;
/// Portions that the slab allocator may count as used although they are free: those at hand for
/// each processor.
const AT_HAND: usize = 64;

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
    let text = std::fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    let of = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next()? == "fuse_slots").then(|| words.next()?.parse().ok())?
    };
    text.lines().find_map(of).unwrap_or(0)
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
    (fs.entry_valid, fs.attr_valid) = (ZERO, ZERO);
    fs.on(Op::FLUSH, Answer::Err(ENOSYS));
    m
}

/// Serves until `over`; keeps the requests that `keep` says.
fn serve(
    m: &Mock,
    fs: &mut Memfs,
    kept: &mut Vec<Request>,
    keep: impl Fn(&Request) -> bool,
    mut over: impl FnMut(&[Request]) -> bool,
) {
    while !over(kept) || m.pending() {
        if !readable(m.dev(), Duration::from_millis(10)) {
            continue;
        }
        let r = m.read().expect("a request");
        if keep(&r) {
            kept.push(r);
        } else {
            let a = fs.handle(&r);
            answer(m.dev(), &r, &a).expect("answer");
        }
    }
}

/// Callers that do something when they are let go.
fn callers(m: &mut Mock, act: fn(&Path) -> Res<()>) -> Vec<Caller> {
    let call = |mnt: &Path, io: &Io| -> Res<()> {
        io.wait();
        act(mnt)
    };
    (0..CALLERS).map(|_| m.caller(call)).collect()
}

/// Thousands of requests are with the daemon, and a hundred callers come at once: that costs little
/// more than their requests, and when all have ended what was there for them is gone.
fn a_hundred_callers() {
    let mut fs = Memfs::new();
    let mut m = mount(&mut fs);
    let empty = portions();
    let mut c = m.call("f", |p| -> Res<()> {
        (0..HELD).try_for_each(|_| user::close(user::open(p, libc::O_RDONLY, 0)?))
    });
    let (mut held, mut asked) = (Vec::with_capacity(HELD), Vec::with_capacity(CALLERS));
    serve(
        &m,
        &mut fs,
        &mut held,
        |r| r.op == Op::RELEASE,
        |_| c.ended(),
    );
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert_eq!(held.len(), HELD);

    let mut callers = callers(&mut m, |mnt| user::lstat(&mnt.join("f")).map(drop));
    callers.iter().for_each(Caller::wait_asleep);
    let before = allocated();
    callers.iter().for_each(Caller::go);
    let all = |asked: &[Request]| asked.len() == CALLERS;
    serve(&m, &mut fs, &mut asked, |_| true, all);
    let cost = allocated() - before;
    println!("# {CALLERS} callers: {cost} KiB, {} portions", portions());
    assert!(cost < BOUND, "{cost} KiB for {CALLERS} callers");
    fusectl::await_waiting(&m.mnt, (HELD + CALLERS) as u32);
    let most = empty + (HELD + CALLERS) / PORTION + 2 + AT_HAND;
    assert!(portions() <= most, "{} portions", portions());

    for r in held.iter() {
        assert_eq!(m.write(&message(r.unique, 0, &[])).map(drop), Ok(()));
    }
    for r in &asked {
        let a = fs.handle(r);
        m.answer(r, &a).expect("answer");
    }
    let ended = |callers: &mut Vec<Caller>| callers.iter_mut().all(Caller::ended);
    serve(
        &m,
        &mut fs,
        &mut Vec::new(),
        |_| false,
        |_| ended(&mut callers),
    );
    for c in callers {
        assert_eq!(c.join::<Res<()>>(), Ok(()));
    }
    fusectl::await_waiting(&m.mnt, 0);
    until("slots have gone back", || {
        (portions() <= empty + AT_HAND).then_some(())
    });
    println!("# in the end: {} portions", portions());
    m.finish();
}

/// Replies from memory that is not there yet, with more requests than one portion has places for:
/// each is put back while the memory comes, and its caller gets what was said.
fn replies_that_fault() {
    let mut fs = Memfs::new();
    let mut m = mount(&mut fs);
    let callers = callers(&mut m, |mnt| user::statfs(mnt).map(drop));
    callers.iter().for_each(Caller::go);
    let mut asked = Vec::new();
    let all = |asked: &[Request]| asked.len() == CALLERS;
    serve(&m, &mut fs, &mut asked, |_| true, all);
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
