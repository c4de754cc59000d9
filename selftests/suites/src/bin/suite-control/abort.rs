// SPDX-License-Identifier: GPL-2.0

//! The control filesystem: `abort`, and what it does to everybody.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::fusectl;
use suites::setting::set;

use crate::files::{of, stats};

pub fn cases() -> Vec<Case> {
    cases![
        abort_ends_all,
        abort_error,
        abort_error_of_sleeping_readers,
        abort_error_only_of_abort,
        abort_before_init,
        abort_takes_anything,
        abort_wakes_poll,
        abort_twice,
    ]
}

/// Queued, with the daemon, in the background: all end at once.
fn abort_ends_all() {
    let mut m = Mock::new();
    let callers = stats(&mut m, 4);
    let kept = [m.expect(Op::LOOKUP), m.expect(Op::LOOKUP)];
    fusectl::await_waiting(&m.mnt, 4);
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    for c in callers {
        assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    }
    assert_eq!(fusectl::waiting(&m.mnt), 0);
    let c = m.call("new", |p| user::lstat(p).map(drop));
    assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
    assert_eq!(m.read().err(), Some(ENODEV));
    let reply = mockd::reply::message(kept[0].unique, 0, &[]);
    assert_eq!(m.write(&reply), Err(ENOENT));
    // Which of the four came first is chance.
    m.without_record();
    m.umount();
}

fn abort_error() {
    let mut m = Mock::with(&Setup::default(), &Init::plain().with("ABORT_ERROR"));
    let c = m.call("x", |p| user::lstat(p).map(drop));
    m.expect(Op::LOOKUP);
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    assert_eq!(m.read().err(), Some(ECONNABORTED));
    assert_eq!(m.read().err(), Some(ECONNABORTED));
    // An unmount is not an abort, even after one.
    m.umount();
    assert_eq!(m.read().err(), Some(ENODEV));
}

/// Those who were asleep in their read get what a later one would.
fn abort_error_of_sleeping_readers() {
    for (init, want) in [
        (Init::plain().with("ABORT_ERROR"), ECONNABORTED),
        (Init::plain().without("ABORT_ERROR"), ENODEV),
    ] {
        let m = Mock::with(&Setup::default(), &init);
        let fd = m.dev().as_raw_fd();
        let readers: Vec<Caller> = (0..3)
            .map(|_| {
                Caller::spawn(None, |_| {
                    // SAFETY: the descriptor is inherited.
                    let dev = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
                    user::read(&dev, 1 << 20).map(drop)
                })
            })
            .collect();
        readers.iter().for_each(Caller::wait_asleep);
        assert_eq!(fusectl::abort(&m.mnt), Ok(()));
        for c in readers {
            assert_eq!(c.join::<Res<()>>(), Err(want));
        }
        m.umount();
    }
}

fn abort_error_only_of_abort() {
    let m = Mock::with(&Setup::default(), &Init::plain().with("ABORT_ERROR"));
    umount(&m.mnt, libc::MNT_FORCE).expect("umount");
    assert_eq!(m.read().err(), Some(ENODEV));
}

fn abort_before_init() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    let c = m.call("x", |p| user::lstat(p).map(drop));
    fusectl::await_waiting(&m.mnt, 2);
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
    let reply = mockd::reply::message(r.unique, 0, &Init::plain().bytes());
    assert_eq!(m.write(&reply), Err(ENOENT));
    assert_eq!(m.read().err(), Some(ENODEV));
    m.umount();
}

fn abort_takes_anything() {
    for text in ["", "0", "no\n", &"x".repeat(3000)] {
        let m = Mock::new();
        let f = user::open(&of(&m, "abort"), libc::O_WRONLY, 0).expect("open");
        assert_eq!(user::write(&f, text.as_bytes()), Ok(text.len()));
        assert_eq!(user::read(&f, 1).err(), Some(EBADF));
        assert_eq!(user::pwrite(&f, b"1", 0), Err(ESPIPE));
        assert_eq!(m.read().err(), Some(ENODEV));
        m.umount();
    }
    // Even memory that is not there.
    let m = Mock::new();
    let f = user::open(&of(&m, "abort"), libc::O_WRONLY, 0).expect("open");
    assert_eq!(mockd::mem::write_at(f.as_raw_fd(), 4096, 5), Ok(5));
    assert_eq!(m.read().err(), Some(ENODEV));
    m.umount();
}

fn abort_wakes_poll() {
    let m = Mock::new();
    let dir = fusectl::dir(&m.mnt);
    let c = Caller::spawn(None, |io| {
        io.wait();
        set(&dir.join("abort"), "1")
    });
    c.go();
    assert!(mockd::caller::readable(m.dev(), ktap::patience()));
    assert_eq!(m.read().err(), Some(ENODEV));
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    m.umount();
}

fn abort_twice() {
    let m = Mock::with(&Setup::default(), &Init::plain().with("ABORT_ERROR"));
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    assert_eq!(m.read().err(), Some(ECONNABORTED));
    m.umount();
}
