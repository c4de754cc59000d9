// SPDX-License-Identifier: GPL-2.0

//! Many callers, several daemon threads, no order at all: callers die in the middle, signals
//! arrive, some requests are never answered, mounts are taken away by force.
//!
//! A killed caller is replaced at once. Where killed callers leave, its request stays with the
//! daemon, in which state or answer ever; elsewhere it goes when that is answered or the connection
//! is aborted.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mockd::errno::*;
use mockd::mock::read_request;
use mockd::reply::message;
use mockd::wire::Op;
use mockd::{mount, Caller, Mock, Request, Setup};
use rustix::fd::BorrowedFd;
use suites::{fusectl, setting};

use crate::daemon::{self, letters, send, Behind, Tally};
use crate::mutate::Class;
use crate::steps::{Hands, Step, SLOTS};

const CALLERS: usize = 4;
/// Killed callers that may still be there.
const DYING: usize = 6;
const THREADS: usize = 3;
/// Bad messages on one mount.
const PER_MOUNT: u64 = 300;

/// Storms until `quota` bad messages have been sent; `beat` is called now and then, and `killable`
/// is told of each mount whether killed callers leave.
pub fn rounds(seed: u64, quota: u64, tally: &mut Tally, killable: impl Fn(bool), beat: impl Fn()) {
    let mut rng = Rng::with_seed(seed);
    let start = tally.total();
    for nth in (seed % 1000) as usize.. {
        if tally.total() - start >= quota {
            break;
        }
        killable(rng.u8(..4) != 0);
        let left = quota - (tally.total() - start);
        round(&mut rng, nth, left.min(PER_MOUNT), tally);
        beat();
    }
}

/// What the threads of one daemon share.
struct Shared {
    /// What callers do most.
    focus: Op,
    behind: Mutex<Behind>,
    tally: Mutex<Tally>,
    sent: AtomicU64,
    /// Requests that nobody has answered.
    parked: Mutex<Vec<Request>>,
    /// Answer well from now on.
    calm: AtomicBool,
}

fn round(rng: &mut Rng, nth: usize, quota: u64, tally: &mut Tally) {
    let behind = Behind::new(rng, nth, false);
    let mut m = Mock::uninit(&Setup::default());
    m.without_record();
    let r = m.expect(Op::INIT);
    let mut first = Tally {
        mounts: 1,
        ..Tally::default()
    };
    let bytes = if rng.u32(..6) == 0 {
        first.count(Class::Field, Op::INIT);
        daemon::init(rng, r.init_flags(), !r.init_flags())
    } else {
        behind.init().bytes()
    };
    let _ = m.write(&message(r.unique, 0, &bytes));
    let waiting = fusectl::dir(&m.mnt).join("waiting");

    let shared = Shared {
        focus: behind.focus,
        behind: Mutex::new(behind),
        tally: Mutex::new(first),
        sent: AtomicU64::new(0),
        parked: Mutex::default(),
        calm: AtomicBool::new(false),
    };
    let dev = m.dev().try_clone_to_owned().expect("dup");
    let mut callers: Vec<Caller> = (0..CALLERS)
        .map(|_| start(&mut m, rng.u64(..), shared.focus, &dev))
        .collect();
    std::thread::scope(|scope| {
        let fd: BorrowedFd<'_> = std::os::fd::AsFd::as_fd(&dev);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (seed, shared, rec) = (rng.u64(..), &shared, m.rec.clone());
                scope.spawn(move || serve(fd, shared, Rng::with_seed(seed), &rec))
            })
            .collect();
        let mut dying = Vec::new();
        run(&mut m, &mut callers, &mut dying, rng, quota, &shared, &dev);
        callers.append(&mut dying);
        finish(&m, callers, rng.bool(), &shared, &waiting);
        for t in threads {
            t.join().expect("daemon thread");
        }
    });
    tally.add(&shared.tally.into_inner().expect("tally"));
}

/// Starts a caller that goes on until it is killed.
fn start(m: &mut Mock, seed: u64, focus: Op, dev: &std::os::fd::OwnedFd) -> Caller {
    use std::os::fd::AsRawFd;
    let dev = dev.as_raw_fd();
    m.caller(move |mnt, _| {
        // SAFETY: the copy of the daemon's descriptor in this process, which nothing uses.
        unsafe { libc::close(dev) };
        mockd::user::catch_signal(libc::SIGUSR1, false);
        let mut rng = Rng::with_seed(seed);
        // The mount may refuse everything, for instance after a bad INIT.
        let Ok(mut hands) = Hands::new(mnt) else {
            return;
        };
        for i in 0.. {
            hands.run(&Step::random(&mut rng, i < SLOTS, focus));
        }
    })
}

/// One thread of the daemon, until the mount is gone.
fn serve(dev: BorrowedFd<'_>, shared: &Shared, mut rng: Rng, rec: &mockd::record::Recorder) {
    loop {
        let r = match read_request(dev, (1 << 20) + 4096, rec) {
            Ok(r) => r,
            // ENOENT: the caller was killed, and has taken back what it was just being copied from.
            Err(EINTR | ECONNABORTED | ENOENT) => continue,
            Err(ENODEV) => return,
            Err(e) => panic!("read of the device: {e}"),
        };
        let calm = shared.calm.load(Ordering::Relaxed);
        if !calm && rng.u32(..40) == 0 && r.op != Op::INIT {
            shared.parked.lock().expect("parked").push(r);
            continue;
        }
        let mut all = letters(&mut rng, &r, &mut shared.behind.lock().expect("behind"));
        if calm {
            all.retain(|l| l.bad.is_none());
        }
        let mut mine = Tally::default();
        send(all, r.op, &mut mine, |b| Ok(rustix::io::write(dev, b)?));
        shared.sent.fetch_add(mine.total(), Ordering::Relaxed);
        shared.tally.lock().expect("tally").add(&mine);
        if rng.u32(..20) == 0 {
            unpark(dev, shared, &mut rng);
        }
    }
}

/// Answers one of those that had been left.
fn unpark(dev: BorrowedFd<'_>, shared: &Shared, rng: &mut Rng) -> bool {
    let mut parked = shared.parked.lock().expect("parked");
    if parked.is_empty() {
        return false;
    }
    let i = rng.usize(..parked.len());
    let r = parked.swap_remove(i);
    drop(parked);
    let _ = rustix::io::write(dev, &message(r.unique, -libc::EIO, &[]));
    true
}

/// Kills, signals and replaces callers until enough was sent.
fn run(
    m: &mut Mock,
    callers: &mut Vec<Caller>,
    dying: &mut Vec<Caller>,
    rng: &mut Rng,
    quota: u64,
    shared: &Shared,
    dev: &std::os::fd::OwnedFd,
) {
    let (mut last, mut end) = (0, Instant::now() + ktap::patience());
    loop {
        let sent = shared.sent.load(Ordering::Relaxed);
        if sent >= quota || callers.is_empty() {
            return;
        }
        if sent != last {
            (last, end) = (sent, Instant::now() + ktap::patience());
        }
        let state = || {
            callers
                .iter()
                .map(|c| c.state())
                .collect::<Vec<_>>()
                .join("; ")
        };
        assert!(Instant::now() < end, "the storm has died down: {}", state());
        std::thread::sleep(Duration::from_millis(5));
        let i = rng.usize(..callers.len());
        if callers[i].ended() {
            // It was confined to a mount that refuses everything.
            callers.swap_remove(i).reap();
            continue;
        }
        dying.retain_mut(|c| {
            let gone = c.exited();
            if gone {
                c.reap();
            }
            !gone
        });
        match rng.u32(..12) {
            0..=1 if dying.len() < DYING => {
                let old = callers.swap_remove(i);
                old.kill(libc::SIGKILL);
                dying.push(old);
                shared.tally.lock().expect("tally").killed += 1;
                callers.push(start(m, rng.u64(..), shared.focus, dev));
            }
            2..=4 => callers[i].kill(libc::SIGUSR1),
            // With too many on their way as well, who with C wait for an answer.
            0..=1 | 5 => {
                unpark(std::os::fd::AsFd::as_fd(dev), shared, rng);
            }
            _ => {}
        }
    }
}

fn until_gone(c: &mut Caller, mut help: impl FnMut()) {
    let end = Instant::now() + ktap::patience();
    while !c.exited() {
        assert!(Instant::now() < end, "a killed caller stays: {}", c.state());
        help();
        std::thread::sleep(Duration::from_millis(1));
    }
    c.reap();
}

/// Takes the mount away, in an orderly way or by force, and sees everybody out.
fn finish(m: &Mock, mut callers: Vec<Caller>, by_force: bool, shared: &Shared, waiting: &Path) {
    callers.iter().for_each(|c| c.kill(libc::SIGKILL));
    if by_force {
        // Whoever is inside is told ECONNABORTED; the rest of this call says EBUSY while anybody
        // is.
        let _ = mount::umount(&m.mnt, libc::MNT_FORCE);
    }
    shared.calm.store(true, Ordering::Relaxed);
    for c in &mut callers {
        until_gone(c, || {
            unpark(m.dev(), shared, &mut Rng::with_seed(1));
        });
    }
    while unpark(m.dev(), shared, &mut Rng::with_seed(1)) {}
    suites::daemon::until("no request waiting", || match setting::get(waiting) {
        Ok(text) => (text.trim() == "0").then_some(()),
        // Unmounted by force, with nobody inside.
        Err(ENOENT) => Some(()),
        Err(e) => panic!("waiting: {e}"),
    });
    if mount::is_mounted(&m.mnt) {
        suites::daemon::umount_soon(&m.mnt);
    }
}
