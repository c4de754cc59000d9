// SPDX-License-Identifier: GPL-2.0

//! RESEND: what the daemon has read and not answered is sent again, marked with bit 63.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{read_at, Held, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::reply::{message, Entry};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Caller, Init, Mock, Request, Setup};
use std::os::fd::AsRawFd;

use super::device::Clone;
use suites::releases::unanswered;

use super::notify::{send, RESEND};

pub fn cases() -> Vec<Case> {
    cases![
        sent_again_marked,
        nothing_to_send,
        again_and_again,
        before_what_is_queued,
        all_of_them,
        answer_under_the_old_number,
        being_copied_out,
        interrupt_not_read,
        interrupt_read,
        interrupt_while_queued_again,
        killed_before,
        killed_while_queued_again,
        background,
        through_a_clone,
        after_the_daemon_died,
        aborted_while_queued_again,
        racing_with_an_abort,
        racing_with_answers,
    ]
}

const MARK: u64 = 1 << 63;

/// A caller that handles SIGUSR1 and stats a name.
fn look(m: &mut Mock, name: &str) -> Caller {
    let name = name.to_string();
    m.caller(move |mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join(name)).map(|s| s.ino)
    })
}

#[track_caller]
fn resend(m: &Mock) {
    assert_eq!(send(m, RESEND, &[]), Ok(16));
}

/// The next request must be `of`, marked.
#[track_caller]
fn again(m: &mut Mock, of: &Request) -> Request {
    let r = m.expect(of.op);
    assert_eq!(r.unique, of.unique | MARK);
    assert_eq!(
        (r.node, r.uid, r.gid, r.pid, &r.body),
        (of.node, of.uid, of.gid, of.pid, &of.body)
    );
    r
}

/// The next message must be the INTERRUPT of `of`.
#[track_caller]
fn interrupt(m: &mut Mock, of: &Request) -> Request {
    let i = m.expect(Op::INTERRUPT);
    assert_eq!((i.get("unique"), i.unique), (of.unique, of.unique | 1));
    i
}

#[track_caller]
fn found(m: &Mock, r: &Request, c: Caller) {
    m.reply(r, &Entry::new(Attr::file(7, 1)).bytes());
    assert_eq!(c.join::<Res<u64>>(), Ok(7));
}

fn sent_again_marked() {
    let mut m = Mock::with(&Setup::default(), &Init::plain().with("HAS_RESEND"));
    let c = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    m.expect_none();
    resend(&m);
    let r = again(&mut m, &r);
    m.expect_none();
    found(&m, &r, c);
    m.finish();
}

fn nothing_to_send() {
    let mut m = Mock::new();
    resend(&m);
    m.expect_none();
    let c = look(&mut m, "x");
    suites::daemon::until("the request", || m.pending().then_some(()));
    // Queued and never read: not sent twice, not marked.
    resend(&m);
    let r = m.expect_name(Op::LOOKUP, "x");
    assert_eq!(r.unique & MARK, 0);
    m.expect_none();
    found(&m, &r, c);
    resend(&m);
    m.expect_none();
    m.finish();
}

fn again_and_again() {
    let mut m = Mock::new();
    let c = look(&mut m, "x");
    let mut r = m.expect_name(Op::LOOKUP, "x");
    for _ in 0..5 {
        resend(&m);
        resend(&m);
        r = again(&mut m, &r);
        m.expect_none();
    }
    found(&m, &r, c);
    m.finish();
}

fn before_what_is_queued() {
    let mut m = Mock::new();
    let a = look(&mut m, "a");
    let ra = m.expect_name(Op::LOOKUP, "a");
    let b = look(&mut m, "b");
    suites::daemon::until("the request", || m.pending().then_some(()));
    resend(&m);
    let ra = again(&mut m, &ra);
    let rb = m.expect_name(Op::LOOKUP, "b");
    assert_eq!(rb.unique & MARK, 0);
    found(&m, &rb, b);
    found(&m, &ra, a);
    m.finish();
}

/// In C they come by number modulo 256, in ours as they were read: the order is not compared.
fn all_of_them() {
    let mut m = Mock::new();
    m.without_record();
    let (mut callers, mut read) = (Vec::new(), Vec::new());
    for i in 0..20 {
        callers.push(look(&mut m, &format!("n{i}")));
        read.push(m.expect_name(Op::LOOKUP, &format!("n{i}")).unique);
    }
    resend(&m);
    for _ in 0..20 {
        let r = m.expect(Op::LOOKUP);
        let i = read.iter().position(|u| u | MARK == r.unique);
        read.swap_remove(i.unwrap_or_else(|| panic!("{r:?} was not read, or comes twice")));
        m.fail(&r, ENOENT);
    }
    assert!(read.is_empty(), "not sent again: {read:?}");
    for c in callers {
        assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    }
    m.finish();
}

/// Neither while it is queued again nor after it was read again.
fn answer_under_the_old_number() {
    let mut m = Mock::new();
    let c = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    resend(&m);
    let entry = Entry::new(Attr::file(9, 1)).bytes();
    for unique in [r.unique, r.unique | MARK] {
        assert_eq!(m.write(&message(unique, 0, &entry)), Err(ENOENT));
    }
    let new = again(&mut m, &r);
    assert_eq!(m.write(&message(r.unique, 0, &entry)), Err(ENOENT));
    found(&m, &new, c);
    assert_eq!(m.write(&message(new.unique, 0, &entry)), Err(ENOENT));
    m.finish();
}

/// What a reader is in the middle of copying has not been sent.
fn being_copied_out() {
    let mut m = Mock::new();
    let mut held = Held::new((1 << 18) / PAGE + 2);
    let c = look(&mut m, "name");
    let (fd, addr) = (m.dev().as_raw_fd(), held.pages.addr() + PAGE - 20);
    held.fill(0, &[]);
    let t = std::thread::spawn(move || read_at(fd, addr, 1 << 18));
    assert_eq!(held.wait(), 1);
    resend(&m);
    m.expect_none();
    held.fill(1, &[]);
    assert_eq!(t.join().expect("reader"), Ok(45));
    let r = Request::parse(held.pages.bytes(PAGE - 20, 45)).expect("request");
    m.rec.push(&r);
    assert_eq!(r.unique & MARK, 0);
    m.expect_none();
    found(&m, &r, c);
    m.finish();
}

/// An INTERRUPT that is still queued is not read before its request is sent again.
fn interrupt_not_read() {
    let mut m = Mock::new();
    let c = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    c.kill(libc::SIGUSR1);
    suites::daemon::until("the INTERRUPT", || m.pending().then_some(()));
    resend(&m);
    let r = again(&mut m, &r);
    interrupt(&mut m, &r);
    m.expect_none();
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<u64>>(), Err(EINTR));
    m.finish();
}

/// One that was read is sent again too, under the request's new number.
fn interrupt_read() {
    let mut m = Mock::new();
    let c = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    c.kill(libc::SIGUSR1);
    let old = interrupt(&mut m, &r);
    resend(&m);
    assert_eq!(
        m.write(&message(old.unique, -libc::EAGAIN, &[])),
        Err(ENOENT)
    );
    let r = again(&mut m, &r);
    let i = interrupt(&mut m, &r);
    m.expect_none();
    assert_eq!(
        m.write(&message(old.unique, -libc::EAGAIN, &[])),
        Err(ENOENT)
    );
    m.fail(&i, EAGAIN);
    interrupt(&mut m, &r);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<u64>>(), Err(EINTR));
    m.finish();
}

fn interrupt_while_queued_again() {
    let mut m = Mock::new();
    let c = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    c.wait_asleep();
    resend(&m);
    c.kill(libc::SIGUSR1);
    let r = again(&mut m, &r);
    interrupt(&mut m, &r);
    m.expect_none();
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<u64>>(), Err(EINTR));
    m.finish();
}

/// Killed while the daemon has it: it comes again, with its INTERRUPT.
fn killed_before() {
    let mut m = Mock::new();
    let mut c = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    c.kill(libc::SIGKILL);
    interrupt(&mut m, &r);
    resend(&m);
    let r = again(&mut m, &r);
    interrupt(&mut m, &r);
    m.fail(&r, EINTR);
    assert!(libc::WIFSIGNALED(c.reap()));
    m.finish();
}

/// Killed while it is queued again: as one that was never read.
fn killed_while_queued_again() {
    let mut m = Mock::new();
    let mut c = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    c.wait_asleep();
    resend(&m);
    c.kill(libc::SIGKILL);
    assert!(libc::WIFSIGNALED(c.reap()));
    assert!(!m.pending(), "the request of a dead caller");
    let gone = message(r.unique | MARK, -libc::ENOENT, &[]);
    assert_eq!(m.write(&gone), Err(ENOENT));
    m.finish();
}

/// A background request keeps its place among those that may be with the daemon.
fn background() {
    let init = Init {
        max_background: 1,
        ..Init::plain()
    };
    let mut m = Mock::with(&Setup::default(), &init);
    let mut fs = Memfs::new();
    let kept = unanswered(&mut m, &mut fs, 2);
    assert_eq!(kept.len(), 1);
    resend(&m);
    let first = again(&mut m, &kept[0]);
    m.expect_none();
    m.reply(&first, &[]);
    let second = m.expect(Op::RELEASE);
    assert_eq!(second.unique & MARK, 0);
    resend(&m);
    let second = again(&mut m, &second);
    m.expect_none();
    m.reply(&second, &[]);
    m.finish();
}

/// What was read through either descriptor is sent again, and belongs to the one that reads it.
fn through_a_clone() {
    let mut m = Mock::new();
    let clone = Clone::of(&m);
    let a = look(&mut m, "a");
    let ra = m.expect_name(Op::LOOKUP, "a");
    let b = look(&mut m, "b");
    suites::daemon::until("the request", || m.pending().then_some(()));
    let rb = clone.read(&m);
    assert_eq!(rb.name(), "b");
    // Told to one descriptor, it holds for all.
    resend(&m);
    let mut seen = [clone.read(&m), clone.read(&m)];
    m.expect_none();
    seen.sort_by_key(|r| r.unique);
    assert_eq!(seen[0].unique, ra.unique | MARK);
    assert_eq!(seen[1].unique, rb.unique | MARK);
    let reply = message(seen[0].unique, -libc::EIO, &[]);
    assert_eq!(m.write(&reply), Err(ENOENT), "read through the other one");
    for (r, c) in seen.iter().zip([a, b]) {
        let reply = message(r.unique, -libc::EIO, &[]);
        assert_eq!(clone.write(&reply), Ok(16));
        assert_eq!(c.join::<Res<u64>>(), Err(EIO));
    }
    drop(clone);
    m.finish();
}

/// What RESEND is for: a daemon dies with requests read, its descriptor lives on with its
/// successor.
fn after_the_daemon_died() {
    let mut m = Mock::new();
    let c = look(&mut m, "x");
    suites::daemon::until("the request", || m.pending().then_some(()));
    let mut first = Caller::spawn(None, |io| {
        let r = m.read();
        io.put(r.map(|r| r.unique).map_err(|e| e.0));
        io.wait();
    });
    let unique: Result<u64, i32> = first.get();
    first.kill(libc::SIGKILL);
    first.reap();
    m.expect_none();
    resend(&m);
    let r = m.expect_name(Op::LOOKUP, "x");
    assert_eq!(Ok(r.unique), unique.map(|u| u | MARK));
    found(&m, &r, c);
    m.finish();
}

fn aborted_while_queued_again() {
    let mut m = Mock::new();
    m.without_record();
    let c = look(&mut m, "x");
    m.expect_name(Op::LOOKUP, "x");
    resend(&m);
    let _ = umount(&m.mnt, libc::MNT_FORCE);
    assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
    assert_eq!(m.read().err(), Some(ENODEV));
    let _ = umount(&m.mnt, 0);
}

/// The historic bug: requests that an abort has passed over were put on a queue that nobody reads
/// any more, and their callers waited for ever.
fn racing_with_an_abort() {
    for _ in 0..20 {
        let mut m = Mock::new();
        m.without_record();
        let callers: Vec<_> = (0..4).map(|i| look(&mut m, &format!("n{i}"))).collect();
        for _ in 0..3 {
            m.expect(Op::LOOKUP);
        }
        // Who comes after the unmount finds a directory without files.
        assert!(
            mockd::caller::readable(m.dev(), ktap::patience()),
            "the fourth LOOKUP"
        );
        let stop = Arc::new(AtomicBool::new(false));
        let (fd, told) = (m.dev().as_raw_fd(), stop.clone());
        let resender = std::thread::spawn(move || {
            let notification = message(0, RESEND, &[]);
            while !told.load(Ordering::Relaxed) {
                let addr = notification.as_ptr() as usize;
                match mockd::mem::write_at(fd, addr, notification.len()) {
                    Ok(16) | Err(EINVAL) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        let _ = umount(&m.mnt, libc::MNT_FORCE);
        for c in callers {
            let r: Res<u64> = c.join();
            assert!(matches!(r, Err(ECONNABORTED | ENOTCONN)), "{r:?}");
        }
        stop.store(true, Ordering::Relaxed);
        resender.join().expect("resender");
        let _ = umount(&m.mnt, 0);
    }
}

/// A daemon that answers and one that sends again, at the same time: each caller gets one answer.
fn racing_with_answers() {
    let mut m = Mock::new();
    m.without_record();
    let callers: Vec<_> = (0..4)
        .map(|i| {
            m.caller(move |mnt, _| {
                (0..50).try_for_each(|n| match user::lstat(&mnt.join(format!("{i}.{n}"))) {
                    Err(ENOENT) => Ok(()),
                    Err(e) => Err(e),
                    Ok(_) => Err(EIO),
                })
            })
        })
        .collect();
    let threads = m.threads(2, Arc::new(|_| Answer::Err(ENOENT)));
    let mut callers = callers;
    while !callers.iter_mut().all(Caller::ended) {
        resend(&m);
        std::thread::yield_now();
    }
    for c in callers {
        assert_eq!(c.join::<Res<()>>(), Ok(()));
    }
    m.umount();
    for t in threads {
        t.join().expect("reader");
    }
}
