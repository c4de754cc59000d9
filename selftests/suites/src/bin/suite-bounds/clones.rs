// SPDX-License-Identifier: GPL-2.0

//! A thousand descriptors for one connection, and as many in each of many tasks.

use std::os::fd::{AsFd, OwnedFd};

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mount::{clone_dev, open_dev};
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Request};

use crate::flood::{flood, Flood, User};
use crate::mine::Mount;

pub fn cases() -> Vec<Case> {
    cases![a_thousand_clones, clones_in_all_tasks]
}

const MANY: usize = 1000;

/// Callers whose requests are with as many of the descriptors.
const CALLERS: usize = 40;

/// Tasks that have as many descriptors each.
const TASKS: usize = 24;

fn a_thousand_clones() {
    flood(Flood {
        round: with_requests,
        room: 64,
        rounds: 3,
        least: 3 * MANY as u64,
    });
}

fn clones_in_all_tasks() {
    if ktap::implementation() == Impl::C {
        ktap::skip(
            "C charges nobody for the table of requests in processing of a device (4 KiB, kzalloc \
             with GFP_KERNEL in fuse_pqueue_alloc()), so that it is bounded by open files alone",
        );
    }
    flood(Flood {
        round: everywhere,
        room: 256,
        rounds: 1,
        least: (TASKS * MANY) as u64,
    });
}

/// As many open files as the user may have.
fn room_for_files() {
    // SAFETY: a place for the limits, and limits.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit)).expect("limit");
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit)).expect("limit");
    }
}

/// So many descriptors for the connection, or fewer if there is no memory.
fn clones(u: &User, m: &Mount) -> Vec<OwnedFd> {
    let one = |_| {
        let dev = open_dev(false).ok()?;
        clone_dev(&dev, &m.dev()).ok()?;
        u.did(1);
        Some(dev)
    };
    (0..MANY).map_while(one).collect()
}

/// Each of some requests is read by a descriptor of its own, and left with it when it is closed.
fn with_requests(u: &User) {
    room_for_files();
    let Some(m) = Mount::new(&Init::plain()) else {
        return;
    };
    // First, so that they have none of the descriptors.
    let tasks = m.callers(CALLERS, |mnt, _| drop(user::statfs(mnt)));
    let all = clones(u, &m);
    let mut buf = vec![0; (1 << 20) + 4096];
    for dev in all.iter().rev().take(tasks.len()) {
        let n = rustix::io::read(dev.as_fd(), &mut buf[..]).expect("read");
        assert_eq!(Request::parse(&buf[..n]).expect("request").op, Op::STATFS);
    }
    u.all_is_there();
    drop(all);
    // What they had has ended.
    u.until_gone(tasks);
}

/// Each task has as many, at the same time.
fn everywhere(u: &User) {
    room_for_files();
    let Some(m) = Mount::new(&Init::plain()) else {
        return;
    };
    let mut tasks = Vec::new();
    for n in 1..=TASKS {
        let before = u.done();
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            0 => {
                let _all = clones(u, &m);
                loop {
                    // SAFETY: no arguments.
                    unsafe { libc::pause() };
                }
            }
            -1 => break,
            pid => tasks.push(crate::mine::Task(pid)),
        }
        // Until it has all, or is no more.
        while u.done() < before + MANY as u64 && !tasks[n - 1].is_gone() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    u.all_is_there();
}
