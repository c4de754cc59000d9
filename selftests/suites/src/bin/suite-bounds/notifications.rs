// SPDX-License-Identifier: GPL-2.0

//! Notifications without end, of every kind and of nodes that are there and not, while callers wait
//! whose requests are sent again and again.

use ktap::{cases, Case, Impl};
use mockd::reply::{message, Bytes};
use mockd::user;
use mockd::wire::Op;
use mockd::Init;

use crate::flood::{flood, Flood, User};
use crate::mine::Mount;

pub fn cases() -> Vec<Case> {
    cases![notifications, retrieves]
}

/// Names in the root, which are nodes 2 and on.
const NAMES: u64 = 16;

/// Callers that wait: for what has no lock that a notification would wait for.
const WAITING: usize = 16;

fn notifications() {
    flood(Flood {
        round: |u| {
            send(
                u,
                &[
                    POLL,
                    INVAL_INODE,
                    INVAL_ENTRY,
                    STORE,
                    DELETE,
                    RESEND,
                    EPOCH,
                    PRUNE,
                ],
            )
        },
        room: 64,
        rounds: 2,
        least: 20_000,
    });
}

/// Each is a request of up to a MiB, without an answer.
fn retrieves() {
    if ktap::implementation() == Impl::C {
        ktap::skip(
            "C queues a NOTIFY_REPLY for each RETRIEVE and charges it to nobody (kzalloc with \
             GFP_KERNEL in fuse_retrieve(), and its fuse_req), until the machine has no memory",
        );
    }
    flood(Flood {
        round: |u| send(u, &[STORE, RETRIEVE]),
        room: 64,
        rounds: 2,
        least: 20_000,
    });
}

const POLL: i32 = 1;
const INVAL_INODE: i32 = 2;
const INVAL_ENTRY: i32 = 3;
const STORE: i32 = 4;
const RETRIEVE: i32 = 5;
const DELETE: i32 = 6;
const RESEND: i32 = 7;
const EPOCH: i32 = 8;
const PRUNE: i32 = 9;

/// Data in a STORE.
const DATA: usize = 16 << 10;

fn send(u: &User, codes: &[i32]) {
    let Some(m) = Mount::new(&Init::plain()) else {
        return;
    };
    let tasks = m.callers(1, |mnt, _| {
        for n in 0..NAMES {
            let _ = user::lstat(&mnt.join(format!("{n}")));
        }
    });
    m.serve_all_but(Op::RELEASE, tasks);
    for _ in 0..WAITING {
        let waits = m.caller(|mnt| drop(user::statfs(mnt)));
        assert!(waits.is_none() || m.held(Op::STATFS).is_some());
    }
    for _ in 0..10_000 {
        let code = codes[u.rng.borrow_mut().usize(..codes.len())];
        let _ = m.write(&message(0, code, &body(u, code)));
        u.did(1);
        if code == RESEND {
            while let Some(r) = m.within(std::time::Duration::ZERO) {
                u.did(usize::from(r.op == Op::STATFS));
            }
        }
    }
    u.all_is_there();
}

/// What follows the header.
fn body(u: &User, code: i32) -> Vec<u8> {
    let mut rng = u.rng.borrow_mut();
    let node = rng.u64(..NAMES + 4);
    let name = rng.u64(..NAMES + 4).to_string();
    let at = rng.u64(..256) << 12;
    let b = Bytes::default();
    match code {
        POLL => b.u64(node),
        INVAL_INODE => b.u64(node).u64(at).u64(rng.u64(..1 << 16)),
        INVAL_ENTRY => {
            let flags = rng.u32(..2);
            let b = b.u64(1).u32(name.len() as u32).u32(flags);
            b.bytes(name.as_bytes()).bytes(&[0])
        }
        STORE => {
            let b = b.u64(node).u64(at).u32(DATA as u32).u32(0);
            b.bytes(&[7; DATA])
        }
        RETRIEVE => b.u64(rng.u64(..)).u64(node).u64(at).u32(1 << 20).u32(0),
        DELETE => {
            let b = b.u64(1).u64(node).u32(name.len() as u32).u32(0);
            b.bytes(name.as_bytes()).bytes(&[0])
        }
        PRUNE => b.u32(1).u32(0).u64(0).u64(node),
        _ => b,
    }
    .0
}
