// SPDX-License-Identifier: GPL-2.0

//! A daemon thread that waits in the middle of copying, for a page that does not come, while the
//! connection ends: the callers must not wait for it.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{read_at, write_at, Held, PAGE};
use mockd::mount::umount;
use mockd::reply::{message, Entry};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Caller, Mock, Request};

pub fn cases() -> Vec<Case> {
    cases![
        read_waits_and_goes_on,
        write_waits_and_goes_on,
        abort_while_reading,
        abort_while_writing,
        abort_while_writing_header,
        daemon_killed_while_reading,
        daemon_killed_while_writing,
        caller_killed_while_reading,
        interrupt_while_reading,
        umount_while_reading,
    ]
}

const ROOM: usize = 1 << 18;

fn look(m: &mut Mock) -> Caller {
    m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("name")).map(|s| s.ino)
    })
}

/// A thread that reads a request to the end of a page that is there, and on into one that is not.
fn parked_reader(m: &Mock, held: &Held) -> std::thread::JoinHandle<Res<usize>> {
    let (fd, addr) = (m.dev().as_raw_fd(), held.pages.addr() + PAGE - 20);
    held.fill(0, &[]);
    let t = std::thread::spawn(move || read_at(fd, addr, ROOM));
    assert_eq!(held.wait(), 1);
    t
}

fn parked_writer(
    m: &Mock,
    held: &Held,
    r: &Request,
    before: usize,
) -> (std::thread::JoinHandle<Res<usize>>, Vec<u8>) {
    let reply = message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes());
    let mut page = vec![0; PAGE];
    page[PAGE - before..].copy_from_slice(&reply[..before]);
    held.fill(0, &page);
    let (fd, addr, n) = (
        m.dev().as_raw_fd(),
        held.pages.addr() + PAGE - before,
        reply.len(),
    );
    let t = std::thread::spawn(move || write_at(fd, addr, n));
    assert_eq!(held.wait(), 1);
    (t, reply[before..].to_vec())
}

fn held() -> Held {
    Held::new(ROOM / PAGE + 2)
}

fn read_waits_and_goes_on() {
    let mut m = Mock::new();
    let mut h = held();
    let c = look(&mut m);
    let t = parked_reader(&m, &h);
    // The request is neither queued nor with the daemon; others pass it.
    let d = m.call("other", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "other");
    m.fail(&r, ENOENT);
    assert_eq!(d.join::<Res<()>>(), Err(ENOENT));
    h.fill(1, &[]);
    assert_eq!(t.join().expect("reader"), Ok(45));
    let r = Request::parse(h.pages.bytes(PAGE - 20, 45)).expect("request");
    m.rec.push(&r);
    assert_eq!(r.name(), "name");
    m.reply(&r, &Entry::new(Attr::file(5, 0)).bytes());
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
}

fn write_waits_and_goes_on() {
    for before in [16, 17, 100] {
        let mut m = Mock::new();
        let h = held();
        let c = look(&mut m);
        let r = m.expect_name(Op::LOOKUP, "name");
        let (t, rest) = parked_writer(&m, &h, &r, before);
        // Its number is taken: a second reply finds nobody.
        assert_eq!(m.write(&message(r.unique, -libc::ENOENT, &[])), Err(ENOENT));
        h.fill(1, &rest);
        assert_eq!(t.join().expect("writer"), Ok(144));
        assert_eq!(c.join::<Res<u64>>(), Ok(5));
        m.finish();
    }
}

/// Aborts the connection and leaves the mount, for the last unmount waits for those who still copy.
fn abort(m: &Mock) {
    let busy = user::open(&m.mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(&m.mnt, libc::MNT_FORCE), Err(EBUSY));
    drop(busy);
}

/// The caller is free while the reader still waits for its page.
fn abort_while_reading() {
    let mut m = Mock::new();
    let h = held();
    let c = look(&mut m);
    let t = parked_reader(&m, &h);
    abort(&m);
    assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
    assert!(!t.is_finished());
    h.fill(1, &[]);
    assert_eq!(t.join().expect("reader"), Err(ENODEV));
    m.without_record();
}

fn abort_while_writing() {
    for before in [16, 60] {
        let mut m = Mock::new();
        let h = held();
        let c = look(&mut m);
        let r = m.expect_name(Op::LOOKUP, "name");
        let (t, rest) = parked_writer(&m, &h, &r, before);
        abort(&m);
        assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
        assert!(!t.is_finished());
        h.fill(1, &rest);
        assert_eq!(t.join().expect("writer"), Err(ENOENT));
        m.without_record();
    }
}

/// Before the header is known the request is simply with the daemon.
fn abort_while_writing_header() {
    let mut m = Mock::new();
    let h = held();
    let c = look(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    let (t, rest) = parked_writer(&m, &h, &r, 10);
    abort(&m);
    assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
    h.fill(1, &rest);
    assert_eq!(t.join().expect("writer"), Err(ENOENT));
    m.without_record();
}

/// A daemon process of its own whose buffer waits, killed there.
fn killed(m: Mock, write: Option<Request>, c: Caller) {
    let fd = m.dev().as_raw_fd();
    let mut d = Caller::spawn(None, |io| {
        let h = held();
        match write {
            None => {
                h.fill(0, &[]);
                let addr = h.pages.addr() + PAGE - 20;
                let t = std::thread::spawn(move || read_at(fd, addr, ROOM));
                h.wait();
                io.put(());
                drop(t.join());
            }
            Some(r) => {
                let reply = message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes());
                let mut page = vec![0; PAGE];
                page[PAGE - 40..].copy_from_slice(&reply[..40]);
                h.fill(0, &page);
                let addr = h.pages.addr() + PAGE - 40;
                let t = std::thread::spawn(move || write_at(fd, addr, reply.len()));
                h.wait();
                io.put(());
                drop(t.join());
            }
        }
    });
    d.get::<()>();
    // The daemon's is the last descriptor now.
    let mut m = m;
    m.without_record();
    let mnt = m.die();
    d.kill(libc::SIGKILL);
    d.reap();
    assert_eq!(
        c.join::<Res<u64>>()
            .map_err(|e| if e == EIO { ECONNABORTED } else { e }),
        Err(ECONNABORTED)
    );
    umount(&mnt, 0).expect("umount");
}

fn daemon_killed_while_reading() {
    let mut m = Mock::new();
    let c = look(&mut m);
    suites::daemon::until("the request", || m.pending().then_some(()));
    killed(m, None, c);
}

fn daemon_killed_while_writing() {
    let mut m = Mock::new();
    let c = look(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    killed(m, Some(r), c);
}

/// The caller is killed while its request is being copied out: the reader still gets it whole.
fn caller_killed_while_reading() {
    let mut m = Mock::new();
    let mut h = held();
    let mut c = look(&mut m);
    let t = parked_reader(&m, &h);
    c.kill(libc::SIGKILL);
    h.fill(1, &[]);
    assert_eq!(t.join().expect("reader"), Ok(45));
    let r = Request::parse(h.pages.bytes(PAGE - 20, 45)).expect("request");
    m.rec.push(&r);
    assert_eq!(r.name(), "name");
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    m.fail(&r, EINTR);
    assert!(libc::WIFSIGNALED(c.reap()));
    m.finish();
}

/// A signal during the copy: the INTERRUPT follows the request, never comes before it.
fn interrupt_while_reading() {
    let mut m = Mock::new();
    let mut h = held();
    let c = look(&mut m);
    let t = parked_reader(&m, &h);
    c.kill(libc::SIGUSR1);
    for _ in 0..1000 {
        std::thread::yield_now();
    }
    assert!(
        !m.pending(),
        "an INTERRUPT of a request that is not there yet"
    );
    h.fill(1, &[]);
    assert_eq!(t.join().expect("reader"), Ok(45));
    let r = Request::parse(h.pages.bytes(PAGE - 20, 45)).expect("request");
    m.rec.push(&r);
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<u64>>(), Err(EINTR));
    m.finish();
}

/// Detached with a request half read: it is answered as if nothing were.
fn umount_while_reading() {
    let mut m = Mock::new();
    let mut h = held();
    let c = look(&mut m);
    let t = parked_reader(&m, &h);
    umount(&m.mnt, libc::MNT_DETACH).expect("umount -l");
    h.fill(1, &[]);
    assert_eq!(t.join().expect("reader"), Ok(45));
    let r = Request::parse(h.pages.bytes(PAGE - 20, 45)).expect("request");
    m.reply(&r, &Entry::new(Attr::file(5, 0)).bytes());
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.without_record();
    suites::daemon::until("the end", || (m.read().err() == Some(ENODEV)).then_some(()));
}
