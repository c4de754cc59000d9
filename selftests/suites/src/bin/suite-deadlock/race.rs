// SPDX-License-Identifier: GPL-2.0

//! Copying against the end of requests: many callers; a daemon whose buffers end where nothing is
//! mapped, or lie on pages that come late or never; signals, aborts and deaths at random times.
//!
//! `SEED` repeats a run's choices, `N` says how many calls are made (by default [`CALLS`]).

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use fastrand::Rng;
use ktap::{debug_kernel, implementation, Case, Impl};
use mockd::mem::shared;
use mockd::Caller;
use suites::number;

use crate::cell;
use crate::race_caller as caller;
use crate::race_daemon as daemon;

/// Calls in all, by kernel, and in one test.
const CALLS: u64 = 2500;
const CALLS_DEBUG: u64 = 1000;
const CALLS_PER_TEST: u64 = 500;

/// What the processes of a round tell each other.
#[repr(C)]
pub struct Shared {
    /// Calls made.
    pub calls: AtomicU32,
    /// Requests and replies whose copying has waited for a page, and those that have met none.
    pub waited: AtomicU32,
    pub faulted: AtomicU32,
    /// The callers are to end.
    pub stop: AtomicBool,
    /// The daemon has seen what must not be.
    pub wrong: AtomicBool,
}

impl Shared {
    fn new() -> &'static Shared {
        // SAFETY: integers and flags, which may be zero.
        unsafe { shared() }
    }
}

/// One test for each so many calls, so that each has its bound of time.
pub fn cases() -> Vec<Case> {
    let calls = number("N").unwrap_or(if debug_kernel() { CALLS_DEBUG } else { CALLS });
    (0..calls.div_ceil(CALLS_PER_TEST))
        .map(|i| Case {
            path: Box::leak(format!("race::{i}").into_boxed_str()),
            run: race,
        })
        .collect()
}

fn race() {
    let name = std::env::var("RF_CASE").expect("RF_CASE");
    let part: u64 = name
        .rsplit('.')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("number");
    let seed = number("SEED").unwrap_or_else(|| u64::from(fastrand::u32(..)));
    println!("SEED={seed}");
    let mut rng = Rng::with_seed(seed.wrapping_add(part));
    let total = Shared::new();
    let mut ends = std::collections::BTreeMap::new();
    while u64::from(total.calls.load(SeqCst)) < CALLS_PER_TEST {
        let how = round(&mut rng, total);
        *ends.entry(how).or_insert(0) += 1;
    }
    println!(
        "{} calls, {} copies waited, {} met no page; ends: {ends:?}",
        total.calls.load(SeqCst),
        total.waited.load(SeqCst),
        total.faulted.load(SeqCst)
    );
    assert!(total.waited.load(SeqCst) > 0 && total.faulted.load(SeqCst) > 0);
}

/// How a round ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum End {
    Abort,
    UmountForce,
    KillDaemon,
    /// Both at once.
    KillAll,
    /// The callers are told to stop, and the daemon lives as long as it can serve.
    Stop,
}

const ENDS: [End; 5] = [
    End::Abort,
    End::UmountForce,
    End::KillDaemon,
    End::KillAll,
    End::Stop,
];

fn round(rng: &mut Rng, shared: &'static Shared) -> End {
    shared.stop.store(false, SeqCst);
    if implementation() == Impl::Rust {
        suites::killable::set(rng.u8(..8) != 0);
    }
    let references = cell::references();
    let mnt = std::env::current_dir().expect("directory").join("mnt");
    std::fs::create_dir_all(&mnt).expect("mnt");
    let (threads, seed) = (rng.usize(1..5), rng.u64(..));
    let mut daemon = Caller::spawn(None, |io| daemon::run(&mnt, threads, seed, shared, io));
    daemon.get::<()>();
    let connection = cell::connection(&mnt);
    let mut callers: Vec<Caller> = (0..rng.usize(2..10))
        .map(|_| {
            let seed = rng.u64(..);
            let mut c = Caller::spawn(None, |io| caller::run(&mnt, seed, shared, io));
            c.get::<()>();
            c
        })
        .collect();

    for _ in 0..rng.usize(0..12) {
        pause(rng);
        let who = &callers[rng.usize(..callers.len())];
        who.kill(if rng.u8(..3) == 0 {
            libc::SIGKILL
        } else {
            libc::SIGUSR1
        });
    }
    pause(rng);
    let how = ENDS[rng.usize(..ENDS.len())];
    match how {
        End::Abort => cell::abort(connection),
        End::UmountForce => cell::umount_force(&mnt),
        End::KillDaemon => daemon.kill(libc::SIGKILL),
        End::KillAll => {
            callers.iter().for_each(|c| c.kill(libc::SIGKILL));
            daemon.kill(libc::SIGKILL);
        }
        End::Stop => {}
    }
    shared.stop.store(true, SeqCst);
    if how == End::Stop {
        pause(rng);
        cell::umount_force(&mnt);
    }
    finish(&mut callers, &mut daemon);
    assert!(
        !shared.wrong.load(SeqCst),
        "the daemon saw what must not be"
    );
    cell::end(&mnt, references);
    how
}

/// Everybody ends, whatever was under way.
fn finish(callers: &mut Vec<Caller>, daemon: &mut Caller) {
    cell::wait_exit(&callers.iter().collect::<Vec<_>>());
    for mut c in callers.drain(..) {
        match c.signalled() {
            Some(signal) => {
                c.reap();
                assert_eq!(signal, libc::SIGKILL);
            }
            None => c.join::<()>(),
        }
    }
    daemon.kill(libc::SIGKILL);
    daemon.reap();
}

/// A while in which something may happen.
fn pause(rng: &mut Rng) {
    std::thread::sleep(Duration::from_micros(rng.u64(0..20_000)));
}
