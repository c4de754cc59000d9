// SPDX-License-Identifier: GPL-2.0

//! DESTROY: the end of a mount of type `fuseblk`, which waits for its daemon.

use ktap::{cases, implementation, Case, Impl};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{mount, umount};
use mockd::reply::{message, open_out};
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Mock, Request};
use suites::blockdev::{finish, gone, start_umount, until_destroy};
use suites::setting::Setting;
use suites::{fusectl, setting};

use crate::blk::device;

pub fn cases() -> Vec<Case> {
    cases![
        destroy_answered,
        destroy_answered_with_error,
        destroy_answered_wrongly,
        destroy_is_waited_for,
        destroy_with_open_files,
        destroy_not_before_init,
        destroy_not_after_refused_init,
        destroy_unanswered_daemon_dies,
        destroy_unanswered_abort,
        destroy_after_lazy_umount,
        destroy_after_last_of_two,
        destroy_interrupted,
        destroy_while_killed,
        destroy_unanswered_killed,
        destroy_by_the_kernel,
        destroy_serves_meanwhile,
    ]
}

/// It is the last request, of nobody, about nothing.
fn destroy_answered() {
    let d = device();
    let mut m = d.mount();
    let (r, c) = until_destroy(&mut m);
    assert_eq!((r.node, r.uid, r.gid, r.len()), (0, 0, 0, 40));
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    gone(m);
}

/// What is answered does not matter.
fn destroy_answered_with_error() {
    for e in [EIO, ENOSYS, EBUSY, EINTR, ENOTCONN] {
        let d = device();
        let mut m = d.mount();
        let (r, c) = until_destroy(&mut m);
        m.fail(&r, e);
        assert_eq!(c.join::<Res<()>>(), Ok(()), "{e}");
        gone(m);
    }
}

fn destroy_answered_wrongly() {
    let d = device();
    let mut m = d.mount();
    let (r, c) = until_destroy(&mut m);
    assert_eq!(m.write(&message(r.unique, 0, &[1; 8])), Err(EINVAL));
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    gone(m);
}

/// umount(2) returns when the daemon is through.
fn destroy_is_waited_for() {
    let d = device();
    let mut m = d.mount();
    let (r, mut c) = until_destroy(&mut m);
    c.wait_asleep();
    assert!(!c.ended() && d.is_busy(), "it waits");
    assert!(
        m.mnt.read_dir().is_ok(),
        "the mount point is a directory again"
    );
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    gone(m);
}

/// It comes after all else.
fn destroy_with_open_files() {
    let d = device();
    let (mut m, mut fs) = (d.mount(), Memfs::new());
    fs.file("f", b"hello");
    let mut c = m.caller(|mnt, io| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        io.put(());
        io.wait();
        drop(f);
        Res::Ok(())
    });
    while m.rec.count(Op::OPEN) == 0 {
        let r = m.request();
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    c.get::<()>();
    assert_eq!(umount(&m.mnt, 0), Err(EBUSY));
    c.go();
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(()));
    finish(m);
}

/// There is nobody to be told.
fn destroy_not_before_init() {
    let d = device();
    let mut m = Mock::uninit(&d.setup());
    m.expect(Op::INIT);
    umount(&m.mnt, 0).expect("umount");
    gone(m);
}

fn destroy_not_after_refused_init() {
    let d = device();
    let mut m = Mock::uninit(&d.setup());
    let r = m.expect(Op::INIT);
    m.fail(&r, EIO);
    umount(&m.mnt, 0).expect("umount");
    gone(m);
}

fn destroy_unanswered_daemon_dies() {
    let d = device();
    let mut m = d.mount();
    let (_, c) = until_destroy(&mut m);
    m.die();
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert!(!d.is_busy());
}

fn destroy_unanswered_abort() {
    let d = device();
    let mut m = d.mount();
    let abort = fusectl::dir(&m.mnt).join("abort");
    let (_, c) = until_destroy(&mut m);
    setting::set(&abort, "1").expect("abort");
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    gone(m);
}

/// Whoever uses it last has the wait.
fn destroy_after_lazy_umount() {
    let d = device();
    let mut m = d.mount();
    let mut c = m.caller(|mnt, io| {
        let at = user::open(mnt, libc::O_PATH, 0)?;
        io.put(());
        io.wait();
        drop(at);
        Res::Ok(())
    });
    c.get::<()>();
    umount(&m.mnt, libc::MNT_DETACH).expect("umount");
    assert!(!m.pending() && d.is_busy());
    c.go();
    let r = m.expect(Op::DESTROY);
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    gone(m);
}

fn destroy_after_last_of_two() {
    let d = device();
    let m = d.mount();
    let at = ktap::dir().join("bound");
    std::fs::create_dir(&at).expect("directory");
    mount(m.mnt.to_str().expect("utf-8"), &at, "", libc::MS_BIND, "").expect("bind");
    umount(&at, 0).expect("umount");
    assert!(!m.pending());
    finish(m);
}

/// A signal is passed on, and umount(2) waits.
fn destroy_interrupted() {
    let d = device();
    let mut m = d.mount();
    let mut c = m.caller(|mnt, io| {
        user::catch_signal(libc::SIGUSR1, false);
        io.put(());
        umount(mnt, 0)
    });
    c.get::<()>();
    let r = m.expect(Op::DESTROY);
    c.kill(libc::SIGUSR1);
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    c.wait_signalled();
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    gone(m);
}

/// Who unmounts, and is killed when the daemon has its DESTROY.
fn killed_umount(m: &mut Mock) -> (Caller, Request) {
    let c = start_umount(m);
    let r = m.expect(Op::DESTROY);
    c.kill(libc::SIGKILL);
    m.expect(Op::INTERRUPT);
    (c, r)
}

/// Whoever is killed has the daemon's answer all the same.
fn destroy_while_killed() {
    let d = device();
    let mut m = d.mount();
    let (mut c, r) = killed_umount(&mut m);
    assert!(d.is_busy());
    m.reply(&r, &[]);
    c.reap();
    assert!(!d.is_busy());
    gone(m);
}

/// Whoever is killed and gets no answer ends the connection. C's stays.
fn destroy_unanswered_killed() {
    // Nobody leaves anything.
    let _ours = [("flush_wait", "1"), ("max_left", "0")].map(|(p, v)| Setting::of_ours(p, v));
    let d = device();
    let mut m = d.mount();
    let (mut c, r) = killed_umount(&mut m);
    if implementation() == Impl::C {
        m.reply(&r, &[]);
    }
    c.reap();
    assert!(!d.is_busy());
    gone(m);
}

/// What a killed caller has left is the last use of a mount that was detached. C's caller unmounts
/// then, and ours has gone, so that the kernel does.
fn destroy_by_the_kernel() {
    let _flush_wait = Setting::of_ours("flush_wait", "1");
    let d = device();
    let mut m = d.mount();
    // DESTROY is nobody's, or the caller's.
    m.without_record();
    let mut c = m.caller(|mnt, _| {
        let dir = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        user::getdents(&dir, 4096).map(drop)
    });
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &open_out(1, 0));
    let r = m.expect(Op::READDIR);
    c.kill(libc::SIGKILL);
    m.expect(Op::INTERRUPT);
    umount(&m.mnt, libc::MNT_DETACH).expect("umount");
    m.reply(&r, &[]);
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
    let r = m.expect(Op::DESTROY);
    assert!(d.is_busy());
    if implementation() == Impl::C {
        m.reply(&r, &[]);
    }
    c.reap();
    gone(m);
}

/// Notifications come too late then.
fn destroy_serves_meanwhile() {
    let d = device();
    let mut m = d.mount();
    let (r, c) = until_destroy(&mut m);
    // FUSE_NOTIFY_INVAL_INODE of the root, all of it.
    let body = [
        &1u64.to_ne_bytes()[..],
        &0u64.to_ne_bytes(),
        &0u64.to_ne_bytes(),
    ]
    .concat();
    let notify = mockd::reply::raw(16 + 24, 0, 2, &body);
    let n = m.write(&notify);
    println!("{n:?}");
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    gone(m);
}
