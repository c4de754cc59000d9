// SPDX-License-Identifier: GPL-2.0

//! The daemon of the race: it serves well, from the worst memory.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use mockd::errno::*;
use mockd::mem::{read_at, write_at, Held, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::{read_request, Answer};
use mockd::mount::open_dev;
use mockd::record::Recorder;
use mockd::reply::message;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::{Init, Io, Request, Setup};

use crate::race::Shared;
use crate::race_caller::{byte, FILES, PAGES};

/// What read(2) wants with a `max_write` of a page.
const ROOM: usize = 8192;

struct Daemon {
    dev: OwnedFd,
    fs: Mutex<Memfs>,
    shared: &'static Shared,
}

/// Serves until it is killed.
pub fn run(mnt: &Path, threads: usize, seed: u64, shared: &'static Shared, io: &Io) {
    let dev = open_dev(false).expect("/dev/fuse");
    Setup::default().mount(dev.as_fd(), mnt).expect("mount");
    let r = read_request(dev.as_fd(), 1 << 17, &Recorder::default()).expect("INIT");
    let init = Init {
        max_write: 4096,
        ..Init::plain()
    };
    let m = message(r.unique, 0, &init.bytes());
    rustix::io::write(&dev, &m).expect("INIT");
    let daemon = Arc::new(Daemon {
        dev,
        fs: Mutex::new(files()),
        shared,
    });
    for i in 0..threads {
        let daemon = daemon.clone();
        let rng = Rng::with_seed(seed.wrapping_add(i as u64));
        std::thread::spawn(move || {
            watched(shared, || Worker::new(&daemon, i, rng).serve());
        });
    }
    io.put(());
    io.wait();
}

/// Runs a thread, and tells the test if it panics.
fn watched(shared: &Shared, f: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err() {
        shared.wrong.store(true, SeqCst);
    }
}

fn files() -> Memfs {
    let mut fs = Memfs::new();
    (fs.entry_valid, fs.attr_valid) = ((0, 0), (0, 0));
    for n in 0..FILES {
        let data: Vec<u8> = (0..PAGES * PAGE).map(|at| byte(n, at)).collect();
        fs.file(&format!("file{n}"), &data);
    }
    fs
}

/// Where a message lies.
#[derive(Clone, Copy)]
enum Place {
    Plain,
    /// Its end has no memory.
    Edge,
    /// Its end has memory when somebody gives it.
    Late,
}

struct Worker<'a> {
    daemon: &'a Daemon,
    rng: Rng,
    /// Behind it nothing is mapped.
    edge: Pages,
    late: Arc<Late>,
}

/// Pages that come late. The first is always there.
struct Late {
    shared: &'static Shared,
    held: Held,
    /// What belongs into the others.
    content: Mutex<Vec<u8>>,
}

const LATE: usize = 6;

impl<'a> Worker<'a> {
    fn new(daemon: &'a Daemon, number: usize, mut rng: Rng) -> Worker<'a> {
        let edge = Pages::alone(number, 1);
        let late = Arc::new(Late {
            shared: daemon.shared,
            held: Held::new(LATE),
            content: Mutex::default(),
        });
        late.held.fill(0, &[]);
        let (l, r) = (late.clone(), Rng::with_seed(rng.u64(..)));
        std::thread::spawn(move || watched(l.shared, || l.provide(r)));
        Worker {
            daemon,
            rng,
            edge,
            late,
        }
    }

    fn place(&mut self) -> Place {
        match self.rng.u8(..10) {
            0 => Place::Edge,
            1..=4 => Place::Late,
            _ => Place::Plain,
        }
    }

    fn serve(mut self) {
        loop {
            let r = match self.next() {
                Ok(r) => r,
                Err(EINTR | EFAULT) => continue,
                // An abort under way.
                Err(ECONNABORTED) => continue,
                Err(ENODEV) => return,
                Err(e) => panic!("read of the device: {e}"),
            };
            let a = self.answer(&r);
            match self.reply(&r, &a) {
                Ok(()) | Err(ENOENT | EFAULT | ENODEV | EPERM) => {}
                Err(e) => panic!("reply to {r:?}: {e}"),
            }
        }
    }

    fn answer(&mut self, r: &Request) -> Answer {
        let mut fs = self.daemon.fs.lock().expect("lock");
        fs.open_flags = match r.op {
            Op::OPEN if self.rng.bool() => FOPEN_DIRECT_IO,
            _ => 0,
        };
        fs.handle(r)
    }

    /// Reads a request to a place of any kind.
    fn next(&mut self) -> Res<Request> {
        let dev = self.daemon.dev.as_raw_fd();
        // So much of it lies where all is well: headers have 40 bytes, messages up to 4200.
        let before = self.rng.usize(1..200);
        let mut plain;
        let addr = match self.place() {
            Place::Plain => {
                plain = vec![0u8; ROOM];
                plain.as_mut_ptr() as usize
            }
            Place::Edge => self.edge.addr() + PAGE - before,
            Place::Late => {
                self.late.reset(Vec::new());
                self.late.held.pages.addr() + PAGE - before
            }
        };
        let n = read_at(dev, addr, ROOM).inspect_err(|e| self.note(*e))?;
        // SAFETY: n bytes were read there.
        let bytes = unsafe { std::slice::from_raw_parts(addr as *const u8, n) };
        Ok(Request::parse(bytes).expect("request"))
    }

    fn note(&self, e: Errno) {
        if e == EFAULT {
            self.daemon.shared.faulted.fetch_add(1, SeqCst);
        }
    }

    /// Answers from a place of any kind.
    fn reply(&mut self, r: &Request, a: &Answer) -> Res<()> {
        let m = match a {
            Answer::Ok(payload) => message(r.unique, 0, payload),
            Answer::Err(e) => message(r.unique, -e.0, &[]),
            Answer::None => return Ok(()),
        };
        let before = self.rng.usize(1..200.min(m.len()).max(2)).min(m.len());
        let addr = match self.place() {
            Place::Plain => m.as_ptr() as usize,
            Place::Edge => {
                let from = PAGE - before;
                self.edge.bytes(from, before).copy_from_slice(&m[..before]);
                self.edge.addr() + from
            }
            Place::Late => {
                self.late.reset(m[before..].to_vec());
                let addr = self.late.held.pages.addr() + PAGE - before;
                // SAFETY: the end of a page that is there, and ours.
                let place = unsafe { std::slice::from_raw_parts_mut(addr as *mut u8, before) };
                place.copy_from_slice(&m[..before]);
                addr
            }
        };
        let n =
            write_at(self.daemon.dev.as_raw_fd(), addr, m.len()).inspect_err(|e| self.note(*e))?;
        assert_eq!(n, m.len(), "reply to {r:?}");
        Ok(())
    }
}

impl Late {
    /// Takes the pages away; this will be in them when they come.
    fn reset(&self, content: Vec<u8>) {
        let mut all = self.content.lock().expect("lock");
        (1..LATE).for_each(|n| self.held.empty(n));
        *all = content;
    }

    /// Gives pages to those who need them: at once, later, or never.
    fn provide(&self, mut rng: Rng) {
        loop {
            let Some(n) = self.held.wait_for(Duration::from_secs(3600)) else {
                continue;
            };
            self.shared.waited.fetch_add(1, SeqCst);
            match rng.u8(..40) {
                0 => loop {
                    std::thread::park();
                },
                1..=20 => {}
                _ => std::thread::sleep(Duration::from_micros(rng.u64(..6000))),
            }
            let all = self.content.lock().expect("lock");
            let from = ((n - 1) * PAGE).min(all.len());
            let to = (n * PAGE).min(all.len());
            self.held.fill(n, &all[from..to]);
        }
    }
}
