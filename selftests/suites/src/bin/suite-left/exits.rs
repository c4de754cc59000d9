// SPDX-License-Identifier: GPL-2.0

//! What the daemon has got of a process that is gone: `kill; wait; umount` loses nothing. A task
//! that a signal ends waits for its FLUSHes for as long as the parameter `flush_wait` says, C's for
//! ever; what it leaves keeps the mount busy.

use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use ktap::{cases, Case};
use mockd::caller::Io;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::{self, Op};
use mockd::{Caller, Init, Setup};
use suites::daemon::until;

use crate::scene::{open, ours, parameter, show, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        wait_after_sigterm,
        wait_after_sigkill,
        wait_after_exit,
        busy_after_sigterm,
        busy_after_sigkill,
        wait_in_exit_whatever_the_bound,
        flush_after_own_write,
        wait_for_own_write,
        files_share_the_bound,
        opened_by_the_killed,
        created_by_the_killed,
        made_without_a_name_by_the_killed,
        flock_of_the_killed,
        record_lock_of_the_killed,
        killed_in_close,
        remount,
        umount_without_open_file,
    ]
}

/// Seconds that are longer than any test.
pub const LONG: &str = "600";

/// Where there is such a parameter.
pub fn flush_wait(seconds: &str) {
    if ours() {
        parameter("flush_wait", seconds);
    }
}

const RW: i32 = libc::O_RDWR;

fn sample() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", &[7; 9000]);
    fs
}

/// A process that writes to the file and then waits, with it open, for a signal, or (0) exits when
/// told.
fn writer(mnt: &Path) -> Caller {
    let p = mnt.join("f");
    let mut c = Caller::spawn::<()>(None, move |io: &Io| {
        let f = user::open(&p, RW, 0).expect("open");
        user::pwrite(&f, b"x", 0).expect("write");
        io.put(());
        io.wait();
        // SAFETY: with the file still open.
        unsafe { libc::_exit(0) };
    });
    c.get::<()>();
    c
}

/// waitpid(2) in its plain form.
fn wait(c: Caller) {
    let mut st = 0;
    // SAFETY: a place for the status.
    let r = unsafe { libc::waitpid(c.pid, &mut st, 0) };
    assert_eq!(r, c.pid);
    std::mem::forget(c);
}

/// A shell that has started a writer, and ends it when told, waits for it, and says so; told again,
/// it unmounts.
fn shell(s: &mut Scene, sig: i32) -> Caller {
    s.actor("shell", move |mnt| {
        let mut c = Some(writer(mnt));
        let mnt = mnt.to_path_buf();
        Box::new(move || match c.take() {
            Some(c) if sig == 0 => {
                c.go();
                wait(c);
                "waited".into()
            }
            Some(c) => {
                c.kill(sig);
                wait(c);
                "waited".into()
            }
            None => show(umount(&mnt, 0)),
        })
    })
}

/// The daemon reads nothing until nobody moves: the shell still waits. It unmounts when FLUSH has
/// been answered.
fn waited(sig: i32) {
    let mut s = Scene::new(sample());
    let mut c = shell(&mut s, sig);
    s.hold_next("somebody", Op::FLUSH, "");
    c.go();
    let r = s.await_held(Op::FLUSH);
    assert_eq!(s.goes_on(&mut c), None, "gone before FLUSH is answered");
    s.answer("somebody", &r);
    assert_eq!(s.said(&mut c), "waited");
    let mut text = s.act(&mut c);
    // RELEASE is with the daemon, or was.
    until("the unmount", || {
        if text == "Ok(())" {
            return Some(());
        }
        assert_eq!(text, "Err(EBUSY)");
        text = s.act(&mut c);
        None
    });
}

fn wait_after_sigterm() {
    flush_wait(LONG);
    waited(libc::SIGTERM);
}

fn wait_after_sigkill() {
    flush_wait(LONG);
    waited(libc::SIGKILL);
}

fn wait_after_exit() {
    flush_wait(LONG);
    waited(0);
}

/// Who calls exit(2) waits as in C.
fn wait_in_exit_whatever_the_bound() {
    flush_wait("0");
    waited(0);
}

/// When the bound is over, the mount is busy until FLUSH has been answered.
fn busy(sig: i32) {
    if !ours() {
        ktap::skip("C's task waits for ever");
    }
    flush_wait("0");
    let mut s = Scene::new(sample());
    let mut c = shell(&mut s, sig);
    s.hold_next("somebody", Op::FLUSH, "");
    c.go();
    let r = s.await_held(Op::FLUSH);
    assert_eq!(s.said(&mut c), "waited");
    for _ in 0..3 {
        assert_eq!(s.act(&mut c), "Err(EBUSY)");
    }
    s.answer("somebody", &r);
    until("the unmount", || {
        let text = s.act(&mut c);
        assert!(text == "Ok(())" || text == "Err(EBUSY)", "{text}");
        (text == "Ok(())").then_some(())
    });
}

fn busy_after_sigterm() {
    busy(libc::SIGTERM);
}

fn busy_after_sigkill() {
    busy(libc::SIGKILL);
}

fn write_of_the_killed(s: &mut Scene) -> Caller {
    s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::pwrite(&f, b"x", 0)))
    })
}

/// All that is to come has come when nobody moves.
#[track_caller]
fn quiet(s: &mut Scene) {
    let mut c = s.actor("quiet", |mnt| {
        let mnt = mnt.to_path_buf();
        Box::new(move || show(user::statfs(&mnt).map(drop)))
    });
    assert_eq!(s.act(&mut c), "Ok(())");
    suites::settle::settle(&[c.pid]);
    s.serve();
}

/// FLUSH comes after the killed task's own WRITE, then RELEASE.
fn flush_after_own_write() {
    flush_wait("0");
    let mut s = Scene::new(sample());
    let mut a = write_of_the_killed(&mut s);
    let r = s.leave("first", &mut a, Op::WRITE, "");
    quiet(&mut s);
    assert_eq!(s.closes("first"), []);
    s.answered("first", &mut a, &r);
    assert!(s.end(vec![]).contains("[FLUSH, RELEASE]"));
}

/// Within the bound, the task stays for its WRITE and its FLUSH.
fn wait_for_own_write() {
    flush_wait(LONG);
    let mut s = Scene::new(sample());
    let mut a = write_of_the_killed(&mut s);
    let r = s.hold("first", &a, Op::WRITE, "");
    a.kill(libc::SIGKILL);
    quiet(&mut s);
    suites::settle::settle(&[a.pid]);
    s.serve();
    assert!(!a.exited(), "it does not wait for its WRITE");
    assert_eq!(s.closes("first"), []);
    s.hold_next("first", Op::FLUSH, "");
    s.answer("first", &r);
    let r = s.await_held(Op::FLUSH);
    suites::settle::settle(&[a.pid]);
    assert!(!a.exited(), "it does not wait for its FLUSH");
    s.answer("first", &r);
    s.gone(&mut a);
    s.end(vec![]);
}

/// The bound is for all files of a task: it goes, and each file's FLUSH comes before its RELEASE.
fn files_share_the_bound() {
    if !ours() {
        ktap::skip("C's task waits for ever");
    }
    flush_wait("1");
    let mut s = Scene::new(sample());
    let mut a = s.actor("first", |mnt| {
        let files: Vec<_> = (0..40).map(|_| open(mnt, "f", RW)).collect();
        Box::new(move || format!("{}", files.len()))
    });
    a.kill(libc::SIGKILL);
    // The daemon reads nothing.
    a.reap();
    assert_eq!(umount(&s.m.mnt, 0), Err(EBUSY));
    let text = s.end(vec![]);
    assert_eq!(text.matches("[FLUSH, RELEASE]").count(), 40, "{text}");
}

/// The killed opener's file is closed as if it had got it.
fn opened(op: Op, name: &'static str, flags: i32) {
    flush_wait("0");
    let mut s = Scene::new(sample());
    let mut a = s.actor("first", move |mnt| {
        let p = mnt.join(name);
        Box::new(move || show(user::open(&p, flags, 0o644).map(drop)))
    });
    let r = s.leave("first", &mut a, op, "");
    s.answered("first", &mut a, &r);
    let text = s.end(vec![]);
    assert!(text.contains("[FLUSH, RELEASE]"), "{text}");
}

fn opened_by_the_killed() {
    opened(Op::OPEN, "f", RW);
}

fn created_by_the_killed() {
    opened(Op::CREATE, "new", RW | libc::O_CREAT);
}

fn made_without_a_name_by_the_killed() {
    opened(Op::TMPFILE, "", RW | libc::O_TMPFILE);
}

/// Locks are this machine's.
fn local() -> Init {
    Init::plain().without("POSIX_LOCKS").without("FLOCK_LOCKS")
}

/// A killed task's lock of a whole file stays as long as its WRITE and its FLUSH are out.
fn flock_of_the_killed() {
    ktap::needs("CONFIG_FILE_LOCKING");
    flush_wait("0");
    let mut s = Scene::with(sample(), &local());
    let lock = |f: &std::os::fd::OwnedFd| {
        // SAFETY: integers.
        check(unsafe { libc::flock(f.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }).map(drop)
    };
    let mut a = s.actor("first", move |mnt| {
        let f = open(mnt, "f", RW);
        lock(&f).expect("flock");
        Box::new(move || show(user::pwrite(&f, b"x", 0)))
    });
    let mut b = s.actor("second", move |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(lock(&f)))
    });
    let r = s.leave("first", &mut a, Op::WRITE, "");
    assert_eq!(s.acts(&mut b).as_deref(), Some("Err(EAGAIN)"));
    s.hold_next("first", Op::FLUSH, "");
    s.answer("first", &r);
    let r = s.await_held(Op::FLUSH);
    assert_eq!(s.acts(&mut b).as_deref(), Some("Err(EAGAIN)"));
    s.answered("first", &mut a, &r);
    until("the lock to be free", || {
        (s.act(&mut b) == "Ok(())").then_some(())
    });
    s.end(vec![b]);
}

/// A record lock is free when the FLUSH that ends it has been answered.
fn record_lock_of_the_killed() {
    ktap::needs("CONFIG_FILE_LOCKING");
    flush_wait(LONG);
    let mut s = Scene::with(sample(), &local());
    let lock = |f: &std::os::fd::OwnedFd| {
        // SAFETY: all zeros are a valid one: the whole file.
        let mut l: libc::flock = unsafe { std::mem::zeroed() };
        l.l_type = libc::F_WRLCK as i16;
        // SAFETY: l is one.
        check(unsafe { libc::fcntl(f.as_raw_fd(), libc::F_SETLK, &l) }).map(drop)
    };
    let mut a = s.actor("first", move |mnt| {
        let f = open(mnt, "f", RW);
        lock(&f).expect("lock");
        Box::new(move || format!("{}", f.as_raw_fd()))
    });
    let mut b = s.actor("second", move |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(lock(&f)))
    });
    assert_eq!(s.act(&mut b), "Err(EAGAIN)");
    s.hold_next("first", Op::FLUSH, "");
    a.kill(libc::SIGTERM);
    let r = s.await_held(Op::FLUSH);
    assert_eq!(s.acts(&mut b).as_deref(), Some("Err(EAGAIN)"));
    s.answer("first", &r);
    until("the lock to be free", || {
        (s.act(&mut b) == "Ok(())").then_some(())
    });
    s.gone(&mut a);
    s.end(vec![b]);
}

/// One FLUSH, whose answer is waited for, then RELEASE.
fn killed_in_close() {
    flush_wait("0");
    let mut s = Scene::new(sample());
    let mut a = s.actor("first", |mnt| {
        let mut f = Some(open(mnt, "f", RW));
        Box::new(move || show(user::close(f.take().expect("once"))))
    });
    let r = s.leave("first", &mut a, Op::FLUSH, "");
    quiet(&mut s);
    assert_eq!(s.closes("first"), []);
    s.answered("first", &mut a, &r);
    let text = s.end(vec![]);
    assert!(text.contains("first 101: [RELEASE]"), "{text}");
}

/// Mounts there again.
fn mount_again(mnt: &Path) {
    let dev = mockd::mount::open_dev(false).expect("device");
    Setup::default().mount(dev.as_fd(), mnt).expect("mount");
    umount(mnt, 0).expect("umount");
}

/// While a request of an open file is out, the mount is busy; then it goes, and is there again.
fn remount() {
    flush_wait("0");
    let mut fs = sample();
    let id = fs.file("h", &[7; 9000]);
    let mut s = Scene::new(fs);
    s.open_flags.insert(id, wire::FOPEN_DIRECT_IO);
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "h", RW);
        Box::new(move || show(user::pread(&f, 5000, 0).map(drop)))
    });
    let r = s.leave("first", &mut a, Op::READ, "");
    for _ in 0..3 {
        s.serve();
        assert_eq!(umount(&s.m.mnt, 0), Err(EBUSY));
    }
    s.answered("first", &mut a, &r);
    let mnt = s.m.mnt.clone();
    s.end(vec![]);
    mount_again(&mnt);
}

/// A request of no open file keeps the mount busy in C only, where its caller is there.
fn umount_without_open_file() {
    let mut s = Scene::new(sample());
    let mut a = s.actor("first", |mnt| {
        let p = mnt.join("m");
        Box::new(move || show(user::mkdir(&p, 0o755)))
    });
    let r = s.leave("first", &mut a, Op::MKDIR, "");
    let mnt = s.m.mnt.clone();
    if ours() {
        umount(&mnt, 0).expect("umount");
        let answer = s.m.answer(&r, &mockd::mock::Answer::Err(EIO));
        assert!(answer.is_err(), "it is of no mount any more");
    } else {
        assert_eq!(umount(&mnt, 0), Err(EBUSY));
        s.answered("first", &mut a, &r);
        s.end(vec![]);
    }
    mount_again(&mnt);
}
