// SPDX-License-Identifier: GPL-2.0

//! STORE and RETRIEVE by chance, from several processes of a daemon, while callers read, write, map
//! and truncate the same file; then the daemon's processes are killed, or the connection ends.
//! Nothing may be left waiting.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mem::{vector, PAGE};
use mockd::mount::umount;
use mockd::user;
use mockd::{Caller, Init, Setup};
use suites::fusectl;

use crate::pages::{retrieve, store, store_head, Map, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        storm_to_its_end,
        storm_and_abort,
        storm_and_umount,
        storm_and_killed_writers,
        storm_and_killed_callers,
    ]
}

/// Bytes of the file, at most.
const SIZE: usize = 24 * PAGE;

/// Steps of each process.
const STEPS: usize = 150;

/// How often each storm begins anew.
const ROUNDS: u64 = 4;

/// How a storm ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Calm,
    Abort,
    Umount,
    KillWriters,
    KillCallers,
}

fn storm_to_its_end() {
    storm(End::Calm);
}

fn storm_and_abort() {
    storm(End::Abort);
}

fn storm_and_umount() {
    storm(End::Umount);
}

fn storm_and_killed_writers() {
    storm(End::KillWriters);
}

fn storm_and_killed_callers() {
    storm(End::KillCallers);
}

fn range(rng: &mut Rng) -> (usize, usize) {
    let offset = rng.usize(..SIZE);
    let max = (SIZE - offset).min(6 * PAGE);
    match rng.u8(..4) {
        // Whole pages, mostly.
        0 => (offset, rng.usize(..=max)),
        _ => {
            let page = offset / PAGE * PAGE;
            (page, PAGE * rng.usize(1..=4).min((SIZE - page) / PAGE))
        }
    }
}

/// A process of the daemon's.
fn writes(s: &Scene, mut rng: Rng) -> Caller {
    let (f, dev) = (s.f, s.m.dev().try_clone_to_owned().expect("dup"));
    let path = s.m.path("f");
    // Its own mapping is what C cannot stand.
    let own = ktap::implementation() == Impl::Rust;
    Caller::spawn(None, move |io| {
        let map = own.then(|| mapped(&path)).and_then(Result::ok);
        for step in 0..STEPS {
            let (offset, len) = range(&mut rng);
            let _ = match (rng.u8(..4), &map) {
                (0, _) => user::write(&dev, &retrieve(rng.u64(..), f, offset as u64, len as u32)),
                (1, Some(map)) => {
                    if rng.bool() {
                        map.zap();
                    }
                    store_from(&dev, f, offset, map, range(&mut rng))
                }
                _ => user::write(&dev, &store(f, offset as u64, &vec![step as u8; len])),
            };
            if step == STEPS / 3 {
                io.put(());
            }
        }
    })
}

fn mapped(path: &Path) -> Res<Map> {
    Map::new(&user::open(path, libc::O_RDONLY, 0)?, SIZE, true)
}

/// A STORE of what lies in a mapping of the daemon's own file, as far as the file reaches.
fn store_from(dev: &OwnedFd, f: u64, to: usize, map: &Map, from: (usize, usize)) -> Res<usize> {
    let (at, len) = from;
    let head = store_head(f, to as u64, len);
    let pieces = [(head.as_ptr() as usize, head.len()), (map.addr() + at, len)];
    vector(dev.as_raw_fd(), true, &pieces)
}

/// A caller.
fn calls(s: &mut Scene, mut rng: Rng) -> Caller {
    s.m.caller(move |mnt, io| {
        let path = mnt.join("f");
        for step in 0..STEPS {
            if step == STEPS / 3 {
                io.put(());
            }
            let (offset, len) = range(&mut rng);
            let _ = (|| -> Res<()> {
                match rng.u8(..6) {
                    0 => user::truncate(&path, rng.usize(..SIZE) as i64),
                    1 => {
                        let f = user::open(&path, libc::O_WRONLY, 0)?;
                        user::pwrite(&f, &vec![step as u8; len], offset as u64).map(drop)
                    }
                    2 => user::lstat(&path).map(drop),
                    3 => {
                        let f = user::open(&path, libc::O_RDWR | libc::O_DIRECT, 0)?;
                        user::pread(&f, PAGE, (offset / PAGE * PAGE) as u64).map(drop)
                    }
                    _ => {
                        let f = user::open(&path, libc::O_RDONLY, 0)?;
                        user::pread(&f, len, offset as u64).map(drop)
                    }
                }
            })();
        }
    })
}

fn storm(end: End) {
    let seed = suites::number("SEED").unwrap_or(13);
    for round in 0..ROUNDS {
        let mut rng = Rng::with_seed(seed.wrapping_mul(1000).wrapping_add(round));
        one(end, &mut rng);
    }
}

fn one(end: End, rng: &mut Rng) {
    let mut s = Scene::unknown(&Setup::default(), &Init::plain(), SIZE);
    s.m.rec.stop();
    s.m.without_record();
    s.fs.check_forgets = false;
    if rng.bool() {
        s.fs.attr_valid = (0, 0);
    }
    if rng.bool() {
        s.fs.open_flags = 0;
    }
    s.know("f");
    let mut callers: Vec<Caller> = (0..3).map(|_| calls(&mut s, rng.fork())).collect();
    let fs = Arc::new(Mutex::new(std::mem::take(&mut s.fs)));
    let handler = move |r: &mockd::Request| fs.lock().expect("fs").handle(r);
    let mut writers: Vec<Caller> = (0..3).map(|_| writes(&s, rng.fork())).collect();
    let threads = s.m.threads(2, Arc::new(handler));
    for c in callers.iter_mut().chain(&mut writers) {
        c.get::<()>();
    }
    match end {
        End::Calm => {}
        End::Abort => fusectl::abort(&s.m.mnt).expect("abort"),
        End::Umount => {
            umount(&s.m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
        }
        End::KillWriters => writers.iter().for_each(|w| w.kill(libc::SIGKILL)),
        End::KillCallers => callers.iter().for_each(|c| c.kill(libc::SIGKILL)),
    }
    for mut c in callers.into_iter().chain(writers) {
        c.reap();
    }
    if end != End::Umount {
        suites::daemon::umount_soon(&s.m.mnt);
    }
    for t in threads {
        t.join().expect("thread");
    }
}
