// SPDX-License-Identifier: GPL-2.0

//! Replies of which half is missing: less than the header says, less than the operation needs, half
//! in memory that is not there, half in memory that another daemon, who is the same user, never
//! fills.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::mem::{vector, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{message, raw};
use mockd::user;
use mockd::wire::{self, Op, OUT_HEADER};
use mockd::{Init, Request};

use crate::flood::{flood, Flood, User};
use crate::mine::Mount;

pub fn cases() -> Vec<Case> {
    cases![half_replies, half_replies_that_wait]
}

fn half_replies() {
    flood(Flood {
        round: halves,
        room: 64,
        rounds: 2,
        least: 10_000,
    });
}

fn half_replies_that_wait() {
    flood(Flood {
        round: waiting,
        room: 128,
        rounds: 2,
        least: 50,
    });
}

/// Callers at once.
const CALLERS: usize = 8;

/// What each of them does, again and again.
const TIMES: usize = 100;

fn files() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", &[7; 128 << 10]);
    fs.open_flags = wire::FOPEN_DIRECT_IO;
    for n in 0..100 {
        fs.file(&format!("{n}"), b"");
    }
    fs.entry_valid = mockd::reply::ZERO;
    fs.attr_valid = mockd::reply::ZERO;
    fs
}

fn halves(u: &User) {
    let Some(m) = Mount::new(&Init::plain()) else {
        return;
    };
    let mut fs = files();
    let mut tasks = m.callers(CALLERS, |mnt, _| {
        for _ in 0..TIMES {
            let _ = user::lstat(&mnt.join("7"));
            let _ = user::statfs(mnt);
            let _ = user::list(mnt);
            if let Ok(f) = user::open(&mnt.join("f"), libc::O_RDONLY, 0) {
                let _ = user::pread(&f, 128 << 10, 0);
            }
        }
    });
    // The second page of this is not there.
    let torn = Pages::alone(0, 2);
    torn.unmap(1);
    while !tasks.is_empty() {
        let Some(r) = m.within(std::time::Duration::from_millis(20)) else {
            tasks.retain(|t| !t.ended());
            continue;
        };
        let a = fs.handle(&r);
        if let Answer::Ok(payload) = &a {
            let times = u.rng.borrow_mut().usize(..4);
            for _ in 0..times {
                half(u, &m, &r, payload, &torn);
                u.did(1);
            }
        }
        // Some have been ended by what came before.
        let _ = m.answer(&r, &a);
    }
    u.all_is_there();
}

/// Sends a reply without a half of it.
fn half(u: &User, m: &Mount, r: &Request, payload: &[u8], torn: &Pages) {
    let all = message(r.unique, 0, payload);
    let half = &payload[..payload.len() / 2];
    let kind = u.rng.borrow_mut().u32(..8);
    match kind {
        0 => drop(m.write(&all[..OUT_HEADER / 2])),
        // All that the header says is there, and the operation wants more.
        1 => drop(m.write(&message(r.unique, 0, half))),
        2..=4 => drop(m.write(&raw(all.len() as u32, r.unique, 0, half))),
        _ => {
            // The end of the page that is there, and the one that is not.
            let there = (all.len() / 2).min(PAGE);
            let at = torn.addr() + PAGE - there;
            // SAFETY: in the page that is there, which nobody else uses.
            unsafe { std::ptr::copy_nonoverlapping(all.as_ptr(), at as *mut u8, there) };
            let len = all.len().min(there + PAGE);
            let _ = mockd::mem::write_at(m.dev().as_raw_fd(), at, len);
        }
    }
}

/// What is asked for and answered by each pair of a caller and a daemon.
const DATA: usize = 1 << 20;

/// Every second task is a caller, every other one writes a reply whose data it has mapped from a
/// file of another mount, where no READ is answered.
fn waiting(u: &User) {
    let init = Init {
        max_pages: 256,
        max_write: DATA as u32,
        ..Init::plain()
    };
    // Pages are read in the background.
    let many = Init {
        max_background: 100,
        ..Init::plain()
    };
    let (Some(m), Some(other)) = (Mount::new(&init), Mount::new(&many)) else {
        return;
    };
    let mut tasks = Vec::new();
    // A file each: to open one waits for its pages.
    for n in 0.. {
        let asks = m.caller(|mnt| {
            other.leave();
            if let Ok(f) = user::open(&mnt.join("f"), libc::O_RDONLY | libc::O_DIRECT, 0) {
                let _ = user::pread(&f, DATA, 0);
            }
        });
        let Some(asks) = asks else { break };
        tasks.push(asks);
        let Some(unique) = m.held(Op::READ) else {
            break;
        };
        let Some(replies) = other.caller(|mnt| reply(&m, unique, &mnt.join(format!("{n}")))) else {
            break;
        };
        tasks.push(replies);
        if other.held(Op::READ).is_none() {
            break;
        }
        u.did(1);
    }
    u.all_is_there();
    tasks.iter().for_each(|t| t.kill());
    // Both connections end, and with them all waits.
    drop((m, other));
    u.until_gone(tasks);
}

/// Writes the reply with what is in the file.
fn reply(m: &Mount, unique: u64, file: &std::path::Path) {
    let Ok(f) = user::open(file, libc::O_RDONLY, 0) else {
        return;
    };
    // SAFETY: a new mapping; nobody reads it but the kernel.
    let data = unsafe {
        let (prot, flags) = (libc::PROT_READ, libc::MAP_SHARED);
        libc::mmap(std::ptr::null_mut(), DATA, prot, flags, f.as_raw_fd(), 0)
    };
    if data == libc::MAP_FAILED {
        return;
    }
    let head = raw((OUT_HEADER + DATA) as u32, unique, 0, &[]);
    let pieces = [(head.as_ptr() as usize, head.len()), (data as usize, DATA)];
    let _ = vector(m.dev().as_raw_fd(), true, &pieces);
}
