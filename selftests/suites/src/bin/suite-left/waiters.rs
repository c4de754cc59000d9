// SPDX-License-Identifier: GPL-2.0

//! Who waits for a killed caller's request can be killed too, and then asks for nothing. A daemon
//! that waits for what it should answer itself does so as in C, but killably.

use ktap::{cases, Case};
use mockd::user;
use mockd::wire::Op;
use mockd::Init;

use crate::rows::{self, Row};
use crate::scene::{ops, ours, show, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        waiters_are_killed,
        several_waiters,
        daemon_that_calls_itself
    ]
}

fn left(name: &str) -> Row {
    rows::find(rows::left(), name)
}

fn other(name: &str) -> Row {
    rows::find(rows::other(), name)
}

/// One pair for each way of waiting.
const PAIRS: &[(&str, &str)] = &[
    ("lookup", "mkdir"),
    ("lookup", "lookup_same"),
    ("readdir", "unlink"),
    ("lookup_turn", "lookup"),
    ("readdir_turn", "readdir"),
    ("mkdir", "mkdir"),
    ("mkdir", "lookup"),
    ("create", "readdir"),
    ("link", "write"),
    ("unlink", "write_victim"),
    ("rmdir", "create_below"),
    ("rename_over", "write_source"),
    ("rename_cross", "lookup_elsewhere"),
    ("rename_dir_cross", "rename_dir_cross_back"),
    ("write", "append"),
    ("write_direct", "truncate_direct"),
    ("write_parallel", "append_parallel"),
    ("truncate", "fsync"),
    ("fsyncdir", "symlink"),
];

fn waiters_are_killed() {
    if !ours() {
        ktap::skip("C's callers wait for the lock, killed or not");
    }
    for (first, second) in PAIRS {
        println!("{first}, then {second}");
        let (row, second) = (left(first), other(second));
        let init = row.call.init(Init::plain());
        let mut s = Scene::with(rows::tree(), &init);
        let mut c = rows::third(&mut s);
        let mut a = s.actor("first", row.prepare());
        let mut b = s.actor("second", second.prepare());
        let r = s.leave("first", &mut a, row.call.op, row.what());
        s.waits(&mut b);
        s.kill(&mut b);
        let seen = ops(&s.asked("second"));
        assert!(seen.iter().all(|o| matches!(o, Op::LOOKUP)), "{seen:?}");
        s.answered("first", &mut a, &r);
        assert_eq!(ops(&s.asked("second")), []);
        s.act(&mut c);
        s.end(vec![c]);
    }
}

/// One after the other: those that are killed go, the others have their turns.
fn several_waiters() {
    let mut s = Scene::new(rows::tree());
    let mut c = rows::third(&mut s);
    let mut a = s.actor("first", left("mkdir").prepare());
    let r = s.leave("first", &mut a, Op::MKDIR, "");
    let who = ["second", "fourth", "fifth", "sixth"];
    let rows = ["unlink", "mkdir", "lookup", "rename_dir_cross"];
    let mut all = Vec::new();
    for (who, row) in who.iter().zip(rows) {
        let mut b = s.actor(who, other(row).prepare());
        s.waits(&mut b);
        all.push(b);
    }
    s.answered("first", &mut a, &r);
    for b in &mut all {
        let text = s.said(b);
        assert!(text.starts_with("Ok"), "{text}");
    }
    s.act(&mut c);
    all.push(c);
    s.end(all);
}

/// Serving UNLINK, the daemon unlinks the same file through its own mount.
fn daemon_that_calls_itself() {
    let mut s = Scene::new(rows::tree());
    let mut c = rows::third(&mut s);
    let mut a = s.actor("first", left("unlink").prepare());
    let mut b = s.actor("daemon", |mnt| {
        let p = mnt.join("d/v");
        Box::new(move || show(user::unlink(&p)))
    });
    let r = s.leave("first", &mut a, Op::UNLINK, "");
    s.waits(&mut b);
    s.kill(&mut b);
    if !ours() {
        suites::settle::settle(&[b.pid]);
        assert!(!b.exited(), "free in C");
    }
    s.answered("first", &mut a, &r);
    if !ours() {
        s.gone(&mut b);
    }
    s.act(&mut c);
    s.end(vec![c]);
}
