// SPDX-License-Identifier: GPL-2.0

//! Waits that are not for one's own request: for others who wait for theirs.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::wire::{self, Op};
use mockd::{user, Init, Mock, Setup};

use crate::kit::{self, Act};

pub fn cases() -> Vec<Case> {
    cases![
        parameter,
        second_lookup_of_a_directory,
        second_writer,
        writer_of_a_page_being_read,
        second_waits_for_the_first_that_left,
        daemon_that_calls_itself,
    ]
}

/// The parameter is there; C has none.
fn parameter() {
    if ktap::implementation() == ktap::Impl::C {
        ktap::skip("C has no such parameter");
    }
    let file = "/sys/module/fuse/parameters/killable";
    let get = || std::fs::read_to_string(file).expect(file);
    assert_eq!(get(), "Y\n");
    std::fs::write(file, "0").expect("write");
    assert_eq!(get(), "N\n");
    std::fs::write(file, "1").expect("write");
    assert_eq!(get(), "Y\n");
    assert!(std::fs::write(file, "maybe").is_err());
}

/// The first caller's request is with the daemon; the second one waits for the first.
fn second_goes(init: &Init, flags: u32, op: Op, caller: fn(&Path, &'static str) -> Act) {
    if !kit::killable() {
        ktap::skip("C's caller waits for the lock, killed or not");
    }
    let mut fs = kit::sample();
    fs.open_flags = flags;
    let mut m = Mock::with(&Setup::default(), init);
    m.without_record();
    let mut callers = Vec::new();
    for name in ["f", "g"] {
        let mut c = m.caller(move |mnt, io| {
            let act = caller(mnt, name);
            io.put(());
            io.wait();
            act()
        });
        kit::serve_until_put(&mut m, &mut fs, &mut c);
        callers.push(c);
    }
    callers[0].go();
    let r = kit::next(&mut m);
    assert_eq!(r.op, op, "{r:?}");
    callers[1].go();
    callers[1].wait_asleep();
    assert!(!m.pending(), "both at once");
    let mut second = callers.pop().expect("two");
    second.kill(libc::SIGKILL);
    second.reap();
    // The first goes on.
    kit::answer(&m, &mut fs, &r);
    let first = callers.pop().expect("one");
    assert_eq!(m.serve::<Res<()>>(first, &mut |r| fs.handle(r)), Ok(()));
    kit::close_down(&mut m, &mut fs);
}

/// Without PARALLEL_DIROPS there is one LOOKUP in a directory at a time.
fn second_lookup_of_a_directory() {
    let mut init = Init::plain();
    init.flags &= !wire::init_flag("PARALLEL_DIROPS");
    second_goes(&init, 0, Op::LOOKUP, |mnt, name| {
        let p = mnt.join(name);
        Box::new(move || user::lstat(&p).map(drop))
    });
}

/// One write to a file at a time.
fn second_writer() {
    for flags in [0, wire::FOPEN_DIRECT_IO] {
        second_goes(&Init::plain(), flags, Op::WRITE, |mnt, _| {
            let f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
            Box::new(move || user::pwrite(&f, b"x", 0).map(drop))
        });
    }
}

/// A page that a READ fills is locked until it is answered.
fn writer_of_a_page_being_read() {
    if !kit::killable() {
        ktap::skip("C's caller waits for the lock, killed or not");
    }
    let (mut m, mut fs) = (Mock::new(), kit::sample());
    m.without_record();
    let mut open = |m: &mut Mock, f: fn(std::os::fd::OwnedFd) -> Res<()>| {
        let mut c = m.caller(move |mnt, io| {
            let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
            io.put(());
            io.wait();
            f(fd)
        });
        kit::serve_until_put(m, &mut fs, &mut c);
        c
    };
    let reader = open(&mut m, |fd| user::pread(&fd, 10, 0).map(drop));
    let mut writer = open(&mut m, |fd| user::pwrite(&fd, b"x", 0).map(drop));
    reader.go();
    let r = kit::next(&mut m);
    assert_eq!(r.op, Op::READ, "{r:?}");
    writer.go();
    writer.wait_asleep();
    writer.kill(libc::SIGKILL);
    writer.reap();
    kit::answer(&m, &mut fs, &r);
    assert_eq!(m.serve::<Res<()>>(reader, &mut |r| fs.handle(r)), Ok(()));
    kit::close_down(&mut m, &mut fs);
}

/// A directory stays occupied by what a killed caller has asked for: who is next waits for the
/// answer, killably.
fn second_waits_for_the_first_that_left() {
    if !kit::killable() {
        ktap::skip("C's caller waits for the answer, killed or not");
    }
    let (mut m, mut fs) = (Mock::new(), kit::sample());
    m.without_record();
    let mut a = m.call("new", |p| user::mkdir(p, 0o755));
    let r = kit::next(&mut m);
    assert_eq!(r.op, Op::LOOKUP);
    kit::answer(&m, &mut fs, &r);
    let r = kit::next(&mut m);
    assert_eq!(r.op, Op::MKDIR);
    a.kill(libc::SIGKILL);
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    a.reap();
    let mut b = m.call("other", |p| user::mkdir(p, 0o755));
    b.wait_asleep();
    assert!(!m.pending(), "both at once");
    b.kill(libc::SIGKILL);
    b.reap();
    let c = m.call("third", |p| user::mkdir(p, 0o755));
    c.wait_asleep();
    assert!(!m.pending(), "both at once");
    kit::answer(&m, &mut fs, &r);
    assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    kit::close_down(&mut m, &mut fs);
}

/// A daemon that unlinks in its own mount what it is asked to unlink: SIGKILL frees both.
fn daemon_that_calls_itself() {
    if !kit::killable() {
        ktap::skip("C's caller waits for the answer, killed or not");
    }
    let (mut m, mut fs) = (Mock::new(), kit::sample());
    m.without_record();
    let mut c = m.call("f", user::unlink);
    let r = kit::next(&mut m);
    kit::answer(&m, &mut fs, &r);
    let r = kit::next(&mut m);
    assert_eq!(r.op, Op::UNLINK);
    let p = m.path("f");
    // A process of its own, which has the device too.
    let mut daemon = mockd::Caller::spawn(None, move |_| user::unlink(&p));
    daemon.wait_asleep();
    let mnt = m.die();
    // The only one who could answer waits for the lock that the caller has.
    c.kill(libc::SIGKILL);
    c.reap();
    daemon.kill(libc::SIGKILL);
    daemon.reap();
    mockd::mount::umount(&mnt, 0).expect("umount");
}
