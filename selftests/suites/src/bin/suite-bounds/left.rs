// SPDX-License-Identifier: GPL-2.0

//! Callers that are killed while the daemon has their requests: of every operation, and of those
//! that take most memory as many as leave, on mount after mount. Where killed callers do not leave,
//! the user's tasks are soon all taken.

use std::path::Path;
use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::mem::Pages;
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO, FOPEN_NOFLUSH, FOPEN_PARALLEL_DIRECT_WRITES};
use mockd::{Caller, Init, Request};
use suites::catalogue::{self, Names, Place, Row};
use suites::killable;

use crate::flood::{flood, Flood, User};
use crate::mine::Mount;

pub fn cases() -> Vec<Case> {
    cases![left_of_every_operation, left_with_buffers]
}

fn left_of_every_operation() {
    flood(Flood {
        round: of_every_operation,
        room: 128,
        rounds: 1,
        least: 20,
    });
}

fn left_with_buffers() {
    flood(Flood {
        round: with_buffers,
        room: 128,
        rounds: 1,
        least: 60,
    });
}

/// Each on a mount of its own, so that none waits for another.
fn of_every_operation(u: &User) {
    let (mut mounts, mut callers) = (Vec::new(), Vec::new());
    for row in catalogue::main().filter(|r| r.is_waited_for()) {
        let Some(m) = Mount::new(&row.init(Init::plain())) else {
            break;
        };
        callers.push(held(&m, row));
        mounts.push(m);
        u.did(1);
    }
    u.all_is_there();
}

/// A caller of that row, killed when the daemon has its request.
fn held(m: &Mount, row: &Row) -> Caller {
    let mut fs = catalogue::sample();
    (row.files)(&mut fs);
    let mut c = Caller::spawn(Some(m.dev()), |io| {
        let mut act = (row.ready)(&Place::new(&m.mnt, Names::ROOT)).expect("preparation");
        io.put(());
        io.wait();
        let _ = act.run();
    });
    let mut serve = |r: &Request| {
        let a = fs.handle(r);
        let _ = m.answer(r, &a);
    };
    while !readable(c.fd(), Duration::ZERO) {
        if let Some(r) = m.within(Duration::from_millis(1)) {
            serve(&r);
        }
    }
    c.get::<()>();
    c.go();
    // All that comes before it, and it.
    for n in 0..=row.before {
        let Some(r) = m.within(ktap::patience()) else {
            panic!("{}: no request", row.name);
        };
        if n < row.before {
            serve(&r);
        }
    }
    c.kill(libc::SIGKILL);
    c
}

const DATA: usize = 1 << 20;

/// Where killed callers leave, so many of one user do for each connection.
const MAY_LEAVE: usize = 64;

/// Mounts.
const MOUNTS: usize = 4;

type Call = fn(&Path);

const CALLS: [(Op, Call); MOUNTS] = [
    (Op::READ, read),
    (Op::WRITE, write),
    (Op::READDIR, list),
    (Op::IOCTL, ioctl),
];

fn with_buffers(u: &User) {
    let init = Init {
        max_pages: 256,
        max_write: DATA as u32,
        ..Init::plain()
    };
    let (mut mounts, mut stay) = (Vec::new(), Vec::new());
    for n in 0..u.times(MOUNTS).max(MOUNTS) {
        let Some(m) = Mount::new(&init) else { break };
        // Without FLUSHes, which would wait for the WRITEs.
        m.open_flags
            .set(FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH);
        let (op, call) = CALLS[n % CALLS.len()];
        for _ in 0..MAY_LEAVE {
            let Some(t) = m.caller(call) else { break };
            if m.held(op).is_none() {
                break;
            }
            t.kill();
            if killable::get() {
                u.until_gone(vec![t]);
            } else {
                stay.push(t);
            }
            u.did(1);
        }
        mounts.push(m);
    }
    u.all_is_there();
}

fn list(mnt: &Path) {
    if let Ok(d) = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0) {
        let _ = user::getdents(&d, DATA);
    }
}

fn read(mnt: &Path) {
    if let Ok(f) = user::open(&mnt.join("f"), libc::O_RDONLY, 0) {
        let _ = user::pread(&f, DATA, 0);
    }
}

fn write(mnt: &Path) {
    if let Ok(f) = user::open(&mnt.join("f"), libc::O_WRONLY, 0) {
        let _ = user::pwrite(&f, Pages::touched(DATA / 4096).read(DATA), 0);
    }
}

/// FS_IOC_ENABLE_VERITY with the longest salt that there is room for.
fn ioctl(mnt: &Path) {
    let salt = Pages::touched(DATA / 4096);
    let mut arg = [0; 128];
    arg[12..16].copy_from_slice(&(DATA as u32 - 4096).to_ne_bytes());
    arg[16..24].copy_from_slice(&salt.addr().to_ne_bytes());
    if let Ok(f) = user::open(&mnt.join("f"), libc::O_RDONLY, 0) {
        let _ = user::ioctl(&f, 0x4080_6685, &mut arg);
    }
}
