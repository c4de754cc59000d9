// SPDX-License-Identifier: GPL-2.0

//! Random system calls whose callers are killed at random; then what the kernel shows, from what it
//! has cached, is what the daemon has.
//!
//! `SEED` repeats a run's choices, `N` says how many requests are served (by default [`REQUESTS`]).

use std::path::PathBuf;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use fastrand::Rng;
use ktap::Case;
use mockd::memfs::Memfs;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::ROOT;
use mockd::{Caller, Init, Mock, Setup};
use suites::daemon::until;
use suites::fusectl;
use suites::number;
use suites::setting::{self, Setting};

use crate::random_caller::{self as caller, Shared, WRITES};
use crate::random_daemon::{Daemon, Trust};
use crate::scene::ours;

/// Requests in all, in either form, of one test, and of one mount.
const REQUESTS: u64 = 4000;
const REQUESTS_ALL: u64 = 100_000;
const PER_TEST: u64 = 2000;
const PER_MOUNT: u64 = 500;

const CALLERS: usize = 5;

/// One test for each so many requests, so that each has its bound of time.
pub fn cases() -> Vec<Case> {
    let usual = if std::env::var("RF_LEFT").as_deref() == Ok("all") {
        REQUESTS_ALL
    } else {
        REQUESTS
    };
    (0..number("N").unwrap_or(usual).div_ceil(PER_TEST))
        .map(|i| Case {
            path: Box::leak(format!("random::{i}").into_boxed_str()),
            run: random,
        })
        .collect()
}

/// What has happened.
#[derive(Default, Debug)]
struct Tally {
    mounts: u32,
    served: u64,
    killed: u32,
    /// Of these, while the daemon had a request of theirs.
    inside: u32,
    interrupted: u64,
}

fn random() {
    let name = std::env::var("RF_CASE").expect("RF_CASE");
    let part: Option<u64> = name.rsplit('.').next().and_then(|n| n.parse().ok());
    let seed = number("SEED").unwrap_or_else(|| u64::from(fastrand::u32(..)));
    println!("SEED={seed}");
    let mut rng = Rng::with_seed(seed.wrapping_mul(1000) + part.expect("number"));
    crate::scene::on_all_processors();
    let shared = Shared::new();
    let mut tally = Tally::default();
    while tally.served < PER_TEST {
        round(&mut rng, shared, &mut tally);
    }
    let (calls, good) = (shared.calls.load(SeqCst), shared.good.load(SeqCst));
    println!(
        "{calls} calls, {good} of them good, {} ESTALE; {tally:?}",
        shared.stale.load(SeqCst)
    );
    assert!(tally.inside > 0 && good > 0);
}

/// Parameters of ours, which are as before at the end.
fn parameters(rng: &mut Rng) -> Vec<Setting> {
    let mut all = Vec::new();
    if ours() {
        for (name, values) in [
            ("killable", ["Y", "Y", "Y", "N"]),
            ("flush_wait", ["0", "0", "1", "10"]),
            ("max_left", ["256", "256", "256", "2"]),
        ] {
            let s = Setting::parameter(name);
            let value = values[rng.usize(..values.len())];
            s.set(value).expect(name);
            println!("{name}={value}");
            all.push(s);
        }
    }
    all
}

fn mounted(rng: &mut Rng) -> Daemon {
    let mut fs = Memfs::new();
    let (file, dir) = (libc::S_IFREG | 0o644, libc::S_IFDIR | 0o755);
    for name in ["d", "e"] {
        let d = fs.dir(name);
        fs.add(d, "f", file, name.as_bytes());
        fs.add(d, "e", dir, &[]);
    }
    fs.file("f", &[7; 5000]);
    // OPEN would truncate without i_rwsem, and what is appended beside it need not come at the end.
    let mut init = Init::plain().without("ATOMIC_O_TRUNC");
    for flag in ["ASYNC_READ", "PARALLEL_DIROPS"] {
        if rng.u8(..3) == 0 {
            init = init.without(flag);
        }
    }
    let setup = Setup {
        // A request may be taken back between poll(2) and read(2).
        nonblock: true,
        ..Setup::default()
    };
    let mut m = Mock::with(&setup, &init);
    m.without_record();
    m.rec.stop();
    let mut d = Daemon::new(m, fs, Rng::with_seed(rng.u64(..)));
    (d.entries, d.attrs) = (Trust::random(rng), Trust::random(rng));
    d.late = rng.u32(10..70);
    println!(
        "names believed {:?}, attributes {:?}, {} % late, INIT {:#x}",
        d.entries, d.attrs, d.late, init.flags
    );
    d
}

fn round(rng: &mut Rng, shared: &'static Shared, tally: &mut Tally) {
    shared.stop.store(false, SeqCst);
    let _parameters = parameters(rng);
    let mut d = mounted(rng);
    let waiting = fusectl::dir(&d.m.mnt).join("waiting");
    let mut number = 0;
    let mut start = |d: &mut Daemon, rng: &mut Rng| {
        number += 1;
        start(d, rng, shared, number % WRITES)
    };
    let mut callers: Vec<_> = (0..CALLERS).map(|_| start(&mut d, rng)).collect();
    let mut dying = Vec::new();

    let often = rng.u32(5..60);
    let (mut before, mut end) = (0, Instant::now() + ktap::patience());
    while d.served < PER_MOUNT {
        d.step();
        if d.served != before {
            (before, end) = (d.served, Instant::now() + ktap::patience());
        }
        let states = || callers.iter().map(|c| c.0.state()).collect::<Vec<_>>();
        assert!(
            Instant::now() < end,
            "{} callers: {:?}",
            d.state(),
            states()
        );
        if rng.u32(..often) == 0 {
            // Rather one that waits.
            let busy = callers.iter().position(|c| d.holds_of(&c.0));
            let any = rng.usize(..callers.len());
            let i = busy.filter(|_| rng.u8(..4) != 0).unwrap_or(any);
            if kill(&mut d, &callers[i], shared, tally) {
                dying.push(callers.swap_remove(i));
                callers.push(start(&mut d, rng));
            }
        }
        dying.retain_mut(|c| !gone(c));
        for (c, _) in &mut callers {
            assert!(!c.ended(), "a caller has ended");
        }
    }
    // Some are killed, the others come to their end.
    shared.stop.store(true, SeqCst);
    for c in callers {
        if rng.bool() {
            kill(&mut d, &c, shared, tally);
        }
        dying.push(c);
    }
    until("the callers to go", || {
        d.step();
        dying.retain_mut(|c| !gone(c));
        dying.is_empty().then_some(())
    });
    d.late = 0;
    until(&format!("an end of {}", d.state()), || {
        d.step();
        (d.quiet() && setting::get(&waiting).expect("waiting").trim() == "0").then_some(())
    });
    println!("served {}, interrupted {}", d.served, d.interrupted);
    compare(&mut d, "what is cached");
    user::drop_caches();
    compare(&mut d, "without caches");
    forgotten(&mut d);
    tally.mounts += 1;
    tally.served += d.served;
    tally.interrupted += d.interrupted;
}

/// A caller and its number.
type Numbered = (Caller, usize);

fn start(d: &mut Daemon, rng: &mut Rng, shared: &'static Shared, number: usize) -> Numbered {
    let seed = rng.u64(..);
    shared.writes[number].reset();
    let c = d.m.caller(|mnt, _| caller::run(mnt, seed, shared, number));
    (c, number)
}

/// Kills it if it may be.
fn kill(d: &mut Daemon, (c, number): &Numbered, shared: &Shared, tally: &mut Tally) -> bool {
    if !shared.writes[*number].may_die(d.writes_of(c)) {
        return false;
    }
    tally.killed += 1;
    tally.inside += u32::from(d.holds_of(c));
    c.kill(libc::SIGKILL);
    d.killed(c);
    true
}

/// Whether it has ended, and well unless it was killed.
fn gone((c, _): &mut Numbered) -> bool {
    if !c.exited() {
        return false;
    }
    match c.signalled() {
        Some(signal) => assert_eq!(signal, libc::SIGKILL),
        None => assert!(!c.panicked(), "a caller has panicked"),
    }
    c.reap();
    true
}

/// What the kernel shows is what the daemon has.
fn compare(d: &mut Daemon, what: &str) {
    let mut c = d.m.caller(|mnt, _| {
        let mut all = Vec::new();
        caller::walk(mnt, "", &mut all);
        all
    });
    until("the walk", || {
        d.step();
        c.ended().then_some(())
    });
    let got: Vec<String> = c.join();
    let mut want = Vec::new();
    d.tree(ROOT, "", &mut want);
    for line in got.iter().filter(|l| !want.contains(l)) {
        println!("kernel: {line}");
    }
    for line in want.iter().filter(|l| !got.contains(l)) {
        println!("daemon: {line}");
    }
    assert!(got == want, "{what}: not what the daemon has");
}

/// All that was looked up is forgotten, and the mount goes.
fn forgotten(d: &mut Daemon) {
    until("FORGETs", || {
        d.step();
        if d.fs.held().is_empty() {
            return Some(());
        }
        user::drop_dentries();
        None
    });
    let mnt: PathBuf = d.m.mnt.clone();
    until("the mount to be free", || {
        d.step();
        umount(&mnt, 0).ok()
    });
}
