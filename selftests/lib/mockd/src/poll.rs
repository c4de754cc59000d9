// SPDX-License-Identifier: GPL-2.0

//! poll(2), select(2) and epoll(7) of callers, one descriptor at a time, and what a daemon says of
//! files that are polled.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::errno::{check, Res};
use crate::reply::{message, Bytes};

/// Answer to POLL.
pub fn poll_out(revents: u32) -> Vec<u8> {
    Bytes::default().u32(revents).u32(0).0
}

/// FUSE_NOTIFY_POLL of the file that POLL has called `kh`.
pub fn notify_poll(kh: u64) -> Vec<u8> {
    message(0, 1, &kh.to_ne_bytes())
}

/// poll(2) for so many milliseconds, -1 for ever: what the descriptor is ready for, 0 if nothing.
pub fn poll(f: &impl AsRawFd, events: i16, millis: i32) -> Res<i16> {
    let mut p = libc::pollfd {
        fd: f.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one place.
    let n = check(unsafe { libc::poll(&mut p, 1, millis) })?;
    assert_eq!(n != 0, p.revents != 0, "what poll(2) counts");
    Ok(p.revents)
}

/// select(2) for so many milliseconds: whether the descriptor, which is in all three sets, can be
/// read, can be written and has something exceptional.
pub fn select(f: &impl AsRawFd, millis: i64) -> Res<(bool, bool, bool)> {
    let fd = f.as_raw_fd();
    // SAFETY: sets are plain bits, in which there is a place for small descriptors.
    unsafe {
        let mut set: libc::fd_set = std::mem::zeroed();
        libc::FD_SET(fd, &mut set);
        let (mut r, mut w, mut x) = (set, set, set);
        let mut time = libc::timeval {
            tv_sec: millis / 1000,
            tv_usec: millis % 1000 * 1000,
        };
        check(libc::select(fd + 1, &mut r, &mut w, &mut x, &mut time))?;
        let has = |set: &libc::fd_set| libc::FD_ISSET(fd, set);
        Ok((has(&r), has(&w), has(&x)))
    }
}

/// An epoll(7), which may be in another one.
pub struct Epoll(OwnedFd);

impl Epoll {
    pub fn new() -> Epoll {
        // SAFETY: integers; the descriptor is new.
        unsafe {
            let fd = check(libc::epoll_create1(libc::EPOLL_CLOEXEC)).expect("epoll_create1");
            Epoll(OwnedFd::from_raw_fd(fd as i32))
        }
    }

    fn ctl(&self, op: i32, f: &impl AsRawFd, events: i32) -> Res<()> {
        let mut e = libc::epoll_event {
            events: events as u32,
            u64: 0,
        };
        // SAFETY: one event.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), op, f.as_raw_fd(), &mut e) }).map(drop)
    }

    /// EPOLL_CTL_ADD.
    pub fn add(&self, f: &impl AsRawFd, events: i32) -> Res<()> {
        self.ctl(libc::EPOLL_CTL_ADD, f, events)
    }

    /// EPOLL_CTL_MOD.
    pub fn modify(&self, f: &impl AsRawFd, events: i32) -> Res<()> {
        self.ctl(libc::EPOLL_CTL_MOD, f, events)
    }

    /// EPOLL_CTL_DEL.
    pub fn del(&self, f: &impl AsRawFd) -> Res<()> {
        self.ctl(libc::EPOLL_CTL_DEL, f, 0)
    }

    /// epoll_wait(2) for so many milliseconds: what is ready, one number for each descriptor.
    pub fn wait(&self, millis: i32) -> Res<Vec<u32>> {
        let mut all = [libc::epoll_event { events: 0, u64: 0 }; 8];
        // SAFETY: as many places as is said.
        let n =
            check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), all.as_mut_ptr(), 8, millis) })?;
        Ok(all[..n as usize].iter().map(|e| e.events).collect())
    }
}

impl Default for Epoll {
    fn default() -> Epoll {
        Epoll::new()
    }
}

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}
