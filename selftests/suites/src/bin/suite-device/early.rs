// SPDX-License-Identifier: GPL-2.0

//! What does not want to wait, on a device with SYNC_INIT before its mount: poll(2), epoll and
//! nonblocking reads. C waits for the mount there too; ours says that there is nothing yet. Who
//! waits for something to be read is woken up by the mount, on both.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mount::{clone_dev, open_dev, umount};
use mockd::pipe::Pipe;
use mockd::reply::message;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Request};

use crate::clones::ioctl;
use crate::sync_init::{dir, mounter, sync_dev, waiter, BUF, SYNC_INIT};

pub fn cases() -> Vec<Case> {
    cases![
        early_poll_without_timeout,
        early_poll_wakes,
        early_epoll_wakes,
        early_epoll_edge_wakes,
        early_epoll_of_clone_wakes,
        early_epoll_and_close,
        early_nonblocking_read,
        early_nonblocking_splice,
        poll_without_sync_init,
    ]
}

fn is_ours() -> bool {
    ktap::implementation() == Impl::Rust
}

/// The events of poll(2).
fn poll(fd: &impl AsRawFd, events: i16, timeout: i32) -> i16 {
    let mut p = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one valid entry.
    unsafe { libc::poll(&mut p, 1, timeout) };
    p.revents
}

/// An epoll that has the device.
fn epoll_with(fd: &impl AsRawFd, events: i32) -> Res<OwnedFd> {
    // SAFETY: the descriptor is new; the event is valid.
    unsafe {
        let ep = OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))? as i32);
        let mut event = libc::epoll_event {
            events: events as u32,
            u64: 0,
        };
        let op = libc::EPOLL_CTL_ADD;
        check(libc::epoll_ctl(
            ep.as_raw_fd(),
            op,
            fd.as_raw_fd(),
            &mut event,
        ))?;
        Ok(ep)
    }
}

/// The events of the one that epoll has; none after the timeout.
fn epoll_wait(ep: &OwnedFd, timeout: i32) -> u32 {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for one event.
    unsafe { libc::epoll_wait(ep.as_raw_fd(), &mut event, 1, timeout) };
    event.events
}

/// How a daemon learns that there is something to read.
#[derive(Clone, Copy)]
enum Way {
    Poll,
    Epoll(i32),
}

/// Reads a request, and says that there is no such thing. INIT is accepted.
fn serve(fd: BorrowedFd<'_>) -> Res<Op> {
    let r = Request::parse(&user::read(&fd, BUF)?).expect("request");
    let answer = match r.op {
        Op::INIT => message(r.unique, 0, &Init::plain().bytes()),
        _ => message(r.unique, -libc::ENOENT, &[]),
    };
    user::write(&fd, &answer)?;
    Ok(r.op)
}

/// A daemon that reads only when there is something, so many times.
fn daemon(dev: &OwnedFd, way: Way, times: usize) -> Caller {
    waiter(dev, move |fd| {
        let ep = match way {
            Way::Poll => None,
            Way::Epoll(events) => Some(epoll_with(&fd, events)?),
        };
        let mut served = 0u64;
        for _ in 0..times {
            let events = match &ep {
                None => poll(&fd, libc::POLLIN, -1) as u32,
                Some(ep) => epoll_wait(ep, -1),
            };
            assert_eq!(events & libc::POLLERR as u32, 0);
            assert_ne!(events & libc::POLLIN as u32, 0);
            serve(fd)?;
            served += 1;
        }
        Res::Ok(served)
    })
}

fn wakes(way: Way) {
    let (dev, mnt) = (sync_dev(), dir());
    let d = daemon(&dev, way, 3);
    let c = mounter(&dev, &mnt);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    for name in ["x", "y"] {
        // It waits again.
        d.wait_asleep();
        let p = mnt.join(name);
        let c = Caller::spawn(Some(dev.as_fd()), move |_| user::lstat(&p).map(drop));
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    assert_eq!(d.join::<Res<u64>>(), Ok(3));
    umount(&mnt, 0).expect("umount");
}

fn early_poll_wakes() {
    wakes(Way::Poll);
}

/// Of epoll the device is asked for a queue once, before the mount.
fn early_epoll_wakes() {
    wakes(Way::Epoll(libc::EPOLLIN));
}

fn early_epoll_edge_wakes() {
    wakes(Way::Epoll(libc::EPOLLIN | libc::EPOLLET));
}

/// The device comes to serve a connection by being cloned into.
fn early_epoll_of_clone_wakes() {
    let m = Mock::new();
    let dev = sync_dev();
    let d = daemon(&dev, Way::Epoll(libc::EPOLLIN), 2);
    clone_dev(&dev, &m.dev()).expect("clone");
    for name in ["x", "y"] {
        d.wait_asleep();
        let p = m.path(name);
        let c = Caller::spawn(Some(dev.as_fd()), move |_| user::lstat(&p).map(drop));
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    assert_eq!(d.join::<Res<u64>>(), Ok(2));
    m.finish();
}

fn early_poll_without_timeout() {
    let both = libc::POLLIN | libc::POLLOUT;
    let dev = sync_dev();
    if is_ours() {
        assert_eq!(poll(&dev, both, 0), 0);
        let ep = epoll_with(&dev, libc::EPOLLIN | libc::EPOLLOUT).expect("epoll");
        assert_eq!(epoll_wait(&ep, 0), 0);
        return;
    }
    // A signal leaves it with an error.
    let c = waiter(&dev, |fd| i32::from(poll(&fd, both, 0)));
    c.kill(libc::SIGUSR1);
    assert_eq!(c.join::<i32>(), i32::from(libc::POLLERR));
}

/// Whoever has polled before goes with the file, before the mount and after it.
fn early_epoll_and_close() {
    if !is_ours() {
        ktap::skip("C waits for the mount in epoll_ctl(2)");
    }
    for _ in 0..20 {
        let dev = sync_dev();
        let ep = epoll_with(&dev, libc::EPOLLIN).expect("epoll");
        drop(dev);
        assert_eq!(epoll_wait(&ep, 0), 0);
    }
    for umount_first in [true, false] {
        for _ in 0..20 {
            let (dev, mnt) = (sync_dev(), dir());
            let ep = epoll_with(&dev, libc::EPOLLIN).expect("epoll");
            let c = mounter(&dev, &mnt);
            assert_ne!(epoll_wait(&ep, -1) & libc::EPOLLIN as u32, 0);
            assert_eq!(serve(dev.as_fd()), Ok(Op::INIT));
            assert_eq!(c.join::<Res<()>>(), Ok(()));
            if umount_first {
                umount(&mnt, 0).expect("umount");
                assert_ne!(epoll_wait(&ep, -1) & libc::EPOLLERR as u32, 0);
                drop(dev);
            } else {
                drop(dev);
                assert_eq!(epoll_wait(&ep, 0), 0);
                umount(&mnt, 0).expect("umount");
            }
        }
    }
}

fn nonblocking_sync_dev() -> OwnedFd {
    let dev = open_dev(true).expect("dev");
    assert_eq!(ioctl(&dev, SYNC_INIT, 0), Ok(0));
    dev
}

/// There is nothing yet; C waits all the same, until a signal.
fn not_yet(f: impl Fn(BorrowedFd<'_>) -> Res<usize>) {
    let (dev, mnt) = (nonblocking_sync_dev(), dir());
    if !is_ours() {
        let c = waiter(&dev, &f);
        c.kill(libc::SIGUSR1);
        assert_eq!(c.join::<Res<usize>>(), Err(EINTR));
        return;
    }
    assert_eq!(f(dev.as_fd()), Err(EAGAIN));
    let c = mounter(&dev, &mnt);
    assert_eq!(poll(&dev, libc::POLLIN, -1), libc::POLLIN);
    assert_eq!(serve(dev.as_fd()), Ok(Op::INIT));
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert_eq!(f(dev.as_fd()), Err(EAGAIN));
    umount(&mnt, 0).expect("umount");
}

fn early_nonblocking_read() {
    not_yet(|fd| user::read(&fd, BUF).map(|b| b.len()));
}

fn early_nonblocking_splice() {
    not_yet(|fd| Pipe::new(256).splice_from(&fd, None, 256 * 4096, 0));
}

/// Without SYNC_INIT it is an error, at once.
fn poll_without_sync_init() {
    let (dev, mnt) = (open_dev(false).expect("dev"), dir());
    assert_eq!(poll(&dev, libc::POLLIN, -1), libc::POLLERR);
    let c = mounter(&dev, &mnt);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert_eq!(poll(&dev, libc::POLLIN, -1), libc::POLLIN);
    assert_eq!(serve(dev.as_fd()), Ok(Op::INIT));
    umount(&mnt, 0).expect("umount");
}
