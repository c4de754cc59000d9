// SPDX-License-Identifier: GPL-2.0

//! What others see when the daemon does what a killed caller has asked for, after the caller has
//! gone. What they were told before that is asked for again, however long it was to be good for.

use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::mock::Answer;
use mockd::reply::{Entry, LONG};
use mockd::wire::Op;
use mockd::{user, Caller};
use suites::catalogue::{Names, Part};
use suites::fusectl;

use crate::left::{only_ours, Left};

pub fn cases() -> Vec<Case> {
    cases![
        names_removed,
        names_made,
        attributes,
        links_of_what_is_removed,
    ]
}

const VICTIM: &str = Names::ROOT.get(Part::Victim);
const NEW: &str = Names::ROOT.get(Part::New);

/// What lstat(2) is about here: the node and its mode.
type Seen = Res<(u64, u32)>;

fn lstat(l: &mut Left, name: &str) -> Caller {
    l.m.call(name, |p| -> Seen {
        user::lstat(p).map(|s| (s.ino, s.mode))
    })
}

/// What lstat(2) says now, and whether the daemon was asked. That there is no such name it may
/// keep, too.
fn look(l: &mut Left, name: &str) -> (Seen, bool) {
    let (c, mut asked) = (lstat(l, name), false);
    let fs = &mut l.fs;
    let seen = l.m.serve(c, &mut |r| {
        asked |= matches!(r.op, Op::LOOKUP | Op::GETATTR);
        match fs.handle(r) {
            Answer::Err(ENOENT) if r.op == Op::LOOKUP => Answer::Ok(Entry::negative(LONG).bytes()),
            a => a,
        }
    });
    (seen, asked)
}

/// What is seen when the daemon has not done it, and is kept; then what is seen when it has.
#[track_caller]
fn before_and_after(l: &mut Left, name: &str) -> (Seen, Seen) {
    let (before, _) = look(l, name);
    assert_eq!(look(l, name), (before, false), "{name}, kept");
    l.answer();
    // What the caller would have done is done by a work item.
    fusectl::await_waiting(&l.m.mnt, 0);
    let (after, asked) = look(l, name);
    assert!(asked, "{name}: {after:?} without asking");
    assert_eq!(look(l, name), (after, false), "{name}, kept afterwards");
    (before, after)
}

fn names_removed() {
    only_ours();
    for (op, name) in [
        ("unlink", VICTIM),
        ("rmdir", Names::ROOT.get(Part::Sub)),
        ("rename", VICTIM),
        ("rename2", VICTIM),
    ] {
        let mut l = Left::by_name(op);
        let (before, after) = before_and_after(&mut l, name);
        assert!(before.is_ok(), "{before:?}");
        assert_eq!(after, Err(ENOENT));
        l.end();
    }
    // One name for another.
    let mut l = Left::by_name("rename_over");
    let (victim, _) = look(&mut l, VICTIM);
    let (before, after) = before_and_after(&mut l, Names::ROOT.get(Part::Other));
    assert_ne!(before, victim);
    assert_eq!(after, victim);
    l.end();
}

fn names_made() {
    only_ours();
    for (op, name) in [
        ("mknod", NEW),
        ("mkdir", NEW),
        ("symlink", NEW),
        ("link", NEW),
        ("create", NEW),
        ("rename2", Names::ROOT.get(Part::To)),
    ] {
        let mut l = Left::by_name(op);
        // Until then, who asks for a name of the directory waits.
        l.answer();
        let (after, asked) = look(&mut l, name);
        assert!(after.is_ok() && asked, "{after:?}");
        assert_eq!(look(&mut l, name), (after, false), "kept afterwards");
        l.end();
    }
}

fn attributes() {
    only_ours();
    let mut l = Left::by_name("chmod");
    let mode = |seen: Seen| seen.map(|(_, mode)| mode & 0o777);
    let (before, _) = look(&mut l, "f");
    l.answer();
    fusectl::await_waiting(&l.m.mnt, 0);
    let (after, _) = look(&mut l, "f");
    assert_eq!((mode(before), mode(after)), (Ok(0o644), Ok(0o600)));
    l.end();
}

/// Someone else has the file.
fn links_of_what_is_removed() {
    only_ours();
    let mut l = Left::by_name("unlink");
    let mut c = l.m.caller::<()>(|mnt, io| {
        let f = user::open(&mnt.join(VICTIM), libc::O_PATH, 0).expect("open");
        loop {
            io.put(user::fstat(&f).map(|s| s.nlink));
            io.wait();
        }
    });
    let mut links = |l: &mut Left| -> Res<u64> {
        suites::daemon::until("fstat", || {
            l.m.drain(&mut |r| l.fs.handle(r));
            readable(c.fd(), Duration::from_millis(1)).then_some(())
        });
        let n = c.get();
        c.go();
        n
    };
    assert_eq!(links(&mut l), Ok(1));
    assert_eq!(links(&mut l), Ok(1));
    l.answer();
    // One may have been on its way already.
    suites::daemon::until("what follows from the answer", || {
        l.m.drain(&mut |r| l.fs.handle(r));
        (fusectl::waiting(&l.m.mnt) == 0).then_some(())
    });
    links(&mut l).expect("fstat");
    assert_eq!(links(&mut l), Ok(0));
    c.kill(libc::SIGKILL);
    c.reap();
    l.end();
}
