// SPDX-License-Identifier: GPL-2.0

//! flock(2): SETLK and SETLKW with FUSE_LK_FLOCK, and the RELEASE that gives it back.

use std::os::fd::OwnedFd;

use ktap::{cases, Case};
use libc::{LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN};
use mockd::errno::*;
use mockd::lock::*;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::{Op, FUSE_LK_FLOCK, FUSE_RELEASE_FLOCK_UNLOCK};
use mockd::{Caller, Init, Mock, Request, Setup};

use crate::lock::{files, locking, locks, none, on_file, scripted};
use crate::xattr::ERRORS;

pub fn cases() -> Vec<Case> {
    cases![
        flock_kinds,
        flock_waits_or_not,
        flock_tells_the_process,
        flock_needs_no_mode,
        flock_refused,
        flock_owner_is_the_file,
        flock_errors,
        flock_bad_lengths,
        flock_is_none_of_posix,
        flock_goes_by_release,
        flock_given_back_goes_by_release,
        flock_refused_does_not,
        flock_of_copies_goes_once,
        flock_where_open_is_unknown,
        flock_local_without_flag,
        flock_local_conflicts,
    ]
}

/// The whole file, to read, to write, or not at all.
fn flock_kinds() {
    let (r, asked) = on_file(&Init::plain(), |f| -> Res<()> {
        for operation in [LOCK_SH, LOCK_EX, LOCK_UN] {
            flock(&f, operation)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let kinds: Vec<_> = asked.iter().map(|r| r.get("type") as i32).collect();
    assert_eq!(kinds, [RDLCK, WRLCK, UNLCK]);
    for r in &asked {
        assert_eq!((r.get("start"), r.get("end")), (0, LAST));
        assert_eq!(r.get("lk_flags") as u32, FUSE_LK_FLOCK);
    }
}

fn flock_waits_or_not() {
    let (r, asked) = on_file(&Init::plain(), |f| -> Res<()> {
        for operation in [LOCK_SH, LOCK_EX, LOCK_UN] {
            flock(&f, operation)?;
            flock(&f, operation | LOCK_NB)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let ops: Vec<_> = asked.iter().map(|r| r.op).collect();
    let both = [Op::SETLKW, Op::SETLK];
    assert_eq!(ops, [both; 3].concat());
}

/// The one that takes it; none where it is given back.
fn flock_tells_the_process() {
    let (r, asked) = on_file(&Init::plain(), |f| -> Res<u32> {
        flock(&f, LOCK_EX)?;
        flock(&f, LOCK_UN)?;
        Ok(std::process::id())
    });
    let pids: Vec<_> = asked.iter().map(|r| r.get("lk_pid")).collect();
    assert_eq!(r.map(|pid| vec![pid.into(), 0]), Ok(pids));
}

/// Any open file can be locked in any way.
fn flock_needs_no_mode() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let locked = |(mode, operation)| {
            let f = user::open(&mnt.join("f"), mode, 0)?;
            flock(&f, operation)
        };
        let (to_read, to_write) = (libc::O_RDONLY, libc::O_WRONLY);
        [(to_read, LOCK_EX), (to_write, LOCK_SH)]
            .map(locked)
            .to_vec()
    });
    assert_eq!(r, [Ok(()); 2]);
    assert!(fs.locks.is_empty());
    m.finish();
}

/// What makes no sense is the VFS's to refuse.
fn flock_refused() {
    let (r, asked) = on_file(&Init::plain(), |f| {
        let bad = [0, LOCK_SH | LOCK_EX, LOCK_NB, 16, LOCK_EX | LOCK_UN];
        bad.map(|operation| flock(&f, operation)).to_vec()
    });
    assert_eq!(r, [Err(EINVAL); 5]);
    assert_eq!(asked.len(), 0);
}

/// Of all descriptors of an open file the same, of another one another.
fn flock_owner_is_the_file() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = || user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        let (a, b) = (open(), open());
        let copy = a.try_clone().expect("copy");
        let child: Res<()> = Caller::spawn(None, |_| flock(&a, LOCK_SH)).join();
        let set = |f: &OwnedFd| flock(f, LOCK_SH);
        vec![child, set(&a), set(&copy), set(&b), setlk(&a, RDLCK, 0, 1)]
    });
    assert_eq!(r, [Ok(()); 5]);
    let owners: Vec<_> = locks(&m).iter().map(|r| r.get("owner")).collect();
    assert_eq!(owners[..3], [owners[0]; 3]);
    assert_ne!(owners[0], owners[3]);
    assert_ne!(owners[0], owners[4]);
    m.without_record();
    m.finish();
}

fn flock_errors() {
    for e in [ERRORS, &[EAGAIN, ENOLCK, ENOSYS, EDEADLK, ESTALE]].concat() {
        let (r, ..) = scripted(Op::SETLK, -e.0, &[], |f| flock(f, LOCK_EX | LOCK_NB));
        assert_eq!(r, Err(locking(e)), "{e}");
        let (r, ..) = scripted(Op::SETLKW, -e.0, &[], |f| flock(f, LOCK_SH));
        assert_eq!(r, Err(locking(e)), "{e}");
    }
}

fn flock_bad_lengths() {
    for n in [1, 24, 4096] {
        let (r, _, w) = scripted(Op::SETLKW, 0, &vec![0; n], |f| flock(f, LOCK_EX));
        assert_eq!((r, w), (Err(EIO), Err(EINVAL)), "{n}");
    }
}

/// Each kind is in the way of its like only; POSIX locks go with the first close.
fn flock_is_none_of_posix() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = || user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        let (a, b) = (open(), open());
        let nb = |f: &OwnedFd| flock(f, LOCK_EX | LOCK_NB);
        let child = |f: &OwnedFd| Caller::spawn(None, |_| setlk(f, WRLCK, 0, 0)).join();
        let mut r = vec![nb(&a), setlk(&b, WRLCK, 0, 0), nb(&b), child(&a)];
        drop(open());
        r.extend([nb(&b), child(&a)]);
        r
    });
    let no = Err(EAGAIN);
    assert_eq!(r, [Ok(()), Ok(()), no, no, no, Ok(())]);
    m.without_record();
    m.finish();
}

/// Flags of RELEASE and its owner, each time that it was sent.
fn released(m: &Mock) -> Vec<(u32, u64)> {
    let all = m.rec.all();
    let some = all.iter().filter(|r| r.op == Op::RELEASE);
    some.map(|r| (r.get("release_flags") as u32, r.get("lock_owner")))
        .collect()
}

/// A caller that locks "f" as it is said, and closes it: what it got, and what was sent.
fn closed(call: impl FnOnce(&OwnedFd) -> Res<()>) -> (Res<()>, Vec<Request>, Vec<(u32, u64)>) {
    let (mut m, mut fs) = (Mock::new(), files());
    let r = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        let r = call(&f);
        user::close(f)?;
        r
    });
    suites::daemon::until("RELEASE", || {
        m.drain(&mut |r| fs.handle(r));
        (m.rec.count(Op::RELEASE) == 1).then_some(())
    });
    assert!(fs.locks.is_empty(), "{:?}", fs.locks);
    let (asked, released) = (locks(&m), released(&m));
    m.finish();
    (r, asked, released)
}

/// Nothing else is sent for it.
fn flock_goes_by_release() {
    for operation in [LOCK_SH, LOCK_EX, LOCK_EX | LOCK_NB] {
        let (r, asked, released) = closed(|f| flock(f, operation));
        assert_eq!((r, asked.len()), (Ok(()), 1));
        let owner = asked[0].get("owner");
        assert_eq!(released, [(FUSE_RELEASE_FLOCK_UNLOCK, owner)]);
    }
}

/// Whether it still has one is not remembered.
fn flock_given_back_goes_by_release() {
    for unlock in [LOCK_UN, LOCK_UN | LOCK_NB] {
        let (r, asked, released) = closed(|f| flock(f, LOCK_EX).and_then(|()| flock(f, unlock)));
        assert_eq!((r, asked.len()), (Ok(()), 2));
        assert_eq!(released[0].0, FUSE_RELEASE_FLOCK_UNLOCK);
        let (r, asked, released) = closed(|f| flock(f, unlock));
        assert_eq!(r, Ok(()));
        let owner = asked[0].get("owner");
        assert_eq!(released, [(FUSE_RELEASE_FLOCK_UNLOCK, owner)]);
    }
}

/// One that the daemon has refused, or that was a POSIX lock.
fn flock_refused_does_not() {
    let (mut m, mut fs) = (Mock::new(), files());
    fs.on(Op::SETLKW, Answer::Err(EAGAIN));
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        (flock(&f, LOCK_EX), setlk(&f, WRLCK, 0, 1))
    });
    assert_eq!(r, (Err(EAGAIN), Ok(())));
    suites::daemon::until("RELEASE", || {
        m.drain(&mut |r| fs.handle(r));
        (m.rec.count(Op::RELEASE) == 1).then_some(())
    });
    assert_eq!(released(&m), [(0, 0)]);
    m.finish();
}

/// With the last descriptor, wherever that is.
fn flock_of_copies_goes_once() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = || user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        let (a, b) = (open(), open());
        let first = flock(&a, LOCK_EX);
        let nb = || flock(&b, LOCK_EX | LOCK_NB);
        let mut child = Caller::spawn(None, |io| {
            io.put(());
            io.wait();
        });
        child.get::<()>();
        user::close(a).expect("close");
        // The child has it yet.
        let second = nb();
        child.go();
        child.join::<()>();
        vec![first, second]
    });
    assert_eq!(r, [Ok(()), Err(EAGAIN)]);
    suites::daemon::until("RELEASE", || {
        m.drain(&mut |r| fs.handle(r));
        (m.rec.count(Op::RELEASE) == 2).then_some(())
    });
    assert!(fs.locks.is_empty());
    let with_flag = |(flags, _): &&(u32, u64)| *flags == FUSE_RELEASE_FLOCK_UNLOCK;
    assert_eq!(released(&m).iter().filter(with_flag).count(), 1);
    m.without_record();
    m.finish();
}

/// There is no RELEASE then, and so none of the lock.
fn flock_where_open_is_unknown() {
    let init = Init::plain().with("NO_OPEN_SUPPORT");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), files());
    fs.on(Op::OPEN, Answer::Err(ENOSYS));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        flock(&f, LOCK_EX)?;
        user::close(f)
    });
    assert_eq!(r, Ok(()));
    assert_eq!((locks(&m).len(), m.rec.count(Op::RELEASE)), (1, 0));
    m.finish();
}

fn flock_local_without_flag() {
    ktap::needs("CONFIG_FILE_LOCKING");
    let init = Init::plain().without("FLOCK_LOCKS");
    let (r, asked) = on_file(&init, |f| -> Res<()> {
        flock(&f, LOCK_EX)?;
        flock(&f, LOCK_SH | LOCK_NB)?;
        flock(&f, LOCK_UN)?;
        setlk(&f, WRLCK, 0, 1)
    });
    assert_eq!(r, Ok(()));
    let flags: Vec<_> = asked.iter().map(|r| r.get("lk_flags")).collect();
    assert_eq!(flags, [0], "the POSIX lock");
}

/// Between open files, until the last descriptor is closed; RELEASE says nothing of it.
fn flock_local_conflicts() {
    ktap::needs("CONFIG_FILE_LOCKING");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &none()), files());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = || user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        let (a, b) = (open(), open());
        let nb = || flock(&b, LOCK_SH | LOCK_NB);
        let mut r = vec![flock(&a, LOCK_EX), nb()];
        user::close(a).expect("close");
        r.push(nb());
        r
    });
    assert_eq!(r, [Ok(()), Err(EAGAIN), Ok(())]);
    suites::daemon::until("RELEASE", || {
        m.drain(&mut |r| fs.handle(r));
        (m.rec.count(Op::RELEASE) == 2).then_some(())
    });
    assert_eq!(released(&m), [(0, 0); 2]);
    m.finish();
}
