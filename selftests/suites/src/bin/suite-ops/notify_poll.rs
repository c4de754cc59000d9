// SPDX-License-Identifier: GPL-2.0

//! FUSE_NOTIFY_POLL: of which files, when, and how long. What it does for those who wait is in
//! `poll` and `epoll`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ktap::{cases, Case};
use libc::POLLIN;
use mockd::errno::*;
use mockd::mock::Answer;
use mockd::poll::{notify_poll, poll, poll_out};
use mockd::reply::{message, raw};
use mockd::wire::Op;
use mockd::{mount, user, Caller, Init, Mock, Request, Setup};

use crate::poll::{Scene, READY};

pub fn cases() -> Vec<Case> {
    cases![
        notify_poll_of_nobody,
        notify_poll_of_released,
        notify_poll_sizes,
        notify_poll_before_init,
        notify_poll_by_another_device,
        notify_poll_while_released,
    ]
}

/// No file, or one that nobody has polled: as if somebody had waited.
fn notify_poll_of_nobody() {
    let mut s = Scene::new();
    let c = s.caller(|_, io| io.wait());
    let r = s.m.serve_until(Op::OPEN, &mut s.fs);
    let opened = s.fs.handle(&r);
    assert_eq!(s.m.answer(&r, &opened), Ok(()));
    for kh in [0, 1, 2, 99, 1 << 63, u64::MAX] {
        assert_eq!(s.m.write(&notify_poll(kh)), Ok(24), "{kh}");
    }
    c.go();
    s.end::<()>(c);
    s.m.finish();
}

/// A file that is no more, and its number is no other's.
fn notify_poll_of_released() {
    let mut s = Scene::new();
    for kh in 1..4 {
        let c = s.caller(|f, _| poll(&f, POLLIN, -1));
        let r = s.asked();
        assert_eq!(r.get("kh"), kh);
        for old in 0..kh {
            assert_eq!(s.m.write(&notify_poll(old)), Ok(24));
        }
        s.tell(&r, READY);
        assert_eq!(s.end::<Res<i16>>(c), Ok(POLLIN));
        s.notify(&r);
    }
    s.m.finish();
}

/// Eight bytes, and nothing else.
fn notify_poll_sizes() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| poll(&f, POLLIN, -1));
    let r = s.asked();
    s.tell(&r, 0);
    for len in [0, 1, 4, 7, 9, 16, 24, 4096] {
        let mut b = r.get("kh").to_ne_bytes().to_vec();
        b.resize(len, 0);
        assert_eq!(s.m.write(&message(0, 1, &b)), Err(EINVAL), "{len}");
    }
    for len in [0, 16, 23, 25, u32::MAX] {
        let b = raw(len, 0, 1, &r.get("kh").to_ne_bytes());
        assert_eq!(s.m.write(&b), Err(EINVAL), "{len}");
    }
    // None of them was taken for one.
    s.m.expect_none();
    s.notify(&r);
    let r = s.asked();
    s.tell(&r, READY);
    assert_eq!(s.end::<Res<i16>>(c), Ok(POLLIN));
    s.m.finish();
}

fn notify_poll_before_init() {
    let mut m = Mock::uninit(&Setup::default());
    assert_eq!(m.write(&notify_poll(1)), Err(EINVAL));
    let r = m.expect(Op::INIT);
    assert_eq!(m.write(&notify_poll(1)), Err(EINVAL));
    m.reply(&r, &Init::plain().bytes());
    assert_eq!(m.write(&notify_poll(1)), Ok(24));
    m.umount();
    assert!(m.write(&notify_poll(1)).is_err());
}

/// By any of the daemon's threads on any of its devices, whichever has read the POLL.
fn notify_poll_by_another_device() {
    let mut s = Scene::new();
    let other = mount::open_dev(false).expect("open");
    mount::clone_dev(&other, &s.m.dev()).expect("clone");
    let c = s.caller(|f, _| poll(&f, POLLIN, -1));
    let mut r = s.asked();
    for _ in 0..2 {
        let b = notify_poll(r.get("kh"));
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(user::write(&other, &b), Ok(24)));
        });
        s.tell(&r, 0);
        r = s.asked();
    }
    s.tell(&r, READY);
    assert_eq!(s.end::<Res<i16>>(c), Ok(POLLIN));
    drop(other);
    s.m.finish();
}

/// Files come, are polled and go, while the daemon notifies all of them without end: nobody is
/// forgotten, and nothing is woken up that is no more.
fn notify_poll_while_released() {
    const CALLERS: usize = 3;
    const ROUNDS: usize = 100;
    let mut s = Scene::new();
    s.m.without_record();
    s.m.rec.stop();
    let mut callers: Vec<Caller> = (0..CALLERS)
        .map(|_| {
            s.m.caller(|mnt, _| -> Res<()> {
                for n in 0..ROUNDS {
                    let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
                    // Those that do not wait go in the middle of it.
                    let wait = if n % 3 == 0 { 0 } else { -1 };
                    poll(&f, POLLIN, wait)?;
                }
                Ok(())
            })
        })
        .collect();
    let (asked, last, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let fs = Mutex::new(s.fs);
    let state = Arc::new((fs, asked, last, over));
    let served = state.clone();
    let threads = s.m.threads(
        2,
        Arc::new(move |r: &Request| {
            let (fs, asked, last, _) = &*served;
            if r.op == Op::POLL {
                last.fetch_max(r.get("kh"), Ordering::Relaxed);
                // The first two times it has to wait for a notification.
                let ready = asked.fetch_add(1, Ordering::Relaxed) % 3 == 2;
                return Answer::Ok(poll_out(if ready { READY } else { 0 }));
            }
            fs.lock().expect("fs").handle(r)
        }),
    );
    std::thread::scope(|scope| {
        let (_, _, last, over) = &*state;
        let m = &s.m;
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let last = last.load(Ordering::Relaxed);
                for kh in 0..last + 2 {
                    assert_eq!(m.write(&notify_poll(kh)), Ok(24));
                }
            }
        });
        let results: Vec<Res<()>> = callers.drain(..).map(|c| c.join()).collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(results, [Ok(()); CALLERS]);
    });
    s.m.umount();
    for t in threads {
        t.join().expect("thread");
    }
}
