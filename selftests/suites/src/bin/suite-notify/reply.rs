// SPDX-License-Identifier: GPL-2.0

//! NOTIFY_REPLY, which nobody answers: how it is read, what ends it, and how many there may be.

use std::os::fd::AsRawFd;

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mem::{read_at, Pages, PAGE};
use mockd::pipe::Pipe;
use mockd::reply::message;
use mockd::user;
use mockd::wire::Op;
use mockd::Init;
use suites::fusectl;

use crate::pages::{retrieve, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        retrieve_is_not_answered,
        retrieve_is_not_resent,
        retrieve_small_buffer,
        retrieve_to_no_memory,
        retrieve_by_splice,
        retrieve_as_another_user,
        retrieve_and_abort,
        retrieve_and_umount,
        retrieve_and_die,
        retrieve_limit,
    ]
}

/// There is no such request.
fn retrieve_is_not_answered() {
    let mut s = Scene::new(PAGE);
    s.read(0, PAGE);
    let unique = s.ask(0, 10);
    for _ in 0..2 {
        assert_eq!(s.m.write(&message(unique, 0, &[])), Err(ENOENT));
        assert_eq!(s.m.write(&message(unique, -5, &[])), Err(ENOENT));
        if s.m.pending() {
            s.m.expect(Op::NOTIFY_REPLY);
        }
    }
    s.m.expect_none();
    s.finish();
}

/// What the daemon has read it has.
fn retrieve_is_not_resent() {
    let mut s = Scene::with(&Init::plain().with("HAS_RESEND"), PAGE);
    s.read(0, PAGE);
    s.ask(0, 10);
    s.m.expect(Op::NOTIFY_REPLY);
    assert_eq!(s.m.write(&message(0, 7, &[])), Ok(16));
    s.m.expect_none();
    s.ask(0, 20);
    assert_eq!(s.m.write(&message(0, 7, &[])), Ok(16));
    assert_eq!(s.m.expect(Op::NOTIFY_REPLY).get("size"), 20);
    s.m.expect_none();
    s.finish();
}

/// A read that is refused takes nothing.
fn retrieve_small_buffer() {
    let mut s = Scene::new(PAGE);
    let all = s.read(0, PAGE);
    let unique = s.ask(0, PAGE as u32);
    let buf = s.m.buf;
    for small in [0, 40, 80, 4096, 131_072 + 79] {
        s.m.buf = small;
        assert_eq!(s.m.read().err(), Some(EINVAL));
    }
    s.m.buf = buf;
    let r = s.m.expect(Op::NOTIFY_REPLY);
    assert_eq!(s.check(&r, unique, 0), all);
    s.finish();
}

/// One that fails has taken it: it is lost, as any message.
fn retrieve_to_no_memory() {
    let mut s = Scene::new(8 * PAGE);
    s.read(0, 8 * PAGE);
    let pages = Pages::new(64);
    pages.unmap(1);
    s.ask(0, 8 * PAGE as u32);
    let fd = s.m.dev().as_raw_fd();
    assert_eq!(read_at(fd, pages.addr(), 64 * PAGE), Err(EFAULT));
    s.m.expect_none();
    fusectl::await_waiting(&s.m.mnt, 0);
    s.finish();
}

fn retrieve_by_splice() {
    let mut s = Scene::new(8 * PAGE);
    let all = s.read(0, 8 * PAGE);
    let pipe = Pipe::new(64);
    for (offset, len) in [(0, 8 * PAGE), (100, 3 * PAGE), (PAGE, 10), (0, 0)] {
        let unique = s.ask(offset as u64, len as u32);
        let r = s.m.splice(&pipe, 64 * PAGE).expect("splice");
        let got = s.check(&r, unique, offset as u64);
        assert_eq!(got, all[offset..offset + len]);
    }
    // One that is left in the pipe keeps its pages.
    s.ask(0, 2 * PAGE as u32);
    let n = pipe
        .splice_from(&s.m.dev(), None, 64 * PAGE, 0)
        .expect("splice");
    fusectl::await_waiting(&s.m.mnt, 0);
    assert_eq!(n, 80 + 2 * PAGE);
    s.finish();
    let whole = pipe.get(n).expect("read");
    assert_eq!(whole[80..], all[..2 * PAGE]);
}

/// It says who has asked.
fn retrieve_as_another_user() {
    let mut s = Scene::new(PAGE);
    s.read(0, PAGE);
    let message = retrieve(5, s.f, 0, 100);
    let dev = s.m.dev().try_clone_to_owned().expect("dup");
    let c = s.m.caller(move |_, _| {
        user::become_user(1000, 1001);
        user::write(&dev, &message)
    });
    assert_eq!(c.join::<Res<usize>>(), Ok(48));
    let r = s.m.expect(Op::NOTIFY_REPLY);
    assert_eq!((r.uid, r.gid), (1000, 1001));
    s.finish();
}

/// An abort ends what was not read.
fn retrieve_and_abort() {
    let mut s = Scene::new(4 * PAGE);
    s.read(0, 4 * PAGE);
    for _ in 0..10 {
        s.ask(0, 4 * PAGE as u32);
    }
    assert_eq!(fusectl::waiting(&s.m.mnt), 10);
    fusectl::abort(&s.m.mnt).expect("abort");
    fusectl::await_waiting(&s.m.mnt, 0);
    assert_eq!(s.m.read().err(), Some(ENODEV));
    assert_eq!(s.tell(&retrieve(5, s.f, 0, 100)), Err(EINVAL));
    s.m.umount();
}

fn retrieve_and_umount() {
    let mut s = Scene::new(4 * PAGE);
    s.read(0, 4 * PAGE);
    s.m.drain(&mut |r| s.fs.handle(r));
    for _ in 0..10 {
        s.ask(0, 4 * PAGE as u32);
    }
    s.m.umount();
    assert_eq!(s.m.read().err(), Some(ENODEV));
}

/// The end of the daemon ends it, too.
fn retrieve_and_die() {
    let mut s = Scene::new(4 * PAGE);
    s.read(0, 4 * PAGE);
    for _ in 0..10 {
        s.ask(0, 4 * PAGE as u32);
    }
    let mnt = s.m.die();
    let r = user::lstat(&mnt.join("x"));
    assert_eq!(r.err(), Some(ENOTCONN));
    mockd::mount::umount(&mnt, 0).expect("umount");
}

/// A daemon that reads none of them gets only so many.
fn retrieve_limit() {
    if ktap::implementation() == Impl::C {
        ktap::skip("C has no limit");
    }
    const LIMIT: usize = 16 << 10;
    let mut s = Scene::new(32 * PAGE);
    s.m.rec.stop();
    s.m.without_record();
    let all = s.read(0, 32 * PAGE);
    let whole = retrieve(5, s.f, 0, 32 * PAGE as u32);
    for _ in 0..LIMIT / 32 {
        assert_eq!(s.tell(&whole), Ok(()));
    }
    assert_eq!(s.tell(&retrieve(5, s.f, 0, 0)), Err(ENOMEM));
    assert_eq!(s.tell(&whole), Err(ENOMEM));
    let r = s.m.expect(Op::NOTIFY_REPLY);
    assert_eq!(s.check(&r, 5, 0), all);
    fusectl::await_waiting(&s.m.mnt, (LIMIT / 32 - 1) as u32);
    // As many as there are pages in it, or one without any.
    for _ in 0..32 {
        assert_eq!(s.tell(&retrieve(5, s.f, 0, 0)), Ok(()));
    }
    assert_eq!(s.tell(&retrieve(5, s.f, 0, 0)), Err(ENOMEM));
    fusectl::abort(&s.m.mnt).expect("abort");
    fusectl::await_waiting(&s.m.mnt, 0);
    s.m.umount();
}
