// SPDX-License-Identifier: GPL-2.0

//! POLL for those who wait in other ways than poll(2): epoll(7), io_uring(7), libaio.

use std::os::fd::AsRawFd;

use ktap::{cases, Case, Impl};
use libc::{EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT};
use libc::{EPOLLRDNORM, POLLIN};
use mockd::errno::*;
use mockd::poll::{notify_poll, poll, Epoll};
use mockd::ring::Ring;
use mockd::user;
use mockd::wire::{Op, FOPEN_NOFLUSH};
use suites::fusectl;
use suites::settle::settle;

use crate::poll::{Scene, ALWAYS, NOTIFY, READY};

pub fn cases() -> Vec<Case> {
    cases![
        epoll_level,
        epoll_edge,
        epoll_oneshot,
        epoll_events,
        epoll_modified_and_removed,
        epoll_notified_while_added,
        epoll_in_epoll,
        epoll_of_two,
        epoll_exclusive,
        epoll_of_closed_file,
        epoll_of_unknown,
        epoll_of_directory,
        epoll_fails,
        epoll_interrupted,
        epoll_lets_go_when_killed,
        epoll_ends_with_abort,
        uring_poll,
        aio_poll,
    ]
}

const IN: u64 = EPOLLIN as u64 | ALWAYS;

/// What epoll_wait(2) gives.
type Events = Res<Vec<u32>>;

fn only(events: i32) -> Events {
    Ok(vec![events as u32])
}

/// Each look at what is ready asks the daemon.
fn epoll_level() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| -> Res<Vec<Events>> {
        let e = Epoll::new();
        e.add(&f, EPOLLIN)?;
        Ok(vec![e.wait(-1), e.wait(-1), e.wait(0), e.wait(0)])
    });
    let added = s.asked();
    assert_eq!((added.get("flags"), added.get("events")), (NOTIFY, IN));
    s.tell(&added, 0);
    s.notify(&added);
    for revents in [READY, READY, 0] {
        let r = s.asked();
        assert_eq!((r.get("flags"), r.get("events")), (NOTIFY, IN));
        s.tell(&r, revents);
    }
    let told = vec![only(EPOLLIN), only(EPOLLIN), Ok(vec![]), Ok(vec![])];
    assert_eq!(s.end::<Res<Vec<Events>>>(c), Ok(told));
    s.m.finish();
}

/// One event for each notification.
fn epoll_edge() {
    let mut s = Scene::new();
    let mut c = s.caller(|f, io| -> Res<()> {
        let e = Epoll::new();
        e.add(&f, EPOLLIN | EPOLLET)?;
        for _ in 0..3 {
            io.put(e.wait(-1));
            io.put(e.wait(0));
        }
        Ok(())
    });
    let added = s.asked();
    assert_eq!(added.get("events"), IN);
    s.tell(&added, 0);
    for _ in 0..3 {
        s.notify(&added);
        let r = s.asked();
        s.tell(&r, READY);
        assert_eq!(c.get::<Events>(), only(EPOLLIN));
        assert_eq!(c.get::<Events>(), Ok(vec![]));
    }
    assert_eq!(s.end::<Res<()>>(c), Ok(()));
    s.m.finish();
}

/// One event; then the daemon is not asked before there is a change.
fn epoll_oneshot() {
    let mut s = Scene::new();
    let mut c = s.caller(|f, io| -> Res<()> {
        let e = Epoll::new();
        e.add(&f, EPOLLIN | EPOLLONESHOT)?;
        io.put(e.wait(-1));
        io.wait();
        io.put(e.wait(0));
        e.modify(&f, EPOLLIN | EPOLLONESHOT)?;
        io.put(e.wait(-1));
        Ok(())
    });
    let added = s.asked();
    s.tell(&added, 0);
    s.notify(&added);
    let r = s.asked();
    s.tell(&r, READY);
    assert_eq!(c.get::<Events>(), only(EPOLLIN));
    s.notify(&added);
    c.go();
    assert_eq!(c.get::<Events>(), Ok(vec![]));
    for _ in 0..2 {
        let r = s.asked();
        assert_eq!((r.get("flags"), r.get("events")), (NOTIFY, IN));
        s.tell(&r, READY);
    }
    assert_eq!(c.get::<Events>(), only(EPOLLIN));
    assert_eq!(s.end::<Res<()>>(c), Ok(()));
    s.m.finish();
}

/// Of two who want to be woken up alone, one is for each notification; the other one when the first
/// waits no more.
fn epoll_exclusive() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| -> Res<Vec<Events>> {
        let both = [0; 2].map(|_| Epoll::new());
        for e in &both {
            e.add(&f, EPOLLIN | EPOLLEXCLUSIVE)?;
        }
        Ok(std::thread::scope(|scope| {
            let waits = both.each_ref().map(|e| scope.spawn(|| e.wait(-1)));
            waits.map(|t| t.join().expect("a thread")).into()
        }))
    });
    let added = [0; 2].map(|_| {
        let r = s.asked();
        assert_eq!((r.get("flags"), r.get("events")), (NOTIFY, IN));
        s.tell(&r, 0);
        r
    });
    for _ in 0..2 {
        settle(&[c.pid]);
        s.notify(&added[0]);
        let r = s.asked();
        // Whoever is woken up asks.
        settle(&[c.pid]);
        assert!(!s.m.pending(), "both were woken up");
        s.tell(&r, READY);
    }
    let each = Ok(vec![only(EPOLLIN), only(EPOLLIN)]);
    assert_eq!(s.end::<Res<Vec<Events>>>(c), each);
    s.m.finish();
}

/// What is epoll's own does not reach the daemon; what the daemon says beyond what was asked for
/// does not reach the caller.
fn epoll_events() {
    let mut s = Scene::new();
    for (says, told) in [
        (READY, EPOLLIN | EPOLLRDNORM),
        (u32::MAX, EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP),
        ((1 << 31) | READY, EPOLLIN | EPOLLRDNORM),
    ] {
        let r: Res<Events> = s.run(says, |f| {
            let e = Epoll::new();
            let own = libc::EPOLLWAKEUP | EPOLLET | EPOLLONESHOT;
            e.add(f, EPOLLIN | EPOLLRDNORM | own)?;
            Ok(e.wait(-1))
        });
        assert_eq!(r, Ok(only(told)));
    }
    assert_eq!(s.polls(), [(NOTIFY, IN | EPOLLRDNORM as u64); 6]);
    s.m.finish();
}

fn epoll_modified_and_removed() {
    let mut s = Scene::new();
    let r: Res<i16> = s.run(0, |f| {
        let e = Epoll::new();
        e.add(f, EPOLLIN)?;
        assert_eq!(e.add(f, EPOLLIN), Err(EEXIST));
        e.modify(f, EPOLLOUT)?;
        // Not alone while it is in there.
        poll(f, POLLIN, 0)?;
        e.del(f)?;
        assert_eq!(e.del(f), Err(ENOENT));
        poll(f, POLLIN, 0)
    });
    assert_eq!(r, Ok(0));
    let out = EPOLLOUT as u64 | ALWAYS;
    assert_eq!(
        s.polls(),
        [(NOTIFY, IN), (NOTIFY, out), (NOTIFY, IN), (0, IN)]
    );
    s.m.finish();
}

/// The answer to the POLL of EPOLL_CTL_ADD may be older than the notification.
fn epoll_notified_while_added() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| -> Res<Events> {
        let e = Epoll::new();
        e.add(&f, EPOLLIN)?;
        Ok(e.wait(-1))
    });
    let added = s.asked();
    s.notify(&added);
    s.tell(&added, 0);
    let r = s.asked();
    s.tell(&r, READY);
    assert_eq!(s.end::<Res<Events>>(c), Ok(only(EPOLLIN)));
    s.m.finish();
}

/// The outer one looks into the inner one, and that at the file.
fn epoll_in_epoll() {
    let mut s = Scene::new();
    let mut c = s.caller(|f, io| -> Res<()> {
        let (inner, outer) = (Epoll::new(), Epoll::new());
        inner.add(&f, EPOLLIN)?;
        outer.add(&inner, EPOLLIN)?;
        io.put(());
        io.put(outer.wait(-1));
        io.put(inner.wait(-1));
        io.put(outer.wait(0));
        Ok(())
    });
    let added = s.asked();
    s.tell(&added, 0);
    c.get::<()>();
    s.notify(&added);
    let r = s.asked();
    s.tell(&r, READY);
    assert_eq!(c.get::<Events>(), only(EPOLLIN));
    let r = s.asked();
    s.tell(&r, READY);
    assert_eq!(c.get::<Events>(), only(EPOLLIN));
    let r = s.asked();
    s.tell(&r, 0);
    assert_eq!(c.get::<Events>(), Ok(vec![]));
    assert_eq!(s.end::<Res<()>>(c), Ok(()));
    s.m.finish();
}

/// One notification for both.
fn epoll_of_two() {
    let mut s = Scene::new();
    let mut c = s.caller(|f, io| -> Res<()> {
        let all = [Epoll::new(), Epoll::new()];
        for e in &all {
            e.add(&f, EPOLLIN)?;
        }
        io.wait();
        for e in &all {
            io.put(e.wait(-1));
        }
        Ok(())
    });
    let first = s.asked();
    s.tell(&first, 0);
    let second = s.asked();
    assert_eq!(second.get("kh"), first.get("kh"));
    s.tell(&second, 0);
    s.notify(&first);
    c.go();
    for _ in 0..2 {
        let r = s.asked();
        s.tell(&r, READY);
        assert_eq!(c.get::<Events>(), only(EPOLLIN));
    }
    assert_eq!(s.end::<Res<()>>(c), Ok(()));
    s.m.finish();
}

/// An epoll does not keep a file: it is released, and a notification that comes late is nobody's.
fn epoll_of_closed_file() {
    let mut s = Scene::new();
    let mut c = s.caller(|f, io| -> Events {
        let e = Epoll::new();
        e.add(&f, EPOLLIN)?;
        user::close(f)?;
        io.put(());
        io.wait();
        e.wait(20)
    });
    let added = s.asked();
    s.tell(&added, 0);
    let flush = s.m.expect(mockd::Op::FLUSH);
    s.notify(&added);
    s.m.reply(&flush, &[]);
    c.get::<()>();
    s.notify(&added);
    let release = s.m.expect(mockd::Op::RELEASE);
    s.m.reply(&release, &[]);
    s.notify(&added);
    c.go();
    assert_eq!(s.end::<Events>(c), Ok(vec![]));
    s.m.finish();
}

/// A daemon without POLL: always ready, which epoll takes.
fn epoll_of_unknown() {
    let mut s = Scene::new();
    let (fs, m) = (&mut s.fs, &mut s.m);
    let r: Res<Vec<Events>> = m.run(fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        let e = Epoll::new();
        e.add(&f, EPOLLIN | EPOLLOUT)?;
        Ok(vec![e.wait(-1), e.wait(-1)])
    });
    let both = only(EPOLLIN | EPOLLOUT);
    assert_eq!(r, Ok(vec![both.clone(), both]));
    assert_eq!(s.polls().len(), 1);
    s.m.finish();
}

fn epoll_of_directory() {
    let mut s = Scene::new();
    let (fs, m) = (&mut s.fs, &mut s.m);
    let r: Res<()> = m.run(fs, |mnt| {
        let d = user::open(mnt, libc::O_RDONLY, 0)?;
        Epoll::new().add(&d, EPOLLIN)
    });
    assert_eq!(r, Err(EPERM));
    s.m.finish();
}

/// An error is an event.
fn epoll_fails() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| -> Res<Events> {
        let e = Epoll::new();
        e.add(&f, EPOLLIN)?;
        Ok(e.wait(-1))
    });
    for e in [EIO, EAGAIN] {
        let r = s.asked();
        s.m.fail(&r, e);
    }
    assert_eq!(s.end::<Res<Events>>(c), Ok(only(EPOLLERR)));
    s.m.finish();
}

/// With the POLL of EPOLL_CTL_ADD: the daemon decides.
fn epoll_interrupted() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| -> Res<Events> {
        user::catch_signal(libc::SIGUSR1, true);
        let e = Epoll::new();
        e.add(&f, EPOLLIN)?;
        Ok(e.wait(-1))
    });
    let added = s.asked();
    c.kill(libc::SIGUSR1);
    let i = s.m.expect(mockd::Op::INTERRUPT);
    assert_eq!(i.get("unique"), added.unique);
    s.m.fail(&added, EINTR);
    let r = s.asked();
    s.tell(&r, READY);
    assert_eq!(s.end::<Res<Events>>(c), Ok(only(EPOLLIN)));
    s.m.finish();
}

/// Whoever is killed in EPOLL_CTL_ADD holds the epoll no longer, and what has been added stays: the
/// next one asks for itself.
fn epoll_lets_go_when_killed() {
    if ktap::implementation() == Impl::C {
        ktap::skip("C's caller holds the epoll's mutex until the daemon answers");
    }
    let mut s = Scene::new();
    s.m.without_record();
    s.fs.open_flags = FOPEN_NOFLUSH;
    let mut c = s.caller(|f, io| -> Events {
        let e = Epoll::new();
        // SAFETY: this process has one thread.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let _ = e.add(&f, EPOLLIN);
            // SAFETY: no precondition.
            unsafe { libc::_exit(0) };
        }
        io.put(child);
        // SAFETY: the status is not asked for.
        check(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) })?;
        e.wait(-1)
    });
    let left = s.asked();
    // SAFETY: its parent has not waited for it.
    check(unsafe { libc::kill(c.get(), libc::SIGKILL) }).expect("kill");
    let r = s.asked();
    assert_eq!((r.get("kh"), r.get("flags")), (left.get("kh"), NOTIFY));
    s.tell(&r, READY);
    // Nobody's any more.
    s.tell(&left, READY);
    assert_eq!(s.end::<Events>(c), only(EPOLLIN));
    let fs = &mut s.fs;
    s.m.drain(&mut |r| {
        assert_eq!(r.op, Op::RELEASE, "{r:?}");
        fs.handle(r)
    });
    suites::daemon::umount_soon(&s.m.mnt);
    assert_eq!(s.m.read().err(), Some(ENODEV));
}

/// All that wait learn of it.
fn epoll_ends_with_abort() {
    let mut s = Scene::new();
    let c = s.caller(|f, _| -> Res<Vec<Events>> {
        let (inner, outer) = (Epoll::new(), Epoll::new());
        inner.add(&f, EPOLLIN)?;
        outer.add(&inner, EPOLLIN)?;
        Ok(vec![outer.wait(-1), inner.wait(-1)])
    });
    let added = s.asked();
    s.tell(&added, 0);
    assert_eq!(fusectl::abort(&s.m.mnt), Ok(()));
    let told = vec![only(EPOLLIN), only(EPOLLERR)];
    assert_eq!(c.join::<Res<Vec<Events>>>(), Ok(told));
    assert!(s.m.write(&notify_poll(1)).is_err());
}

/// io_uring asks the daemon in the call that starts the wait, and again when it was notified.
fn uring_poll() {
    ktap::needs("CONFIG_IO_URING");
    let mut s = Scene::new();
    let c = s.caller(|f, _| -> Vec<Res<usize>> {
        let ring = Ring::new();
        (0..2)
            .map(|_| {
                ring.poll(&f, POLLIN as u32);
                ring.end()
            })
            .collect()
    });
    // There already.
    let r = s.asked();
    assert_eq!(r.get("flags"), NOTIFY);
    s.tell(&r, READY);
    // Later.
    let r = s.asked();
    s.tell(&r, 0);
    s.notify(&r);
    let r = s.asked();
    s.tell(&r, READY);
    assert_eq!(s.end::<Vec<Res<usize>>>(c), [Ok(POLLIN as usize); 2]);
    s.m.finish();
}

/// libaio asks in a work item when it was notified: a kernel thread is the caller.
fn aio_poll() {
    ktap::needs("CONFIG_AIO");
    let mut s = Scene::new();
    let c = s.caller(|f, _| aio(&f, POLLIN));
    let r = s.asked();
    assert_eq!(r.get("flags"), NOTIFY);
    s.tell(&r, 0);
    s.notify(&r);
    let r = s.asked();
    s.tell(&r, READY);
    assert_eq!(s.end::<Res<i64>>(c), Ok(POLLIN.into()));
    s.m.finish();
}

/// Waits for events by IOCB_CMD_POLL.
fn aio(f: &impl AsRawFd, events: i16) -> Res<i64> {
    // struct iocb of linux/aio_abi.h, of which the rest is 0.
    #[repr(C)]
    #[derive(Default)]
    struct Iocb {
        data: u64,
        key: u32,
        rw_flags: u32,
        opcode: u16,
        prio: i16,
        fd: u32,
        buf: u64,
        rest: [u64; 4],
    }
    const IOCB_CMD_POLL: u16 = 5;
    let mut iocb = Iocb {
        opcode: IOCB_CMD_POLL,
        fd: f.as_raw_fd() as u32,
        buf: events as u64,
        ..Iocb::default()
    };
    let (mut context, mut list) = (0u64, [&raw mut iocb]);
    // data, obj, res, res2 of struct io_event.
    let mut event = [0i64; 4];
    // SAFETY: the structures are the kernel's, and stay until the event has come.
    unsafe {
        check(libc::syscall(libc::SYS_io_setup, 1, &mut context))?;
        check(libc::syscall(
            libc::SYS_io_submit,
            context,
            1,
            list.as_mut_ptr(),
        ))?;
        let none = std::ptr::null::<libc::timespec>();
        let got = libc::syscall(libc::SYS_io_getevents, context, 1, 1, &mut event, none);
        assert_eq!(check(got)?, 1);
        check(libc::syscall(libc::SYS_io_destroy, context))?;
    }
    Ok(event[2])
}
