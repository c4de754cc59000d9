// SPDX-License-Identifier: GPL-2.0

//! Names that are looked up and forgotten, and nobody reads the FORGETs.

use ktap::{cases, Case};
use mockd::mount::fspick;
use mockd::user;
use mockd::wire::Op;
use mockd::Init;

use crate::flood::{flood, Flood, User};
use crate::mine::Mount;

pub fn cases() -> Vec<Case> {
    cases![unread_forgets]
}

fn unread_forgets() {
    flood(Flood {
        round: forgets,
        room: 20,
        rounds: 1,
        least: 100_000,
    });
}

/// Names of one mount: once it has forgotten some, the daemon cannot read other requests only.
const NAMES: usize = 8000;

/// Mounts with as many FORGETs each.
const MOUNTS: usize = 20;

/// Callers, each with its part of the names: the more wait, the fewer times the machine goes from
/// them to the daemon.
const CALLERS: usize = 20;

fn forgets(u: &User) {
    let mut mounts = Vec::new();
    for _ in 0..u.times(MOUNTS) {
        let Some(m) = Mount::new(&Init::plain()).filter(|_| u.goes_on()) else {
            break;
        };
        let tasks = m.callers(CALLERS, |mnt, i| {
            for n in 0..NAMES / CALLERS {
                if user::lstat(&mnt.join(format!("{i}-{n}"))).is_err() {
                    return;
                }
                u.did(1);
            }
        });
        m.serve_all_but(Op::FORGET, tasks);
        // What drops names; some are dropped by themselves when memory is short.
        let _ = fspick(&m.mnt).and_then(|context| context.reconfigure());
        mounts.push(m);
    }
    u.all_is_there();
}
