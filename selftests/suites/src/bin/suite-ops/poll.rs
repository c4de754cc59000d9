// SPDX-License-Identifier: GPL-2.0

//! POLL: poll(2) and select(2). Who waits in other ways is in `epoll`, what daemons may say of
//! files in `notify_poll`.

use std::os::fd::{AsRawFd, OwnedFd};

use ktap::{cases, Case};
use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::msg::Msg;
use mockd::poll::{notify_poll, poll, poll_out, select};
use mockd::wire::Op;
use mockd::{user, Caller, Init, Io, Mock, Request, Setup};
use suites::fusectl;

use crate::through::each;

pub fn cases() -> Vec<Case> {
    cases![
        poll_asks_for_what_is_asked,
        poll_ready_at_once,
        poll_waits_until_notified,
        poll_notified_for_nothing,
        poll_without_waiting,
        poll_times_out,
        poll_is_told_more,
        poll_unknown,
        poll_fails,
        poll_of_directory,
        poll_handles,
        poll_without_open,
        poll_of_old_daemons,
        poll_of_several,
        poll_beside_a_waiter,
        poll_notified_while_asked,
        poll_interrupted_while_waiting,
        poll_interrupted_while_asked,
        poll_of_closed_file,
        poll_ends_with_daemon,
        poll_ends_with_abort,
        poll_after_the_end,
        select_sets,
        select_waits,
        poll_of_passthrough,
    ]
}

/// Can be read, as a daemon says.
pub const READY: u32 = (POLLIN | POLLRDNORM) as u32;
/// What the kernel asks for beside what the caller does.
pub const ALWAYS: u64 = (POLLERR | POLLHUP) as u64;
/// FUSE_POLL_SCHEDULE_NOTIFY.
pub const NOTIFY: u64 = 1;

/// A file "f", which callers open, and a daemon that answers all but POLL by itself.
pub struct Scene {
    pub m: Mock,
    pub fs: Memfs,
}

impl Scene {
    pub fn new() -> Scene {
        Scene::with(&Init::plain())
    }

    pub fn with(init: &Init) -> Scene {
        let (m, mut fs) = (Mock::with(&Setup::default(), init), Memfs::new());
        fs.file("f", b"text");
        Scene { m, fs }
    }

    /// A caller with "f" open.
    pub fn caller<T: Msg>(&mut self, f: impl FnOnce(OwnedFd, &Io) -> T) -> Caller {
        self.m.caller(|mnt, io| {
            let file = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
            f(file, io)
        })
    }

    /// The next POLL.
    #[track_caller]
    pub fn asked(&mut self) -> Request {
        self.m.serve_until(Op::POLL, &mut self.fs)
    }

    /// Says what the file is ready for.
    #[track_caller]
    pub fn tell(&self, r: &Request, revents: u32) {
        self.m.reply(r, &poll_out(revents));
    }

    /// Says that it is ready for something else.
    #[track_caller]
    pub fn notify(&self, r: &Request) {
        assert_eq!(self.m.write(&notify_poll(r.get("kh"))), Ok(24));
    }

    /// Nothing is asked for any more until the caller's end.
    #[track_caller]
    pub fn end<T: Msg>(&mut self, c: Caller) -> T {
        let fs = &mut self.fs;
        self.m.serve(c, &mut |r| {
            assert_ne!(r.op, Op::POLL, "{r:?}");
            fs.handle(r)
        })
    }

    /// Runs a caller to its end with a file that is always ready for this.
    #[track_caller]
    pub fn run<T: Msg>(&mut self, revents: u32, f: impl FnOnce(&OwnedFd) -> T) -> T {
        self.fs.ready = Some(revents);
        let c = self.caller(|file, _| f(&file));
        let fs = &mut self.fs;
        let v = self.m.serve(c, &mut |r| fs.handle(r));
        self.fs.ready = None;
        v
    }

    /// What POLLs had in these fields.
    pub fn polls(&self) -> Vec<(u64, u64)> {
        let all = self.m.rec.all();
        let polls = all.iter().filter(|r| r.op == Op::POLL);
        polls.map(|r| (r.get("flags"), r.get("events"))).collect()
    }
}

/// What the protocol has numbers for, of all that a caller may ask for; and errors, always.
fn poll_asks_for_what_is_asked() {
    let mut s = Scene::new();
    let all: Vec<i16> = (0..16)
        .map(|bit| 1 << bit)
        .chain([0, POLLIN | POLLOUT, -1])
        .collect();
    let asked = all.clone();
    let r: Vec<Res<i16>> = s.run(0, move |f| all.iter().map(|e| poll(f, *e, 0)).collect());
    assert_eq!(r, vec![Ok(0); asked.len()]);
    let expected: Vec<(u64, u64)> = asked
        .iter()
        .map(|e| (0, (*e as u16 as u64 & 0x27ff) | ALWAYS))
        .collect();
    assert_eq!(s.polls(), expected);
    s.m.finish();
}

fn poll_ready_at_once() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| poll(&f, POLLIN, -1));
    let r = s.asked();
    // It was put on the queue before.
    assert_eq!(
        (r.get("flags"), r.get("events")),
        (NOTIFY, POLLIN as u64 | ALWAYS)
    );
    s.tell(&r, READY);
    assert_eq!(s.end::<Res<i16>>(c), Ok(POLLIN));
    s.m.finish();
}

fn poll_waits_until_notified() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| poll(&f, POLLIN, -1));
    let r = s.asked();
    s.tell(&r, 0);
    s.notify(&r);
    let again = s.asked();
    assert_eq!((again.get("kh"), again.get("flags")), (r.get("kh"), NOTIFY));
    s.tell(&again, READY);
    assert_eq!(s.end::<Res<i16>>(c), Ok(POLLIN));
    s.m.finish();
}

/// It is asked each time, and waits on.
fn poll_notified_for_nothing() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| poll(&f, POLLOUT, -1));
    let mut r = s.asked();
    for _ in 0..3 {
        // Ready, but not for what this caller waits for.
        s.tell(&r, READY);
        s.notify(&r);
        r = s.asked();
    }
    s.tell(&r, (POLLOUT | POLLWRNORM) as u32);
    assert_eq!(s.end::<Res<i16>>(c), Ok(POLLOUT));
    assert_eq!(s.polls(), [(NOTIFY, POLLOUT as u64 | ALWAYS); 4]);
    s.m.finish();
}

/// Nobody waits: the daemon need not say when.
fn poll_without_waiting() {
    let mut s = Scene::new();
    let r = s.run(0, |f| poll(f, POLLIN, 0));
    assert_eq!(r, Ok(0));
    let r = s.run(READY, |f| poll(f, POLLIN | POLLRDNORM, 0));
    assert_eq!(r, Ok(POLLIN | POLLRDNORM));
    let events = POLLIN as u64 | ALWAYS;
    assert_eq!(s.polls(), [(0, events), (0, events | POLLRDNORM as u64)]);
    s.m.finish();
}

/// It is asked once more when the time is over.
fn poll_times_out() {
    let mut s = Scene::new();
    assert_eq!(s.run(0, |f| poll(f, POLLIN, 20)), Ok(0));
    assert_eq!(s.polls(), [(NOTIFY, POLLIN as u64 | ALWAYS); 2]);
    s.m.finish();
}

/// What a caller has not asked for it is not told, but for errors and the end. Of the daemon's 32
/// bits the upper half does not matter.
fn poll_is_told_more() {
    let mut s = Scene::new();
    for (says, asks, told) in [
        (u32::MAX, POLLIN, POLLIN | POLLERR | POLLHUP),
        (u32::MAX, 0, POLLERR | POLLHUP),
        (1 << 16, POLLIN, 0),
        (0xffff_0000, -1, 0),
        (0x0001_0001, POLLIN, POLLIN),
        (READY, POLLPRI, 0),
        (POLLHUP as u32, POLLIN, POLLHUP),
        (POLLERR as u32, POLLIN, POLLERR),
        (0x8000, -1, 0),
        (0xffff, -1, 0x27ff),
    ] {
        let r = s.run(says, |f| poll(f, asks, 0));
        assert_eq!(r, Ok(told), "{says:#x}");
    }
    s.m.finish();
}

/// Remembered: all files are always ready.
fn poll_unknown() {
    let mut s = Scene::new();
    s.fs.file("g", b"");
    let (fs, m) = (&mut s.fs, &mut s.m);
    let r: Res<Vec<i16>> = m.run(fs, |mnt| {
        let mut told = vec![];
        for name in ["f", "f", "g"] {
            let f = user::open(&mnt.join(name), libc::O_RDONLY, 0)?;
            told.push(poll(&f, POLLIN | POLLOUT | POLLPRI, -1)?);
            told.push(poll(&f, POLLPRI, 0)?);
            assert_eq!(select(&f, 10_000), Ok((true, true, false)));
        }
        Ok(told)
    });
    assert_eq!(r, Ok([POLLIN | POLLOUT, 0].repeat(3)));
    assert_eq!(s.polls().len(), 1);
    s.m.finish();
}

/// Not remembered; to the caller it is something about the file.
fn poll_fails() {
    let mut s = Scene::new();
    let errors = [EIO, EINTR, EAGAIN, ENOENT, ENOMEM, EPERM, ENOTCONN, EINVAL];
    let c = s.caller(move |f, _| -> Res<Vec<i16>> {
        (0..errors.len()).map(|_| poll(&f, POLLIN, -1)).collect()
    });
    for e in errors {
        let r = s.asked();
        s.m.fail(&r, e);
    }
    assert_eq!(s.end::<Res<Vec<i16>>>(c), Ok(vec![POLLERR; errors.len()]));
    s.m.finish();
}

/// Directories are always ready, and so is what the VFS itself serves.
fn poll_of_directory() {
    let mut s = Scene::new();
    s.fs.dir("d");
    let (fs, m) = (&mut s.fs, &mut s.m);
    let r: Res<Vec<i16>> = m.run(fs, |mnt| {
        let d = user::open(&mnt.join("d"), libc::O_RDONLY, 0)?;
        let o = user::open(&mnt.join("f"), libc::O_PATH, 0)?;
        Ok(vec![
            poll(&d, POLLIN | POLLOUT, -1)?,
            poll(&d, POLLPRI, 0)?,
            poll(&o, POLLIN, -1)?,
        ])
    });
    assert_eq!(r, Ok(vec![POLLIN | POLLOUT, 0, POLLNVAL]));
    assert_eq!(s.polls(), []);
    s.m.finish();
}

/// Each open has a number of its own: the next one, whatever is opened, and whether it succeeds.
fn poll_handles() {
    let mut s = Scene::new();
    let bad = s.fs.file("bad", b"");
    s.fs.dir("d");
    s.fs.ready = Some(0);
    let (fs, m) = (&mut s.fs, &mut s.m);
    let c = m.caller(|mnt, _| -> Res<()> {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let g = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        let _d = user::open(&mnt.join("d"), libc::O_RDONLY, 0)?;
        assert_eq!(
            user::open(&mnt.join("bad"), libc::O_RDONLY, 0).err(),
            Some(EIO)
        );
        let n = user::open(&mnt.join("n"), libc::O_CREAT | libc::O_RDWR, 0o644)?;
        let same = f.try_clone()?;
        for f in [&f, &g, &n, &f, &same] {
            poll(f, POLLIN, 0)?;
        }
        Ok(())
    });
    let r: Res<()> = m.serve(c, &mut |r| match r.op {
        Op::OPEN if r.node == bad => Answer::Err(EIO),
        _ => fs.handle(r),
    });
    assert_eq!(r, Ok(()));
    let all = s.m.rec.all();
    let polls = all.iter().filter(|r| r.op == Op::POLL);
    let handles: Vec<u64> = polls.map(|r| r.get("kh")).collect();
    assert_eq!(handles, [1, 2, 5, 1, 1]);
    s.m.finish();
}

/// All files have the daemon's handle 0 then, and numbers of their own.
fn poll_without_open() {
    let mut s = Scene::new();
    s.fs.on(Op::OPEN, Answer::Err(ENOSYS));
    for kh in [1, 2] {
        let c = s.caller(|f, _| poll(&f, POLLIN, -1));
        let r = s.asked();
        assert_eq!((r.get("fh"), r.get("kh")), (0, kh));
        s.tell(&r, 0);
        s.notify(&r);
        let r = s.asked();
        s.tell(&r, READY);
        assert_eq!(s.end::<Res<i16>>(c), Ok(POLLIN));
    }
    s.m.finish();
}

/// POLL is of 7.11; nobody looks.
fn poll_of_old_daemons() {
    for minor in [4, 8, 9, 10, 11, 12, 21, 22, 23, 30] {
        let init = Init {
            minor,
            ..Init::plain()
        };
        let mut s = Scene::with(&init);
        let fs = &mut s.fs;
        let c = s.m.caller(|mnt, _| -> Res<i16> {
            poll(&user::open(&mnt.join("f"), libc::O_RDWR, 0)?, POLLIN, 0)
        });
        fs.ready = Some(READY);
        let r: Res<i16> = s.m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, Ok(POLLIN), "7.{minor}");
        s.m.finish();
    }
}

/// One notification wakes up all, and each asks for itself.
fn poll_of_several() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| -> Vec<Res<i16>> {
        std::thread::scope(|scope| {
            let waits = [0; 3].map(|_| scope.spawn(|| poll(&f, POLLIN, -1)));
            waits.map(|w| w.join().expect("thread")).into()
        })
    });
    for round in 0..3 {
        let all = [s.asked(), s.asked(), s.asked()];
        for r in &all {
            assert_eq!((r.get("kh"), r.get("flags")), (1, NOTIFY));
            s.tell(r, if round == 2 { READY } else { 0 });
        }
        if round < 2 {
            s.notify(&all[0]);
        }
    }
    assert_eq!(s.end::<Vec<Res<i16>>>(c), [Ok(POLLIN); 3]);
    s.m.finish();
}

/// Whoever does not wait asks for a notification too, if another one does: the daemon knows of one
/// for each file.
fn poll_beside_a_waiter() {
    let mut s = Scene::new();
    let c = s.caller(|f, io| -> Vec<Res<i16>> {
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| poll(&f, POLLIN, -1));
            io.wait();
            let now = poll(&f, POLLOUT, 0);
            vec![now, waits.join().expect("thread")]
        })
    });
    let waits = s.asked();
    s.tell(&waits, 0);
    c.go();
    let now = s.asked();
    assert_eq!(
        (now.get("flags"), now.get("events")),
        (NOTIFY, POLLOUT as u64 | ALWAYS)
    );
    s.tell(&now, POLLOUT as u32);
    s.notify(&now);
    let again = s.asked();
    assert_eq!(again.get("events"), POLLIN as u64 | ALWAYS);
    s.tell(&again, READY);
    assert_eq!(s.end::<Vec<Res<i16>>>(c), [Ok(POLLOUT), Ok(POLLIN)]);
    s.m.finish();
}

/// By the one that has the POLL: the answer may be older than what was said since.
fn poll_notified_while_asked() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| poll(&f, POLLIN, -1));
    let r = s.asked();
    s.notify(&r);
    s.notify(&r);
    s.tell(&r, 0);
    let again = s.asked();
    assert_eq!(again.get("flags"), NOTIFY);
    s.tell(&again, READY);
    assert_eq!(s.end::<Res<i16>>(c), Ok(POLLIN));
    s.m.finish();
}

/// That is between two POLLs: the daemon hears nothing of it.
fn poll_interrupted_while_waiting() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| {
        user::catch_signal(libc::SIGUSR1, true);
        poll(&f, POLLIN, -1)
    });
    let r = s.asked();
    s.tell(&r, 0);
    c.wait_asleep();
    c.kill(libc::SIGUSR1);
    // Whatever has ended its sleep, poll(2) asks once more.
    let again = s.asked();
    s.tell(&again, 0);
    assert_eq!(s.end::<Res<i16>>(c), Err(EINTR));
    s.m.finish();
}

/// The daemon hears of it, and says what becomes of the POLL: its EINTR is an error of the file's.
fn poll_interrupted_while_asked() {
    for answer in [Err(EINTR), Ok(READY)] {
        let mut s = Scene::new();
        let c = s.caller(|f, _| {
            user::catch_signal(libc::SIGUSR1, true);
            poll(&f, POLLIN, -1)
        });
        let r = s.asked();
        c.kill(libc::SIGUSR1);
        let i = s.m.expect(Op::INTERRUPT);
        assert_eq!(i.get("unique"), r.unique);
        match answer {
            Ok(revents) => s.tell(&r, revents),
            Err(e) => s.m.fail(&r, e),
        }
        let told = if answer.is_ok() { POLLIN } else { POLLERR };
        assert_eq!(s.end::<Res<i16>>(c), Ok(told));
        s.m.finish();
    }
}

/// Whoever waits keeps the file: it is released when the wait is over. poll(2) looks the descriptor
/// up each time, and it is there no more.
fn poll_of_closed_file() {
    let mut s = Scene::new();
    let mut c = s.caller(|f, io| -> Res<i16> {
        let fd = f.as_raw_fd();
        std::thread::scope(|scope| {
            let waits = scope.spawn(move || poll(&fd, POLLIN, -1));
            io.wait();
            user::close(f)?;
            io.put(());
            waits.join().expect("thread")
        })
    });
    let r = s.asked();
    s.tell(&r, 0);
    c.go();
    let flush = s.m.expect(Op::FLUSH);
    s.m.reply(&flush, &[]);
    c.get::<()>();
    s.m.expect_none();
    s.notify(&r);
    let release = s.m.expect(Op::RELEASE);
    s.m.reply(&release, &[]);
    assert_eq!(s.end::<Res<i16>>(c), Ok(POLLNVAL));
    s.m.finish();
}

/// Its last device is closed: those who wait for a notification learn of it.
fn poll_ends_with_daemon() {
    let mut s = Scene::new();
    let c = s.caller(|f, io| -> Vec<Res<i16>> {
        let f = &f;
        std::thread::scope(|scope| {
            let waits = [POLLIN, POLLOUT].map(|e| {
                let wait = scope.spawn(move || poll(f, e, -1));
                // One after the other.
                io.wait();
                wait
            });
            waits.map(|w| w.join().expect("thread")).into()
        })
    });
    for _ in 0..2 {
        let r = s.asked();
        s.tell(&r, 0);
        c.go();
    }
    s.m.die();
    assert_eq!(c.join::<Vec<Res<i16>>>(), [Ok(POLLERR); 2]);
}

/// The same for many files, and for one whose POLL is not answered.
fn poll_ends_with_abort() {
    let mut s = Scene::new();
    let mut all: Vec<Caller> = Vec::new();
    for answered in [true, true, true, true, false] {
        all.push(s.caller(|f, _| poll(&f, POLLIN, -1)));
        let r = s.asked();
        if answered {
            s.tell(&r, 0);
        }
    }
    assert_eq!(fusectl::abort(&s.m.mnt), Ok(()));
    for c in all {
        assert_eq!(c.join::<Res<i16>>(), Ok(POLLERR));
    }
}

/// Whoever comes later is not left to wait.
fn poll_after_the_end() {
    let mut s = Scene::new();
    let c = s.caller(|f, io| {
        io.wait();
        (poll(&f, POLLIN, -1), poll(&f, 0, 0))
    });
    let r = s.m.serve_until(Op::OPEN, &mut s.fs);
    let opened = s.fs.handle(&r);
    assert_eq!(s.m.answer(&r, &opened), Ok(()));
    s.m.die();
    c.go();
    let told = (Ok(POLLERR), Ok(POLLERR));
    assert_eq!(c.join::<(Res<i16>, Res<i16>)>(), told);
}

/// select(2) asks for more, and takes errors for something to be read or written.
fn select_sets() {
    let mut s = Scene::new();
    for (says, told) in [
        (READY, (true, false, false)),
        (POLLOUT as u32, (false, true, false)),
        (POLLPRI as u32, (false, false, true)),
        (POLLHUP as u32, (true, false, false)),
        (POLLERR as u32, (true, true, false)),
        (u32::MAX, (true, true, true)),
        (0, (false, false, false)),
    ] {
        assert_eq!(s.run(says, |f| select(f, 0)), Ok(told), "{says:#x}");
    }
    s.m.finish_compared();
}

fn select_waits() {
    let mut s = Scene::new();
    assert_eq!(s.run(0, |f| select(f, 20)), Ok((false, false, false)));
    let c = s.caller(|f, _| select(&f, 1_000_000));
    let r = s.asked();
    assert_eq!(r.get("flags"), NOTIFY);
    s.tell(&r, 0);
    s.notify(&r);
    let r = s.asked();
    s.tell(&r, READY);
    let told: Res<(bool, bool, bool)> = s.end(c);
    assert_eq!(told, Ok((true, false, false)));
    s.m.finish();
}

/// A daemon without POLL behind which there are ordinary files.
fn poll_of_passthrough() {
    each(|d| {
        let f = user::open(&d.at("f"), libc::O_CREAT | libc::O_RDWR, 0o644).expect("create");
        assert_eq!(
            poll(&f, POLLIN | POLLOUT | POLLPRI, -1),
            Ok(POLLIN | POLLOUT)
        );
        assert_eq!(select(&f, 0), Ok((true, true, false)));
    });
}
