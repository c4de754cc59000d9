// SPDX-License-Identifier: GPL-2.0

//! Callers that are killed while a request about a directory is with the daemon. C's caller waits
//! for the answer; ours leaves, and what it would have done is done when the answer comes.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::reply::{open_out, ZERO};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Caller, Entry, Mock, Request};

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![
        new_names_are_given_back,
        known_names_are_refreshed,
        files_that_are_read,
        impossible_nodes_are_given_back,
        name_is_another_node_now,
        bad_answer,
        error_answer,
        mkdir_waits_for_it,
        unlink_drops_the_list,
        mkdir_drops_the_list,
        rename_drops_the_list,
        readlink_fills_the_page,
        readlink_error,
        readlink_waits_once_more,
    ]
}

/// A caller that reads the root.
fn reader(m: &mut Mock) -> Caller {
    m.caller(|mnt, _| {
        let fd = user::open(mnt, FLAGS, 0)?;
        user::getdents(&fd, 4096).map(drop)
    })
}

/// The same, killed when the daemon has its READDIRPLUS.
fn killed_reader(m: &mut Mock) -> (Caller, Request) {
    let c = reader(m);
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &open_out(1, 0));
    let r = m.expect(Op::READDIRPLUS);
    kill(m, &c);
    (c, r)
}

/// Answers the next request as it should be, and says what it was.
fn serve_one(m: &mut Mock) -> Op {
    let r = m.request();
    m.answer(&r, &serve(&r, &mut None)).expect("answer");
    r.op
}

/// Kills a caller whose request the daemon has.
fn kill(m: &mut Mock, c: &Caller) {
    c.kill(libc::SIGKILL);
    m.expect(Op::INTERRUPT);
}

/// Answers, and waits until the caller is gone and its directory closed.
fn answer(m: &mut Mock, mut c: Caller, r: &Request, reply: &[u8]) {
    m.reply(r, reply);
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
    c.reap();
}

/// As [`Mock::finish`], when what was left has been done.
fn finish(mut m: Mock) {
    m.drain(&mut |r| serve(r, &mut None));
    suites::daemon::umount_soon(&m.mnt);
    assert_eq!(m.read().err(), Some(ENODEV));
}

/// Whether anything has a name matters to nobody but the one who asks: what is given is given back.
fn new_names_are_given_back() {
    let mut m = mock(&plus());
    let (c, r) = killed_reader(&mut m);
    answer(
        &mut m,
        c,
        &r,
        &[file(5, 1, "a"), file(6, 2, "b"), file(5, 3, "c")].concat(),
    );
    assert_eq!(forgotten(&mut m, 2), [(5, 2), (6, 1)]);
    finish(m);
}

fn known_names_are_refreshed() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &record(&entry(5, ZERO, ZERO), 1, "a"), 4096, |_| ());
    let (c, r) = killed_reader(&mut m);
    answer(
        &mut m,
        c,
        &r,
        &record(&Entry::new(Attr::file(5, 99)), 1, "a"),
    );
    let stat = m.call("a", |p| user::lstat(p).map(|s| s.size));
    assert_eq!(
        m.serve::<Res<u64>>(stat, &mut |r| serve(r, &mut None)),
        Ok(99)
    );
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (0, 0));
    assert_eq!(forgotten(&mut m, 1), [(5, 2)]);
    finish(m);
}

/// The answer has other sizes for two files whose pages stay locked until killed callers' READs are
/// answered.
fn files_that_are_read() {
    let names = ["a", "b"];
    let listing = |size| -> Vec<u8> {
        let record = |(i, name)| record(&Entry::new(Attr::file(5 + i, size)), i + 1, name);
        (0u64..).zip(names).flat_map(record).collect()
    };
    // Without ASYNC_READ the readers wait for the answers themselves.
    let mut m = mock(&plus().without("ASYNC_READ"));
    // Who of the killed closes first is not known.
    m.without_record();
    let (_, ()) = again(&mut m, &listing(8192), 4096, |_| ());
    let mut read = |name| {
        let c = m.caller(move |mnt, _| {
            let f = user::open(&mnt.join(name), libc::O_RDONLY, 0).expect("open");
            user::pread(&f, 4096, 0).map(drop)
        });
        let r = m.expect(Op::OPEN);
        m.reply(&r, &open_out(1, 0));
        (c, m.expect(Op::READ))
    };
    let (mut callers, reads): (Vec<_>, Vec<_>) = names.map(&mut read).into_iter().unzip();
    // Those who read leave before the directory's answer comes.
    for c in &callers {
        c.kill(libc::SIGKILL);
    }
    let mut interrupts = 0;
    while interrupts < 2 {
        interrupts += usize::from(serve_one(&mut m) == Op::INTERRUPT);
    }
    let c = reader(&mut m);
    let mut asked = None;
    while interrupts < 3 {
        let r = m.request();
        interrupts += usize::from(r.op == Op::INTERRUPT);
        match r.op {
            Op::READDIRPLUS => {
                c.kill(libc::SIGKILL);
                asked = Some(r);
            }
            _ => m.answer(&r, &serve(&r, &mut None)).expect("answer"),
        }
    }
    m.reply(&asked.expect("READDIRPLUS"), &listing(99));
    for r in &reads {
        m.reply(r, &[7; 99]);
    }
    callers.push(c);
    m.serve_all(&mut callers, &mut |r| serve(r, &mut None));
    while m.rec.count(Op::RELEASEDIR) < 2 {
        serve_one(&mut m);
    }
    finish(m);
}

fn impossible_nodes_are_given_back() {
    let mut m = mock(&plus());
    let (c, r) = killed_reader(&mut m);
    let reply = [
        record(&Entry::new(Attr::dir(1)), 1, "root"),
        record(&Entry::new(Attr::file(7, 1).mode(0)), 2, "type"),
        record(&Entry::new(Attr::dir(9)), 3, ".."),
        record(&unsaid(), 4, "unsaid"),
    ];
    answer(&mut m, c, &r, &reply.concat());
    assert_eq!(forgotten(&mut m, 2), [(1, 1), (7, 1)]);
    finish(m);
}

/// Whoever looks next finds the new one, or asks.
fn name_is_another_node_now() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &file(5, 1, "a"), 4096, |_| ());
    let (c, r) = killed_reader(&mut m);
    answer(&mut m, c, &r, &file(6, 1, "a"));
    assert_eq!(forgotten(&mut m, 2), [(5, 1), (6, 1)]);
    finish(m);
}

/// What comes before a bad record counts.
fn bad_answer() {
    let mut m = mock(&plus());
    let (c, r) = killed_reader(&mut m);
    let mut bad = file(6, 2, "b");
    bad[144..148].fill(0);
    answer(
        &mut m,
        c,
        &r,
        &[file(5, 1, "a"), bad, file(7, 3, "c")].concat(),
    );
    assert_eq!(forgotten(&mut m, 1), [(5, 1)]);
    finish(m);
}

fn error_answer() {
    let mut m = mock(&plus());
    let (mut c, r) = killed_reader(&mut m);
    m.fail(&r, EIO);
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
    c.reap();
    assert_eq!(m.rec.forgets().len(), 0);
    finish(m);
}

/// The directory stays locked.
fn mkdir_waits_for_it() {
    let mut m = mock(&plus());
    let (c, r) = killed_reader(&mut m);
    let mkdir = m.call("d", |p| user::mkdir(p, 0o755));
    mkdir.wait_asleep();
    m.expect_none();
    m.reply(&r, &file(5, 1, "a"));
    let mut callers = [mkdir];
    m.serve_all(&mut callers, &mut |r| match r.op {
        Op::MKDIR => mockd::mock::Answer::Ok(Entry::new(Attr::dir(8)).bytes()),
        _ => serve(r, &mut None),
    });
    let [mkdir] = callers;
    assert_eq!(mkdir.join::<Res<()>>(), Ok(()));
    let mut c = c;
    c.reap();
    while m.rec.count(Op::RELEASEDIR) == 0 {
        serve_one(&mut m);
    }
    assert_eq!(forgotten(&mut m, 2), [(5, 1), (8, 1)]);
    finish(m);
}

/// A list is cached; somebody who changes the directory is killed when the daemon has the request,
/// and then it is done.
fn list_after(op: Op, change: impl FnOnce(&std::path::Path) -> Res<()>) {
    let mut m = mock(&mockd::Init::plain());
    let mut fs = files(5);
    fs.opendir_flags = KEEP_CACHE | CACHE_DIR;
    for _ in 0..2 {
        let names: Res<Vec<String>> = m.run(&mut fs, user::list);
        assert_eq!(names.map(|names| names.len()), Ok(5));
    }
    assert_eq!(asked(&m).len(), 2);
    let mut c = m.caller(|mnt, _| change(mnt));
    let r = m.serve_until(op, &mut fs);
    kill(&mut m, &c);
    let done = fs.handle(&r);
    m.answer(&r, &done).expect("answer");
    c.reap();
    for _ in 0..2 {
        let names: Res<Vec<String>> = m.run(&mut fs, user::list);
        let want: Vec<String> = fs.nodes[&mockd::wire::ROOT]
            .children
            .keys()
            .cloned()
            .collect();
        assert_eq!(names, Ok(want));
    }
    assert_eq!(asked(&m).len(), 4);
    // In C the caller has a dentry of what it has made.
    m.rec.leave_out(Op::FORGET);
    m.rec.leave_out(Op::BATCH_FORGET);
    finish(m);
}

fn unlink_drops_the_list() {
    list_after(Op::UNLINK, |mnt| user::unlink(&mnt.join("f01")));
}

fn mkdir_drops_the_list() {
    list_after(Op::MKDIR, |mnt| user::mkdir(&mnt.join("new"), 0o755));
}

fn rename_drops_the_list() {
    list_after(Op::RENAME, |mnt| {
        user::rename(&mnt.join("f01"), &mnt.join("f02"))
    });
}

/// A caller that reads a link which is to be cached, and is killed.
fn killed_readlink(m: &mut Mock) -> (Caller, Request) {
    let c = m.call("l", |p| user::readlink(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "l");
    m.reply(&r, &Entry::new(Attr::symlink(5, 3)).bytes());
    let r = m.expect(Op::READLINK);
    kill(m, &c);
    (c, r)
}

/// Others wait for the answer, and have it from the page cache.
fn readlink_fills_the_page() {
    let mut m = mock(&mockd::Init::plain().with("CACHE_SYMLINKS"));
    let (mut c, r) = killed_readlink(&mut m);
    let other = m.call("l", user::readlink);
    other.wait_asleep();
    m.expect_none();
    m.reply(&r, b"text");
    c.reap();
    assert_eq!(other.join::<Res<String>>(), Ok("text".into()));
    let more = m.call("l", user::readlink);
    assert_eq!(more.join::<Res<String>>(), Ok("text".into()));
    assert_eq!(m.rec.count(Op::READLINK), 1);
    finish(m);
}

/// The next one asks again.
fn readlink_error() {
    let mut m = mock(&mockd::Init::plain().with("CACHE_SYMLINKS"));
    let (mut c, r) = killed_readlink(&mut m);
    m.fail(&r, EIO);
    c.reap();
    let more = m.call("l", user::readlink);
    let r = m.expect(Op::READLINK);
    m.reply(&r, b"text");
    assert_eq!(more.join::<Res<String>>(), Ok("text".into()));
    finish(m);
}

/// Two wait for the answer, which is an error: one of them asks again, for which the other one
/// waits. C's waits so that nothing kills it.
fn readlink_waits_once_more() {
    let mut m = mock(&mockd::Init::plain().with("CACHE_SYMLINKS"));
    let first = m.call("l", user::readlink);
    let r = m.expect_name(Op::LOOKUP, "l");
    m.reply(&r, &Entry::new(Attr::symlink(5, 3)).bytes());
    let r = m.expect(Op::READLINK);
    let (one, two) = (m.call("l", user::readlink), m.call("l", user::readlink));
    one.wait_asleep();
    two.wait_asleep();
    m.fail(&r, EIO);
    assert_eq!(first.join::<Res<String>>(), Err(EIO));
    let r = m.expect(Op::READLINK);
    let (asks, mut waits) = if r.pid == one.pid as u32 {
        (one, two)
    } else {
        (two, one)
    };
    waits.wait_asleep();
    waits.kill(libc::SIGKILL);
    if suites::killable::get() {
        waits.reap();
        m.reply(&r, b"text");
    } else {
        m.reply(&r, b"text");
        waits.reap();
    }
    assert_eq!(asks.join::<Res<String>>(), Ok("text".into()));
    assert_eq!(m.rec.count(Op::READLINK), 2);
    // Either may be the one who asks.
    m.rec.leave_out(Op::READLINK);
    finish(m);
}
