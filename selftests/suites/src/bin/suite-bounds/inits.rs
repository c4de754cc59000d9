// SPDX-License-Identifier: GPL-2.0

//! Answers to INIT with the least, the most and anything, and callers that do what those let them.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use ktap::{cases, Case};
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Request};

use crate::flood::{flood, Flood, User};
use crate::mine::Mount;

pub fn cases() -> Vec<Case> {
    cases![extreme_inits]
}

fn extreme_inits() {
    flood(Flood {
        round: inits,
        room: 64,
        rounds: 2,
        least: 60,
    });
}

/// Mounts in a round.
const MOUNTS: usize = 40;

/// The size that the file claims to have.
const SIZE: usize = 8 << 20;

fn inits(u: &User) {
    for _ in 0..MOUNTS {
        let Some(m) = Mount::uninit() else { break };
        let r = m.within(ktap::patience()).expect("INIT");
        let bytes = answer(u, r.init_flags());
        let _ = m.answer(&r, &Answer::Ok(bytes));
        let Some(t) = m.caller(work) else { break };
        // As long as something comes; one request in eight stays without an answer, so the caller
        // may not come to an end.
        while let Some(r) = m.within(Duration::from_millis(10)) {
            if u.rng.borrow_mut().u32(..8) != 0 {
                serve(&m, &r);
            }
        }
        t.kill();
        drop(m);
        u.until_gone(vec![t]);
        u.did(1);
    }
}

/// What a daemon may say that knows no measure, now and then with one field that is as usual.
fn answer(u: &User, offered: u64) -> Vec<u8> {
    let mut rng = u.rng.borrow_mut();
    let usual = Init::plain();
    let mut wild = |v: u64| match rng.u32(..6) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => u64::MAX >> 1,
        4 => rng.u64(..),
        _ => v,
    };
    Init {
        major: 7,
        minor: [46, 46, 46, wild(46) as u32][wild(3) as usize % 4],
        max_readahead: wild(usual.max_readahead.into()) as u32,
        flags: wild(usual.flags) & offered,
        max_background: wild(12) as u16,
        congestion_threshold: wild(9) as u16,
        max_write: wild(usual.max_write.into()) as u32,
        time_gran: wild(1) as u32,
        max_pages: wild(32) as u16,
        map_alignment: wild(0) as u16,
        max_stack_depth: wild(0) as u32,
        request_timeout: 0,
    }
    .bytes()
}

/// Everything whose size INIT has a say in.
fn work(mnt: &Path) {
    let Ok(f) = user::open(&mnt.join("f"), libc::O_RDWR, 0) else {
        return;
    };
    // SAFETY: integers.
    unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_WILLNEED) };
    if let Ok(d) = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0) {
        let _ = user::getdents(&d, 1 << 20);
    }
    let _ = user::pwrite(&f, &vec![1; 1 << 20], 0);
    let _ = user::pread(&f, SIZE, 0);
    if let Ok(f) = user::open(&mnt.join("f"), libc::O_RDWR | libc::O_DIRECT, 0) {
        let _ = user::pwrite(&f, &vec![2; 1 << 20], 0);
        let _ = user::pread(&f, 1 << 20, 0);
    }
}

fn serve(m: &Mount, r: &Request) {
    let all = match r.op {
        Op::READ => vec![9; r.get("size").min(1 << 20) as usize],
        Op::WRITE => mockd::reply::write_out(r.get("size") as u32),
        _ => return m.plainly(r),
    };
    let _ = m.answer(r, &Answer::Ok(all));
}
