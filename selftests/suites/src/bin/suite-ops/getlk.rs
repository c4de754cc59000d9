// SPDX-License-Identifier: GPL-2.0

//! GETLK: the lock that is in the way, as the daemon tells it.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::lock::*;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Mock, Request};

use crate::lock::{files, range, scripted};
use crate::xattr::ERRORS;

pub fn cases() -> Vec<Case> {
    cases![
        getlk_finds_none,
        getlk_asks_for_no_process,
        getlk_finds_a_process,
        getlk_finds_no_process,
        getlk_ranges,
        getlk_bad_ranges,
        getlk_bad_kinds,
        getlk_without_lock_has_no_range,
        getlk_bad_lengths,
        getlk_errors,
    ]
}

/// F_GETLK of bytes 10 to 14, answered with this: what the caller gets, the request, and what the
/// daemon's write(2) gives.
fn asked(error: i32, payload: &[u8]) -> (Res<Lk>, Request, Res<usize>) {
    scripted(Op::GETLK, error, payload, |f| getlk(f, WRLCK, 10, 5))
}

fn getlk_finds_none() {
    let (r, r0, _) = asked(0, &lk_out(0, 0, 2, 0));
    assert_eq!(range(&r0), (10, 14));
    // The rest is as the caller has said it.
    assert_eq!(r, Ok((UNLCK, 10, 5, 0)));
}

fn getlk_asks_for_no_process() {
    let (_, r, _) = asked(0, &lk_out(0, 0, 2, 0));
    assert_eq!((r.get("lk_pid"), r.get("lk_flags")), (0, 0));
}

/// Whoever has the lock, as the daemon has been told.
fn getlk_finds_a_process() {
    let (mut m, mut fs) = (Mock::new(), files());
    type Got = (Res<Lk>, Res<Lk>, u32);
    let r: Got = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        setlk(&f, RDLCK, 0, 10).expect("lock");
        setlk(&f, WRLCK, 100, 0).expect("lock");
        let ask = || (getlk(&f, WRLCK, 5, 1), getlk(&f, RDLCK, 200, 1));
        let (a, b): (Res<Lk>, Res<Lk>) = Caller::spawn(None, |_| ask()).join();
        (a, b, std::process::id())
    });
    let pid = r.2 as i32;
    assert_eq!(r.0, Ok((RDLCK, 0, 10, pid)));
    assert_eq!(r.1, Ok((WRLCK, 100, 0, pid)));
    m.finish();
}

/// One that is gone, or never was, is 0: of another machine, say.
fn getlk_finds_no_process() {
    for pid in [0, 1 << 30, i32::MAX as u32, 1 << 31, u32::MAX] {
        let (r, ..) = asked(0, &lk_out(0, 0, 1, pid));
        assert_eq!(r, Ok((WRLCK, 0, 1, 0)), "{pid}");
    }
}

fn getlk_ranges() {
    for (start, end, got) in [
        (0, 0, (0, 1)),
        (0, LAST, (0, 0)),
        (12, 12, (12, 1)),
        (500, 999, (500, 500)),
        (LAST, LAST, (i64::MAX, 0)),
        (0, LAST - 1, (0, i64::MAX)),
    ] {
        for kind in [RDLCK, WRLCK] {
            let (r, ..) = asked(0, &lk_out(start, end, kind as u32, 0));
            assert_eq!(r, Ok((kind, got.0, got.1, 0)), "{start} {end}");
        }
    }
}

/// What no file has: EIO.
fn getlk_bad_ranges() {
    for (start, end) in [
        (1, 0),
        (LAST, 0),
        (0, LAST + 1),
        (LAST + 1, LAST + 1),
        (1 << 63, 0),
        (0, u64::MAX),
        (u64::MAX, u64::MAX),
    ] {
        for kind in [0, 1] {
            let (r, _, w) = asked(0, &lk_out(start, end, kind, 0));
            assert_eq!((r, w), (Err(EIO), Ok(40)), "{start} {end}");
        }
    }
}

fn getlk_bad_kinds() {
    for kind in [3, 4, 5, 255, 256, 257, 258, 1 << 16, 1 << 31, u32::MAX] {
        let (r, _, w) = asked(0, &lk_out(0, 0, kind, 0));
        assert_eq!((r, w), (Err(EIO), Ok(40)), "{kind}");
    }
}

fn getlk_without_lock_has_no_range() {
    for (start, end, pid) in [(9, 3, 7), (u64::MAX, 0, u32::MAX), (0, u64::MAX, 1)] {
        let (r, ..) = asked(0, &lk_out(start, end, 2, pid));
        assert_eq!(r, Ok((UNLCK, 10, 5, 0)));
    }
}

fn getlk_bad_lengths() {
    for n in [0, 1, 8, 16, 23, 25, 32, 48, 4096] {
        let (r, _, w) = asked(0, &vec![0; n]);
        assert_eq!((r, w), (Err(EIO), Err(EINVAL)), "{n}");
    }
    let (r, _, w) = asked(-EAGAIN.0, &lk_out(0, 0, 2, 0));
    assert_eq!((r, w), (Err(EIO), Err(EINVAL)));
}

fn getlk_errors() {
    for e in [ERRORS, &[EAGAIN, ENOLCK, ENOSYS, EDEADLK, ESTALE]].concat() {
        assert_eq!(asked(-e.0, &[]).0, Err(e));
    }
}
