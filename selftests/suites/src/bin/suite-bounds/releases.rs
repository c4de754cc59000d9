// SPDX-License-Identifier: GPL-2.0

//! Files that are opened and closed, and no RELEASE is answered.

use ktap::{cases, Case, Impl};
use mockd::user;
use mockd::wire::Op;
use mockd::Init;

use crate::flood::{flood, Flood, User};
use crate::mine::Mount;

pub fn cases() -> Vec<Case> {
    cases![unanswered_releases]
}

fn unanswered_releases() {
    if ktap::implementation() == Impl::C {
        ktap::skip(
            "C charges nobody for the request of a RELEASE (fuse_request_alloc() with GFP_KERNEL | \
             __GFP_NOFAIL), which is more than what it charges the file's opener for",
        );
    }
    flood(Flood {
        round: releases,
        room: 24,
        rounds: 1,
        least: 20_000,
    });
}

/// Files in a round, if there is memory for so many.
const FILES: usize = 60_000;

/// Who open and close them: the more wait, the fewer times the machine goes from them to the
/// daemon.
const CALLERS: usize = 20;

fn releases(u: &User) {
    let Some(m) = Mount::new(&Init::plain()) else {
        return;
    };
    let tasks = m.callers(CALLERS, |mnt, _| {
        let f = mnt.join("f");
        for _ in 0..u.times(FILES / CALLERS) {
            // Until there is no memory for one more.
            match user::open(&f, libc::O_RDONLY, 0) {
                Ok(f) if u.goes_on() => drop(f),
                _ => return,
            }
            u.did(1);
        }
    });
    m.serve_all_but(Op::RELEASE, tasks);
    u.all_is_there();
}
