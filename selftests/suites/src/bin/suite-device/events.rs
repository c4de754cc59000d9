// SPDX-License-Identifier: GPL-2.0

//! poll(2), select(2), epoll(7) and SIGIO of the device.

use std::os::fd::{AsRawFd, BorrowedFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{open_dev, umount};
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Mock};

pub fn cases() -> Vec<Case> {
    cases![
        poll_until_read,
        poll_interrupt_and_forget,
        select_serves,
        epoll_level_and_abort,
        epoll_oneshot_each,
        sigio_before_mount,
        sigio_request,
        sigio_interrupt,
        sigio_forget,
        sigio_background,
        sigio_abort,
        sigio_off,
        sigio_closed,
        sigio_siginfo,
    ]
}

const OUT: i16 = libc::POLLOUT;
const IN: i16 = libc::POLLIN;

fn events(fd: BorrowedFd<'_>) -> i16 {
    let mut p = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: IN | OUT | libc::POLLRDNORM | libc::POLLWRNORM,
        revents: 0,
    };
    // SAFETY: one valid entry.
    unsafe { libc::poll(&mut p, 1, 0) };
    p.revents
}

const ALL_OUT: i16 = OUT | libc::POLLWRNORM;
const ALL_IN: i16 = IN | libc::POLLRDNORM;

fn look(m: &mut Mock, name: &str) -> Caller {
    m.call(name, |p| user::lstat(p).map(drop))
}

/// Readable as long as there is a request; writable always; nothing but an error at the end.
fn poll_until_read() {
    let mut m = Mock::new();
    assert_eq!(events(m.dev()), ALL_OUT);
    let cs = [look(&mut m, "a"), look(&mut m, "b")];
    for c in &cs {
        c.wait_asleep();
    }
    for _ in &cs {
        assert_eq!(events(m.dev()), ALL_OUT | ALL_IN);
        let r = m.expect(Op::LOOKUP);
        m.fail(&r, ENOENT);
    }
    assert_eq!(events(m.dev()), ALL_OUT);
    for c in cs {
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    m.umount();
    assert_eq!(events(m.dev()), libc::POLLERR);
}

fn poll_interrupt_and_forget() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("name")).map(drop)
    });
    let r = m.expect(Op::LOOKUP);
    assert_eq!(events(m.dev()), ALL_OUT);
    c.kill(libc::SIGUSR1);
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(events(m.dev()), ALL_OUT);
    assert_eq!(i.get("unique"), r.unique);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));

    let mut fs = Memfs::new();
    fs.file("f", b"");
    assert!(m.run(&mut fs, |mnt| user::lstat(&mnt.join("f")).is_ok()));
    assert_eq!(events(m.dev()), ALL_OUT);
    user::drop_caches();
    suites::daemon::until("FORGET", || (events(m.dev()) & IN != 0).then_some(()));
    assert_eq!(m.request().op, Op::FORGET);
    assert_eq!(events(m.dev()), ALL_OUT);
    m.finish();
}

/// A daemon that waits in select(2) (FreeBSD fusefs: dev_fuse_poll).
fn select_serves() {
    let mut m = Mock::new();
    for i in 0..20 {
        let name = format!("n{i}");
        let c = look(&mut m, &name);
        // SAFETY: a set is plain memory; the descriptor is below its size.
        let n = unsafe {
            let mut set: libc::fd_set = std::mem::zeroed();
            libc::FD_SET(m.dev().as_raw_fd(), &mut set);
            let mut bound = libc::timeval {
                tv_sec: ktap::patience().as_secs() as i64,
                tv_usec: 0,
            };
            libc::select(
                m.dev().as_raw_fd() + 1,
                &mut set,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &mut bound,
            )
        };
        assert_eq!(n, 1);
        let r = m.read().expect("read");
        assert_eq!((r.op, r.name()), (Op::LOOKUP, name));
        m.fail(&r, ENOENT);
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    m.finish();
}

struct Epoll(std::os::fd::OwnedFd);

impl Epoll {
    fn new(fd: BorrowedFd<'_>, flags: u32) -> Epoll {
        use std::os::fd::FromRawFd;
        // SAFETY: the descriptor is new; the event is valid.
        unsafe {
            let ep = check(libc::epoll_create1(libc::EPOLL_CLOEXEC)).expect("epoll_create1") as i32;
            let mut ev = libc::epoll_event {
                events: flags,
                u64: 1,
            };
            check(libc::epoll_ctl(
                ep,
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &mut ev,
            ))
            .expect("epoll_ctl");
            Epoll(std::os::fd::OwnedFd::from_raw_fd(ep))
        }
    }

    fn rearm(&self, fd: BorrowedFd<'_>, flags: u32) {
        let mut ev = libc::epoll_event {
            events: flags,
            u64: 1,
        };
        // SAFETY: the event is valid.
        check(unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                libc::EPOLL_CTL_MOD,
                fd.as_raw_fd(),
                &mut ev,
            )
        })
        .expect("epoll_ctl");
    }

    fn wait(&self, bound: i32) -> u32 {
        let mut ev = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: room for one event.
        let n = check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), &mut ev, 1, bound) });
        assert!(n.expect("epoll_wait") <= 1);
        ev.events
    }
}

fn bound() -> i32 {
    ktap::patience().as_millis() as i32
}

fn epoll_level_and_abort() {
    let mut m = Mock::new();
    let ep = Epoll::new(m.dev(), libc::EPOLLIN as u32);
    assert_eq!(ep.wait(0), 0);
    let c = look(&mut m, "a");
    assert_eq!(ep.wait(bound()), libc::EPOLLIN as u32);
    assert_eq!(ep.wait(0), libc::EPOLLIN as u32, "until it is read");
    let r = m.expect(Op::LOOKUP);
    assert_eq!(ep.wait(0), 0);
    umount(&m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    assert_eq!(ep.wait(bound()), libc::EPOLLERR as u32);
    assert_eq!(
        m.write(&mockd::reply::message(r.unique, 0, &[])),
        Err(ENOENT)
    );
    m.without_record();
}

/// Two threads' epolls, both told of one request.
fn epoll_oneshot_each() {
    let mut m = Mock::new();
    let flags = (libc::EPOLLIN | libc::EPOLLONESHOT) as u32;
    let eps = [Epoll::new(m.dev(), flags), Epoll::new(m.dev(), flags)];
    for _ in 0..3 {
        let c = look(&mut m, "a");
        for ep in &eps {
            assert_eq!(ep.wait(bound()), libc::EPOLLIN as u32);
            assert_eq!(ep.wait(0), 0);
        }
        let r = m.expect(Op::LOOKUP);
        m.fail(&r, ENOENT);
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
        eps.iter().for_each(|ep| ep.rearm(m.dev(), flags));
    }
    m.finish();
}

/// Asks for `sig` (0: SIGIO) when the device can be read; the signal is blocked and waited for.
fn ask(fd: BorrowedFd<'_>, sig: i32) -> Res<()> {
    // SAFETY: a set of our own; integers.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, if sig == 0 { libc::SIGIO } else { sig });
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        check(libc::fcntl(fd.as_raw_fd(), libc::F_SETOWN, libc::getpid()))?;
        // F_SETSIG
        check(libc::fcntl(fd.as_raw_fd(), 10, sig))?;
    }
    set_async(fd, true)
}

fn set_async(fd: BorrowedFd<'_>, on: bool) -> Res<()> {
    // SAFETY: integers.
    unsafe {
        let old = check(libc::fcntl(fd.as_raw_fd(), libc::F_GETFL))? as i32;
        let new = if on {
            old | libc::O_ASYNC
        } else {
            old & !libc::O_ASYNC
        };
        check(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, new))?;
    }
    Ok(())
}

/// The signal that came, within `bound`.
fn signalled(sig: i32, bound: std::time::Duration) -> Option<libc::siginfo_t> {
    // SAFETY: a set of our own; room for the information.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, sig);
        let ts = libc::timespec {
            tv_sec: bound.as_secs() as i64,
            tv_nsec: 0,
        };
        let mut info: libc::siginfo_t = std::mem::zeroed();
        loop {
            match check(libc::sigtimedwait(&set, &mut info, &ts)) {
                Ok(_) => return Some(info),
                Err(EINTR) => {}
                Err(e) => {
                    assert_eq!(e, EAGAIN);
                    return None;
                }
            }
        }
    }
}

#[track_caller]
fn comes() {
    assert!(
        signalled(libc::SIGIO, ktap::patience()).is_some(),
        "no SIGIO"
    );
}

#[track_caller]
fn none() {
    assert!(
        signalled(libc::SIGIO, std::time::Duration::ZERO).is_none(),
        "SIGIO for nothing"
    );
}

fn sigio_before_mount() {
    let dev = open_dev(false).expect("dev");
    use std::os::fd::AsFd;
    assert_eq!(ask(dev.as_fd(), 0), Err(EPERM));
}

fn sigio_request() {
    let mut m = Mock::new();
    ask(m.dev(), 0).expect("O_ASYNC");
    for _ in 0..3 {
        none();
        let c = look(&mut m, "a");
        comes();
        let r = m.expect(Op::LOOKUP);
        m.fail(&r, ENOENT);
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    none();
    m.finish();
}

fn sigio_interrupt() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("name")).map(drop)
    });
    let r = m.expect(Op::LOOKUP);
    ask(m.dev(), 0).expect("O_ASYNC");
    c.kill(libc::SIGUSR1);
    comes();
    m.expect(Op::INTERRUPT);
    // EAGAIN queues it again.
    assert_eq!(
        m.write(&mockd::reply::message(r.unique | 1, -libc::EAGAIN, &[])),
        Ok(16)
    );
    comes();
    m.expect(Op::INTERRUPT);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    m.finish();
}

fn sigio_forget() {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    fs.file("f", b"");
    assert!(m.run(&mut fs, |mnt| user::lstat(&mnt.join("f")).is_ok()));
    ask(m.dev(), 0).expect("O_ASYNC");
    none();
    user::drop_caches();
    comes();
    assert_eq!(m.request().op, Op::FORGET);
    m.finish();
}

/// RELEASE: sent in the background.
fn sigio_background() {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    fs.file("f", b"");
    let mut c = m.caller(|mnt, io| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0);
        io.put(f.is_ok());
        io.wait();
        // No FLUSH: the last reference goes with the process's memory.
        drop(f);
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        let r = m.expect(op);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    assert!(c.get::<bool>());
    ask(m.dev(), 0).expect("O_ASYNC");
    none();
    c.go();
    comes();
    let r = m.expect(Op::FLUSH);
    none();
    m.reply(&r, &[]);
    comes();
    let r = m.expect(Op::RELEASE);
    m.reply(&r, &[]);
    c.join::<()>();
    m.finish();
}

fn sigio_abort() {
    let m = Mock::new();
    ask(m.dev(), 0).expect("O_ASYNC");
    m.umount();
    comes();
    assert_eq!(m.read().err(), Some(ENODEV));
}

fn sigio_off() {
    let mut m = Mock::new();
    ask(m.dev(), 0).expect("O_ASYNC");
    set_async(m.dev(), false).expect("no O_ASYNC");
    let c = look(&mut m, "a");
    let r = m.expect(Op::LOOKUP);
    none();
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    set_async(m.dev(), true).expect("O_ASYNC");
    let c = look(&mut m, "a");
    comes();
    let r = m.expect(Op::LOOKUP);
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

/// A descriptor that had asked for signals is closed; the other one of the connection goes on. That
/// one is closed is no reason for a signal.
fn sigio_closed() {
    let mut m = Mock::new();
    let other = crate::clones::clone_of(m.dev()).expect("clone");
    {
        use std::os::fd::AsFd;
        ask(other.as_fd(), 0).expect("O_ASYNC");
    }
    let third = crate::clones::clone_of(m.dev()).expect("clone");
    drop(third);
    none();
    let c = look(&mut m, "a");
    comes();
    drop(other);
    let r = m.expect(Op::LOOKUP);
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    none();
    let c = look(&mut m, "a");
    let r = m.expect(Op::LOOKUP);
    none();
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

/// A signal of one's own choice says which descriptor, and what it is about.
fn sigio_siginfo() {
    let mut m = Mock::new();
    let sig = libc::SIGRTMIN();
    ask(m.dev(), sig).expect("O_ASYNC");
    let c = look(&mut m, "a");
    let info = signalled(sig, ktap::patience()).expect("signal");
    // POLL_IN
    assert_eq!(info.si_code, 1);
    // SAFETY: of a SIGPOLL: si_band, then si_fd.
    let (band, fd) = unsafe {
        let p = std::ptr::from_ref(&info).cast::<u8>().add(16);
        (p.cast::<i64>().read(), p.add(8).cast::<i32>().read())
    };
    assert_eq!((band, fd), (i64::from(ALL_IN), m.dev().as_raw_fd()));
    let r = m.expect(Op::LOOKUP);
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}
