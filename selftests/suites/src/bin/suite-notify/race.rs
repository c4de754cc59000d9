// SPDX-License-Identifier: GPL-2.0

//! A notification is seen by whoever looks next, also when it races the LOOKUP that brings the
//! name or makes the inode.
//!
//! A file changes all the time: each version of it has a node of its own (`entries`), or a size of
//! its own (`attributes`). The daemon's threads answer with the version that there is when they
//! read a request, some of them later. Callers look without end, and the kernel forgets the file
//! now and then. The notification comes after each change, and then somebody looks who must see
//! that version, or a later one.
//!
//! C's attributes are no longer out of date before all of them are written: who looks just then
//! sees the old size, and goes on looking.
//!
//! `SEED` repeats a run's choices, `N` says how many rounds there are in all.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use ktap::{debug_kernel, implementation, patience, Case, Impl};
use mockd::errno::*;
use mockd::mem::shared;
use mockd::mock::Answer;
use mockd::reply::{attr_out, Attr, Entry, LONG};
use mockd::wire::ROOT;
use mockd::{user, Caller, Mock, Op, Request};
use suites::number;

use crate::kit::{inval_entry, inval_inode, prune, NO_DATA};

/// Rounds in all, by kernel, and in one test.
const ROUNDS: u64 = 2000;
const ROUNDS_DEBUG: u64 = 1000;
const ROUNDS_PER_TEST: u64 = 2000;

/// Callers that look all the time.
const LOOKERS: usize = 2;

/// The node of the file whose size changes; the nodes of the other's versions come after it.
const NODE: u64 = 10;

/// What the processes tell each other.
#[repr(C)]
struct Shared {
    /// The lookers are to end.
    over: AtomicBool,
    /// The version that must be seen.
    told: AtomicU64,
}

pub fn cases() -> Vec<Case> {
    let rounds = number("N").unwrap_or(if debug_kernel() { ROUNDS_DEBUG } else { ROUNDS });
    let names = (0..rounds.div_ceil(ROUNDS_PER_TEST)).flat_map(|part| {
        let of = ["entries", "attributes"];
        of.map(|what| format!("race::{what}_{part}"))
    });
    suites::cases_of(names, race)
}

/// What changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Which node the name stands for.
    Entries,
    /// The attributes of the node.
    Attributes,
}

impl What {
    fn answer(self, version: u64, r: &Request) -> Answer {
        let (node, size) = match self {
            What::Entries => (NODE + version, 0),
            What::Attributes => (NODE, version),
        };
        match r.op {
            Op::LOOKUP => Answer::Ok(Entry::new(Attr::file(node, size)).bytes()),
            Op::GETATTR if r.node == ROOT => Answer::Ok(attr_out(LONG, &Attr::dir(ROOT))),
            Op::GETATTR => Answer::Ok(attr_out(LONG, &Attr::file(r.node, size))),
            Op::FORGET | Op::BATCH_FORGET | Op::INTERRUPT => Answer::None,
            _ => Answer::Err(ENOSYS),
        }
    }

    /// The version that somebody sees.
    fn seen(self, path: &Path) -> Res<u64> {
        let s = user::lstat(path)?;
        Ok(match self {
            What::Entries => s.ino - NODE,
            What::Attributes => s.size,
        })
    }

    fn notification(self, version: u64) -> Vec<u8> {
        match self {
            What::Entries => inval_entry(ROOT, (version % 3 == 0).into(), b"f"),
            What::Attributes => inval_inode(NODE, NO_DATA, 0),
        }
    }
}

fn race() {
    let case = suites::case();
    let case = case.rsplit("::").next().unwrap_or(&case);
    let (what, part) = case.split_once('_').expect("a race's name");
    let what = match what {
        "entries" => What::Entries,
        _ => What::Attributes,
    };
    let part: u64 = part.parse().expect("number");
    let seed = number("SEED").unwrap_or_else(|| u64::from(fastrand::u32(..)));
    println!("SEED={seed}");
    let mut rng = Rng::with_seed(seed.wrapping_add(part));

    let mut m = Mock::new();
    m.without_record();
    m.rec.stop();
    // SAFETY: a flag and a number, which may be zero.
    let shared: &'static Shared = unsafe { shared() };
    let lookers: Vec<Caller> = (0..LOOKERS).map(|_| looker(&mut m, shared)).collect();
    let mut checker = checker(&mut m, what, shared);
    let version = Arc::new(AtomicU64::new(1));
    let threads = serve(&m, what, &version, rng.u64(..));

    let (mut told, mut unknown, mut torn) = (0, 0, 0);
    for _ in 0..ROUNDS_PER_TEST {
        if rng.u8(..4) == 0 {
            let now = version.load(SeqCst);
            let nodes = [NODE, NODE + now, NODE + now.saturating_sub(1)];
            assert_eq!(m.write(&prune(&nodes)).map(drop), Ok(()));
        }
        let new = version.fetch_add(1, SeqCst) + 1;
        let sent = m.write(&what.notification(new));
        match sent {
            Ok(_) => told += 1,
            Err(ENOENT) => unknown += 1,
            Err(e) => panic!("notification: {e}"),
        }
        // Of a node that was not there nothing was known to be out of date.
        let sure = what == What::Entries || sent.is_ok();
        shared.told.store(if sure { new } else { 0 }, SeqCst);
        checker.go();
        let (seen, again): (u64, u64) = checker.get();
        if seen >= new || !sure {
            continue;
        }
        torn += 1;
        let is_torn = what == What::Attributes && implementation() == Impl::C && again >= new;
        assert!(
            is_torn,
            "{seen}, then {again} after {new}, which was told: {sent:?}"
        );
    }
    println!("{told} told, {unknown} of what was not there, {torn} seen too early");
    assert!(told > 0);

    shared.over.store(true, SeqCst);
    for looker in lookers {
        println!("looked {} times", looker.join::<u64>());
    }
    checker.join::<()>();
    suites::daemon::umount_soon(&m.mnt);
    for thread in threads {
        thread.join().expect("thread");
    }
}

/// A caller that looks until the end, and says how often.
fn looker(m: &mut Mock, shared: &'static Shared) -> Caller {
    m.caller(|mnt, _| {
        let path = mnt.join("f");
        let mut times = 0u64;
        while !shared.over.load(SeqCst) {
            user::lstat(&path).expect("lstat");
            times += 1;
        }
        times
    })
}

/// A caller that looks when it is told to, and again if that was too early.
fn checker(m: &mut Mock, what: What, shared: &'static Shared) -> Caller {
    m.caller(move |mnt, io| {
        for _ in 0..ROUNDS_PER_TEST {
            io.wait();
            let look = || what.seen(&mnt.join("f")).expect("lstat");
            let (since, seen, told) = (Instant::now(), look(), shared.told.load(SeqCst));
            let mut again = seen;
            while again < told && what == What::Attributes && since.elapsed() < patience() {
                again = look();
            }
            io.put((seen, again));
        }
    })
}

/// Threads that answer, some of them late.
fn serve(
    m: &Mock,
    what: What,
    version: &Arc<AtomicU64>,
    seed: u64,
) -> Vec<std::thread::JoinHandle<usize>> {
    let (version, turn) = (version.clone(), AtomicU64::new(seed));
    m.threads(
        3,
        Arc::new(move |r: &Request| {
            let now = version.load(SeqCst);
            let mut rng = Rng::with_seed(turn.fetch_add(1, SeqCst));
            for _ in 0..rng.u32(..4) {
                std::thread::yield_now();
            }
            what.answer(now, r)
        }),
    )
}
