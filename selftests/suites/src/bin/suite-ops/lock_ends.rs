// SPDX-License-Identifier: GPL-2.0

//! Waiting for a lock, and what ends the wait or the lock: signals, SIGKILL, the end of a process
//! or of the connection. What is to be given back of killed callers' is in suite `left`.

use std::os::fd::OwnedFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::lock::*;
use mockd::memfs::Memfs;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Request, Setup};

use crate::lock::{files, locks, none};

pub fn cases() -> Vec<Case> {
    cases![
        wait_granted_later,
        waits_granted_in_any_order,
        wait_interrupted,
        wait_restarted,
        wait_granted_after_signal,
        wait_killed_before_it_is_read,
        wait_killed_and_refused,
        wait_killed_and_granted,
        wait_aborted,
        wait_at_the_daemons_death,
        local_wait_interrupted,
        lock_goes_at_exit,
        lock_goes_with_any_descriptor,
        lock_stays_with_the_parent,
        lock_stays_in_exec,
    ]
}

/// How a caller waits for a lock.
type Wait = fn(&OwnedFd) -> Res<()>;

/// Of each kind.
const WAITS: &[Wait] = &[
    |f| setlkw(f, WRLCK, 0, 10),
    |f| fcntl(f, libc::F_OFD_SETLKW, (WRLCK, 0, 10, 0)).map(drop),
    |f| flock(f, libc::LOCK_EX),
];

/// A caller that waits for a lock of "f", which the daemon has been asked for; whether a handler of
/// signals lets calls be restarted.
fn waiting(wait: Wait, restart: bool) -> (Mock, Memfs, Caller, Request) {
    // A request may be taken back between poll(2) and read(2).
    let setup = Setup {
        nonblock: true,
        ..Setup::default()
    };
    let (mut m, mut fs) = (Mock::with(&setup, &Init::plain()), files());
    let c = m.call("f", |p| {
        user::catch_signal(libc::SIGUSR1, restart);
        let f = user::open(p, libc::O_RDWR, 0).expect("open");
        wait(&f)
    });
    let r = m.serve_until(Op::SETLKW, &mut fs);
    (m, fs, c, r)
}

/// The next message must be an INTERRUPT of `of`.
#[track_caller]
fn interrupt(m: &mut Mock, of: &Request) {
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), of.unique);
}

/// What the caller gets in the end.
#[track_caller]
fn ends(mut m: Mock, mut fs: Memfs, c: Caller, want: Res<()>) {
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, want);
    suites::daemon::until("RELEASE", || {
        m.drain(&mut |r| fs.handle(r));
        fs.locks.is_empty().then_some(())
    });
    m.finish();
}

/// The daemon answers when it can be had; others go on meanwhile.
fn wait_granted_later() {
    for wait in WAITS {
        let (mut m, mut fs, mut c, r) = waiting(*wait, false);
        let other: Res<()> = m.run(&mut fs, |mnt| {
            let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
            setlk(&f, WRLCK, 100, 1)?;
            user::pread(&f, 10, 0).map(drop)
        });
        assert_eq!((other, c.ended()), (Ok(()), false));
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
        ends(m, fs, c, Ok(()));
    }
}

fn waits_granted_in_any_order() {
    let (mut m, mut fs) = (Mock::new(), files());
    let start = |m: &mut Mock| {
        m.call("f", |p| {
            setlkw(&user::open(p, libc::O_RDWR, 0).expect("open"), WRLCK, 0, 1)
        })
    };
    let mut all: Vec<(Caller, Request)> = Vec::new();
    for _ in 0..3 {
        let c = start(&mut m);
        let r = m.serve_until(Op::SETLKW, &mut fs);
        all.push((c, r));
    }
    for i in [1, 1, 0] {
        let (c, r) = all.remove(i);
        m.reply(&r, &[]);
        assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    }
    m.finish();
}

/// The daemon hears of the signal, and says EINTR, which is what the caller gets.
fn wait_interrupted() {
    for wait in WAITS {
        let (mut m, fs, c, r) = waiting(*wait, false);
        c.kill(libc::SIGUSR1);
        interrupt(&mut m, &r);
        m.fail(&r, EINTR);
        ends(m, fs, c, Err(EINTR));
    }
}

/// With SA_RESTART the lock is asked for once more.
fn wait_restarted() {
    for wait in WAITS {
        let (mut m, mut fs, c, r) = waiting(*wait, true);
        for _ in 0..2 {
            c.kill(libc::SIGUSR1);
            let last = locks(&m).pop().expect("asked");
            interrupt(&mut m, &last);
            m.fail(&last, EINTR);
            let again = m.expect(Op::SETLKW);
            assert_eq!(again.body, r.body);
        }
        let last = locks(&m).pop().expect("asked");
        let a = fs.handle(&last);
        m.answer(&last, &a).expect("answer");
        ends(m, fs, c, Ok(()));
    }
}

fn wait_granted_after_signal() {
    for wait in WAITS {
        let (mut m, mut fs, c, r) = waiting(*wait, false);
        c.kill(libc::SIGUSR1);
        interrupt(&mut m, &r);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
        ends(m, fs, c, Ok(()));
    }
}

/// The daemon never hears of it.
fn wait_killed_before_it_is_read() {
    let setup = Setup {
        nonblock: true,
        ..Setup::default()
    };
    let (mut m, mut fs) = (Mock::with(&setup, &Init::plain()), files());
    let mut c = m.caller::<()>(|mnt, io| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        io.put(());
        io.wait();
        let _ = setlkw(&f, WRLCK, 0, 1);
    });
    while !mockd::caller::readable(c.fd(), std::time::Duration::ZERO) {
        m.drain(&mut |r| fs.handle(r));
    }
    c.get::<()>();
    c.go();
    suites::daemon::until("the request", || m.pending().then_some(()));
    c.wait_asleep();
    c.kill(libc::SIGKILL);
    // It takes its request back when it runs.
    suites::daemon::until("its way out", || c.exiting().then_some(()));
    suites::daemon::until("its end", || {
        match m.read() {
            Ok(r) => {
                assert_ne!(r.op, Op::SETLKW);
                let a = fs.handle(&r);
                m.answer(&r, &a).expect("answer");
            }
            Err(EAGAIN) => {}
            Err(e) => panic!("read of the device: {e}"),
        }
        c.exited().then_some(())
    });
    c.reap();
    m.rec.leave_out(Op::RELEASE);
    m.finish();
}

/// A killed caller's lock, and what becomes of it: it goes with what the exit closes.
fn killed(grant: bool) {
    for wait in WAITS {
        let (mut m, mut fs, mut c, r) = waiting(*wait, false);
        c.kill(libc::SIGKILL);
        interrupt(&mut m, &r);
        if grant {
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
        } else {
            m.fail(&r, EINTR);
        }
        suites::daemon::until("its end", || {
            m.drain(&mut |r| fs.handle(r));
            (c.exited() && m.rec.count(Op::RELEASE) == 1).then_some(())
        });
        c.reap();
        assert!(fs.locks.is_empty(), "{:?}", fs.locks);
        let ops: Vec<_> = m.rec.all().iter().map(|r| r.op).collect();
        // Its FLUSH comes when nothing more can be granted.
        let end = [Op::SETLKW, Op::INTERRUPT, Op::FLUSH, Op::RELEASE];
        assert!(ops.ends_with(&end), "{ops:?}");
        // Sent by whoever lets go of the file last.
        m.rec.leave_out(Op::RELEASE);
        m.finish();
    }
}

fn wait_killed_and_refused() {
    killed(false);
}

fn wait_killed_and_granted() {
    killed(true);
}

fn wait_aborted() {
    for wait in WAITS {
        let (mut m, _, c, _) = waiting(*wait, false);
        m.without_record();
        let _ = umount(&m.mnt, libc::MNT_FORCE);
        assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
        // It is busy the first time, unless the caller is quick to close its file.
        let _ = umount(&m.mnt, libc::MNT_DETACH);
    }
}

fn wait_at_the_daemons_death() {
    for wait in WAITS {
        let (m, _, c, _) = waiting(*wait, false);
        let mnt = m.die();
        assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
        umount(&mnt, libc::MNT_DETACH).expect("umount");
    }
}

/// A wait in this machine's queue is the kernel's own: nobody is told, and signals end it.
fn local_wait_interrupted() {
    ktap::needs("CONFIG_FILE_LOCKING");
    for wait in WAITS {
        let (mut m, mut fs) = (Mock::with(&Setup::default(), &none()), files());
        let r: (Res<()>, bool) = m.run(&mut fs, |mnt| {
            let open = || user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
            let f = open();
            wait(&f).expect("lock");
            let spawn = || {
                let mut other = Caller::spawn(None, |io| {
                    user::catch_signal(libc::SIGUSR1, false);
                    let f = open();
                    io.put(());
                    wait(&f)
                });
                other.get::<()>();
                other.wait_asleep();
                other
            };
            let signalled = spawn();
            signalled.kill(libc::SIGUSR1);
            let mut killed = spawn();
            killed.kill(libc::SIGKILL);
            killed.reap();
            (signalled.join(), killed.exited())
        });
        assert_eq!(r, (Err(EINTR), true));
        assert_eq!(locks(&m).len(), 0);
        m.without_record();
        m.finish();
    }
}

/// By the FLUSH of the exit.
fn lock_goes_at_exit() {
    for sig in [0, libc::SIGTERM, libc::SIGKILL] {
        let (mut m, mut fs) = (Mock::new(), files());
        let mut c = m.caller::<()>(|mnt, io| {
            let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
            setlk(&f, WRLCK, 0, 1).expect("lock");
            flock(&f, libc::LOCK_EX).expect("lock");
            io.put(());
            io.wait();
            // SAFETY: with the file still open.
            unsafe { libc::_exit(0) };
        });
        while !mockd::caller::readable(c.fd(), std::time::Duration::ZERO) {
            m.drain(&mut |r| fs.handle(r));
        }
        c.get::<()>();
        assert!(!fs.locks.is_empty());
        if sig == 0 {
            c.go();
        } else {
            c.kill(sig);
        }
        suites::daemon::until("its end", || {
            m.drain(&mut |r| fs.handle(r));
            (c.exited() && fs.locks.is_empty()).then_some(())
        });
        c.reap();
        m.finish();
    }
}

/// POSIX has it so: any close of the file by its owner drops all of them.
fn lock_goes_with_any_descriptor() {
    let (mut m, mut fs) = (Mock::new(), files());
    let node = fs.nodes[&mockd::wire::ROOT].children["f"];
    let c = m.caller(|mnt, io| -> Res<()> {
        let open = || user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        let (a, b) = (open(), open());
        setlk(&a, WRLCK, 0, 1)?;
        user::close(b)?;
        io.put(());
        io.wait();
        user::close(a)
    });
    let mut c = c;
    while !mockd::caller::readable(c.fd(), std::time::Duration::ZERO) {
        m.drain(&mut |r| fs.handle(r));
    }
    c.get::<()>();
    assert_eq!(fs.locks.of(node), []);
    c.go();
    assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    m.finish();
}

/// A child that exits with its parent's descriptor drops none of the parent's.
fn lock_stays_with_the_parent() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        setlk(&f, WRLCK, 0, 1).expect("lock");
        flock(&f, libc::LOCK_EX).expect("lock");
        Caller::spawn(None, |_| ()).join::<()>();
        let other = || {
            let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
            let posix = setlk(&f, WRLCK, 0, 1);
            (posix, flock(&f, libc::LOCK_EX | libc::LOCK_NB))
        };
        Caller::spawn(None, |_| other()).join()
    });
    assert_eq!(r, (Err(EAGAIN), Err(EAGAIN)));
    m.without_record();
    m.finish();
}

/// A new program has the locks of the old one, as it has its files.
fn lock_stays_in_exec() {
    let (mut m, mut fs) = (Mock::new(), files());
    let node = fs.nodes[&mockd::wire::ROOT].children["f"];
    let mut c = m.caller::<()>(|mnt, _| {
        use std::os::fd::AsRawFd;
        use std::os::unix::process::CommandExt;
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        // SAFETY: a descriptor and a flag.
        check(unsafe { libc::fcntl(f.as_raw_fd(), libc::F_SETFD, 0) }).expect("no CLOEXEC");
        setlk(&f, WRLCK, 0, 1).expect("lock");
        panic!("{}", std::process::Command::new("sleep").arg("1000").exec());
    });
    suites::daemon::until("the new program", || {
        m.drain(&mut |r| fs.handle(r));
        let cmd = std::fs::read(format!("/proc/{}/cmdline", c.pid)).unwrap_or_default();
        cmd.ends_with(b"1000\0").then_some(())
    });
    assert_eq!(fs.locks.of(node), [(WRLCK, 0, 0)]);
    c.kill(libc::SIGKILL);
    suites::daemon::until("its end", || {
        m.drain(&mut |r| fs.handle(r));
        (c.exited() && fs.locks.is_empty()).then_some(())
    });
    c.reap();
    m.finish();
}
