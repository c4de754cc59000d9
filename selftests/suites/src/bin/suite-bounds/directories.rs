// SPDX-License-Identifier: GPL-2.0

//! Directories of which a MiB is asked for at once, and nothing is answered.

use std::path::Path;

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::user;
use mockd::wire::Op;
use mockd::Init;
use suites::killable;

use crate::flood::{flood, Flood, User};
use crate::group::TASKS;
use crate::mine::Mount;

pub fn cases() -> Vec<Case> {
    cases![unanswered_directories]
}

fn unanswered_directories() {
    flood(Flood {
        round: directories,
        room: 256,
        rounds: 2,
        least: 200,
    });
}

fn list(mnt: &Path) {
    // There may be no memory for it.
    if let Ok(d) = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0) {
        let _ = user::getdents(&d, 1 << 20);
    }
}

/// How many ask at once: all tasks that the user may have. C charges nobody for the pages of a
/// READDIR (alloc_pages_bulk() with GFP_KERNEL in fuse_readdir_uncached()), and a MiB for each task
/// would be all that may be taken.
fn most() -> usize {
    match ktap::implementation() {
        Impl::C => TASKS - 8,
        Impl::Rust => TASKS,
    }
}

/// They ask and are killed, twice: where killed callers leave, as many
/// as may leave do so the first time.
fn directories(u: &User) {
    let init = Init {
        max_pages: 256,
        ..Init::plain()
    };
    let Some(m) = Mount::new(&init) else { return };
    let mut out = Vec::new();
    let mut stay = Vec::new();
    for first in [true, false] {
        let mut tasks = Vec::new();
        while stay.len() + tasks.len() < most() {
            let Some(t) = m.caller(list) else { break };
            tasks.push(t);
            out.extend(m.held(Op::READDIR));
            u.did(1);
        }
        u.all_is_there();
        tasks.iter().for_each(|t| t.kill());
        if first && killable::get() {
            u.until_gone(tasks);
        } else {
            stay.extend(tasks);
        }
        u.all_is_there();
    }
    out.into_iter().for_each(|unique| m.fail(unique, EIO));
    u.until_gone(stay);
}
