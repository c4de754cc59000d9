// SPDX-License-Identifier: GPL-2.0

//! Locks that are this machine's: where the daemon has not agreed to POSIX_LOCKS or FLOCK_LOCKS, of
//! directories, and leases.

use std::os::fd::{AsRawFd, OwnedFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::lock::*;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};

use crate::lock::{files, locks, none, on_file, OFD_GET, OFD_SET};

pub fn cases() -> Vec<Case> {
    cases![
        lock_of_directory,
        local_without_posix_locks,
        local_conflicts,
        local_wait,
        local_deadlock,
        local_ofd,
        minor_17_has_both,
        minor_16_has_one_flag,
        minor_5_has_none,
        leases_are_local,
    ]
}

/// The daemon is not asked for those of directories.
fn lock_of_directory() {
    let (mut m, mut fs) = (Mock::new(), files());
    fs.dir("d");
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = || user::open(&mnt.join("d"), libc::O_RDONLY, 0).expect("open");
        let (a, b) = (open(), open());
        let other = Caller::spawn(None, |_| setlk(&b, RDLCK, 0, 0));
        vec![
            setlk(&a, RDLCK, 0, 0),
            other.join(),
            flock(&a, libc::LOCK_EX),
            flock(&b, libc::LOCK_EX | libc::LOCK_NB),
        ]
    });
    assert_eq!(r, [Ok(()), Ok(()), Ok(()), Err(EAGAIN)]);
    assert_eq!(locks(&m).len(), 0);
    m.finish();
}

fn local_without_posix_locks() {
    ktap::needs("CONFIG_FILE_LOCKING");
    let init = Init::plain().without("POSIX_LOCKS");
    let (r, asked) = on_file(&init, |f| -> Res<Lk> {
        setlk(&f, WRLCK, 0, 10)?;
        setlkw(&f, RDLCK, 5, 10)?;
        setlk(&f, UNLCK, 0, 0)?;
        flock(&f, libc::LOCK_EX)?;
        getlk(&f, WRLCK, 0, 0)
    });
    assert_eq!(r, Ok((UNLCK, 0, 0, 0)));
    let ops: Vec<_> = asked.iter().map(|r| r.op).collect();
    assert_eq!(ops, [Op::SETLKW], "flock(2)");
}

/// Between processes, until the file is closed.
fn local_conflicts() {
    ktap::needs("CONFIG_FILE_LOCKING");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &none()), files());
    type Got = (Res<()>, Res<Lk>, Res<()>, u32);
    let r: Got = m.run(&mut fs, |mnt| {
        let p = mnt.join("f");
        let open = || user::open(&p, libc::O_RDWR, 0).expect("open");
        let f = open();
        setlk(&f, WRLCK, 10, 10).expect("lock");
        let mut other = Caller::spawn(None, |io| {
            let f = open();
            io.put(setlk(&f, WRLCK, 0, 0));
            io.put(getlk(&f, RDLCK, 0, 0));
            io.wait();
            setlk(&f, WRLCK, 0, 0)
        });
        let (refused, found) = (other.get(), other.get());
        user::close(f).expect("close");
        other.go();
        (refused, found, other.join(), std::process::id())
    });
    let pid = r.3 as i32;
    assert_eq!(
        (r.0, r.1, r.2),
        (Err(EAGAIN), Ok((WRLCK, 10, 10, pid)), Ok(()))
    );
    assert_eq!(locks(&m).len(), 0);
    m.without_record();
    m.finish();
}

/// Who waits goes on when the lock is free.
fn local_wait() {
    ktap::needs("CONFIG_FILE_LOCKING");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &none()), files());
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let p = mnt.join("f");
        let f = user::open(&p, libc::O_RDWR, 0).expect("open");
        let wait = |call: fn(&OwnedFd) -> Res<()>, p: &std::path::Path| {
            let mut other = Caller::spawn(None, |io| {
                let f = user::open(p, libc::O_RDWR, 0).expect("open");
                io.put(());
                call(&f)
            });
            other.get::<()>();
            other.wait_asleep();
            other
        };
        setlk(&f, WRLCK, 10, 10).expect("lock");
        let other = wait(|f| setlkw(f, WRLCK, 0, 0), &p);
        setlk(&f, UNLCK, 0, 0).expect("unlock");
        let posix = other.join();
        flock(&f, libc::LOCK_EX).expect("lock");
        let other = wait(|f| flock(f, libc::LOCK_EX), &p);
        flock(&f, libc::LOCK_UN).expect("unlock");
        (posix, other.join())
    });
    assert_eq!(r, (Ok(()), Ok(())));
    m.without_record();
    m.finish();
}

/// The kernel sees it where locks are its own.
fn local_deadlock() {
    ktap::needs("CONFIG_FILE_LOCKING");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &none()), files());
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        setlk(&f, WRLCK, 0, 1).expect("lock");
        let mut other = Caller::spawn(None, |io| {
            setlk(&f, WRLCK, 1, 1).expect("lock");
            io.put(());
            setlkw(&f, WRLCK, 0, 1)
        });
        other.get::<()>();
        other.wait_asleep();
        let r = setlkw(&f, WRLCK, 1, 1);
        setlk(&f, UNLCK, 0, 1).expect("unlock");
        (r, other.join())
    });
    assert_eq!(r, (Err(EDEADLK), Ok(())));
    m.without_record();
    m.finish();
}

fn local_ofd() {
    ktap::needs("CONFIG_FILE_LOCKING");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &none()), files());
    let r: (Res<Lk>, Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let open = || user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        let (a, b) = (open(), open());
        fcntl(&a, OFD_SET, (WRLCK, 0, 10, 0)).expect("lock");
        let found = fcntl(&b, OFD_GET, (WRLCK, 0, 1, 0));
        let set = || fcntl(&b, OFD_SET, (WRLCK, 0, 1, 0)).map(drop);
        let refused = set();
        user::close(a).expect("close");
        (found, refused, set())
    });
    assert_eq!(r, (Ok((WRLCK, 0, 10, -1)), Err(EAGAIN), Ok(())));
    assert_eq!(locks(&m).len(), 0);
    m.finish();
}

/// Which locks go to a daemon of this version that has agreed to these flags: POSIX, flock(2).
fn goes(minor: u32, flags: &[&str]) -> (bool, bool) {
    ktap::needs("CONFIG_FILE_LOCKING");
    let init = flags.iter().fold(none(), |init, flag| init.with(flag));
    let init = Init { minor, ..init };
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), files());
    let c = m.call("f", |p| -> (Res<()>, Res<()>) {
        let f = user::open(p, libc::O_RDWR, 0).expect("open");
        (setlk(&f, WRLCK, 0, 1), flock(&f, libc::LOCK_EX))
    });
    let r: (Res<()>, Res<()>) = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, (Ok(()), Ok(())));
    let asked = locks(&m);
    m.finish();
    let flock = asked.iter().map(|r| r.get("lk_flags")).collect::<Vec<_>>();
    (flock.contains(&0), flock.contains(&1))
}

/// A flag each.
fn minor_17_has_both() {
    for minor in [17, 23, 46] {
        assert_eq!(goes(minor, &[]), (false, false));
        assert_eq!(goes(minor, &["POSIX_LOCKS"]), (true, false));
        assert_eq!(goes(minor, &["FLOCK_LOCKS"]), (false, true));
        assert_eq!(goes(minor, &["POSIX_LOCKS", "FLOCK_LOCKS"]), (true, true));
    }
}

/// Before 7.17 flock(2) was what POSIX locks were.
fn minor_16_has_one_flag() {
    for minor in [16, 9, 8, 6] {
        assert_eq!(goes(minor, &[]), (false, false));
        assert_eq!(goes(minor, &["POSIX_LOCKS"]), (true, true));
        assert_eq!(goes(minor, &["FLOCK_LOCKS"]), (false, false));
    }
}

fn minor_5_has_none() {
    for minor in [5, 0] {
        assert_eq!(goes(minor, &["POSIX_LOCKS", "FLOCK_LOCKS"]), (false, false));
    }
}

/// Leases are this machine's: one is granted, found, in the way of others, and given back.
fn leases_are_local() {
    ktap::needs("CONFIG_FILE_LOCKING");
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Vec<Res<i64>> = m.run(&mut fs, |mnt| {
        let p = mnt.join("f");
        let lease = |f: &OwnedFd, cmd, kind: i32| {
            // SAFETY: integers.
            check(unsafe { libc::fcntl(f.as_raw_fd(), cmd, kind) })
        };
        let f = user::open(&p, libc::O_RDONLY, 0).expect("open");
        user::catch_signal(libc::SIGIO, true);
        let mut r = vec![
            lease(&f, libc::F_SETLEASE, RDLCK),
            lease(&f, libc::F_GETLEASE, 0),
        ];
        let busy = user::open(&p, libc::O_WRONLY | libc::O_NONBLOCK, 0);
        r.push(busy.map(|_| 0));
        r.push(lease(&f, libc::F_SETLEASE, UNLCK));
        r.push(lease(&f, libc::F_SETLEASE, WRLCK));
        r.push(lease(&f, libc::F_GETLEASE, 0));
        r.push(lease(&f, libc::F_SETLEASE, UNLCK));
        r
    });
    let (read, write) = (i64::from(RDLCK), i64::from(WRLCK));
    let want = [Ok(0), Ok(read), Err(EAGAIN), Ok(0), Ok(0), Ok(write), Ok(0)];
    assert_eq!(r, want);
    assert_eq!(locks(&m).len(), 0);
    m.finish();
}
