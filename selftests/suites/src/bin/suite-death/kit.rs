// SPDX-License-Identifier: GPL-2.0

//! What the death tests share: callers that stop before they act, and a daemon process that is
//! stuck in the middle of copying.

use std::os::fd::AsRawFd;
use std::time::Duration;

use mockd::caller::readable;
use mockd::errno::*;
use mockd::mem::{read_at, write_at, Held, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::reply::message;
use mockd::user;
use mockd::wire::Op;
use mockd::{wire, Caller, Init, Mock, Request, Setup};
use suites::catalogue::{self, Names, Place, Row};

pub use suites::killable::get as killable;

/// What a caller does once all is ready for it.
pub type Act = Box<dyn FnOnce() -> Res<()>>;

/// What the daemon has, where the catalogue does not say so.
pub fn sample() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", &[7; 9000]);
    fs.file("g", &[8; 10]);
    fs.dir("d");
    fs.add(wire::ROOT, "l", libc::S_IFLNK | 0o777, b"f");
    fs
}

/// Mounts for a call of the catalogue; `init` may be changed first.
#[track_caller]
pub fn mounted(row: &Row, init: impl FnOnce(&mut Init)) -> (Mock, Memfs) {
    let (mut fs, mut answer) = (catalogue::sample(), row.init(Init::plain()));
    (row.files)(&mut fs);
    init(&mut answer);
    (Mock::with(&Setup::default(), &answer), fs)
}

/// Has killed callers wait for their answers, as with C, until dropped.
pub struct NotKillable(());

impl NotKillable {
    pub fn new() -> NotKillable {
        suites::killable::set(false);
        NotKillable(())
    }
}

impl Drop for NotKillable {
    fn drop(&mut self) {
        suites::killable::set(true);
    }
}

/// Serves until the caller has put its word, and all that is there then.
#[track_caller]
pub fn serve_until_put(m: &mut Mock, fs: &mut Memfs, c: &mut Caller) {
    suites::daemon::until("the caller to be ready", || {
        m.drain(&mut |r| fs.handle(r));
        readable(c.fd(), Duration::from_millis(1)).then_some(())
    });
    c.get::<()>();
    m.drain(&mut |r| fs.handle(r));
}

/// The next request, FORGETs and what comes unasked apart.
#[track_caller]
pub fn next(m: &mut Mock) -> Request {
    m.find("a request", |r| {
        !matches!(r.op, Op::FORGET | Op::BATCH_FORGET) && !mockd::table::is_unasked(r)
    })
}

/// A caller that is about to send the operation's request: all that comes before has been answered.
/// It catches SIGUSR1.
#[track_caller]
pub fn start(row: &Row, m: &mut Mock, fs: &mut Memfs) -> Caller {
    let ready = row.ready;
    let mut c = m.caller(move |mnt, io| {
        user::catch_signal(libc::SIGUSR1, false);
        let mut act = ready(&Place::new(mnt, Names::ROOT)).expect("preparation");
        io.put(());
        io.wait();
        act.run()
    });
    serve_until_put(m, fs, &mut c);
    c.go();
    for _ in 0..row.before {
        let r = next(m);
        assert_ne!(r.op, row.op, "too early: {r:?}");
        answer(m, fs, &r);
    }
    c
}

/// Answers `r` as `fs` does.
#[track_caller]
pub fn answer(m: &Mock, fs: &mut Memfs, r: &Request) {
    let a = fs.handle(r);
    m.answer(r, &a)
        .unwrap_or_else(|e| panic!("answer to {r:?}: {e}"));
}

/// Aborts the connection with umount -f, and leaves the mount.
#[track_caller]
pub fn force(m: &Mock) {
    let busy = user::open(&m.mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(&m.mnt, libc::MNT_FORCE), Err(EBUSY));
    drop(busy);
}

/// Serves until nothing comes any more, and unmounts.
#[track_caller]
pub fn close_down(m: &mut Mock, fs: &mut Memfs) {
    suites::daemon::until("the end of the mount", || {
        m.drain(&mut |r| match r.op {
            // INTERRUPTs of what has ended meanwhile.
            Op::INTERRUPT => Answer::None,
            _ => fs.handle(r),
        });
        match umount(&m.mnt, 0) {
            Ok(()) => Some(()),
            // A task that is exiting still has the mount.
            Err(EBUSY) => None,
            Err(e) => panic!("umount: {e}"),
        }
    });
}

/// A daemon process whose read or write on the device waits for a page of its buffer.
pub struct Stuck(Caller);

/// Bytes that are there before the page that is not: of an answer the header, so that the request
/// is found.
const THERE: usize = 16;
const ROOM: usize = 1 << 18;

impl Stuck {
    /// In read(2) of the request that is next.
    #[track_caller]
    pub fn reading(m: &Mock) -> Stuck {
        let fd = m.dev().as_raw_fd();
        Stuck::start(move |held| {
            held.fill(0, &[]);
            let (addr, n) = (held.pages.addr() + PAGE - THERE, ROOM);
            Box::new(move || read_at(fd, addr, n))
        })
    }

    /// In write(2) of an answer, which must have more than [`THERE`] bytes.
    #[track_caller]
    pub fn writing(m: &Mock, r: &Request, payload: &[u8]) -> Stuck {
        let fd = m.dev().as_raw_fd();
        let reply = message(r.unique, 0, payload);
        let n = reply.len();
        Stuck::start(move |held| {
            let mut page = vec![0; PAGE];
            page[PAGE - THERE..].copy_from_slice(&reply[..THERE]);
            held.fill(0, &page);
            let addr = held.pages.addr() + PAGE - THERE;
            let rest = reply[THERE..].to_vec();
            held.rest.set(rest);
            Box::new(move || write_at(fd, addr, n))
        })
    }

    fn start(f: impl FnOnce(&Pages) -> Box<dyn FnOnce() -> Res<usize> + Send>) -> Stuck {
        let mut c = Caller::spawn(None, move |io| {
            let mut held = Pages {
                held: Held::new(ROOM / PAGE + 2),
                rest: Default::default(),
            };
            let work = f(&held);
            let t = std::thread::spawn(work);
            assert_eq!(held.wait(), 1);
            io.put(());
            io.wait();
            let rest = held.rest.take();
            // As many as a READ of the whole file takes.
            let mut pages = rest.chunks(PAGE);
            for n in 1..4 {
                held.fill(n, pages.next().unwrap_or_default());
            }
            let result = t.join().expect("daemon");
            let n = *result.as_ref().unwrap_or(&0);
            let bytes = held.held.pages.bytes(PAGE - THERE, n).to_vec();
            result.map(|_| bytes)
        });
        c.get::<()>();
        Stuck(c)
    }

    /// The page comes: what the system call gave, and the bytes that were read or written.
    #[track_caller]
    pub fn go_on(self) -> Res<Vec<u8>> {
        self.0.go();
        self.0.join()
    }

    /// It is killed.
    #[track_caller]
    pub fn kill(mut self) {
        self.0.kill(libc::SIGKILL);
        self.0.reap();
    }
}

/// The buffer of a [`Stuck`].
struct Pages {
    held: Held,
    rest: std::cell::Cell<Vec<u8>>,
}

impl std::ops::Deref for Pages {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}
