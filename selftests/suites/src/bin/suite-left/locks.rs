// SPDX-License-Identifier: GPL-2.0

//! Locks that the daemon grants to killed callers: whose they are, and that none is left which
//! nobody has.

use std::os::fd::OwnedFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::lock::*;
use mockd::wire::{self, Op};
use mockd::{Caller, Init, Request};
use suites::catalogue::sample;
use suites::daemon::until;
use suites::settle::settle;

use crate::exits::{flush_wait, LONG};
use crate::scene::{open, ours, show, Act, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        granted_after_exit,
        granted_while_it_exits,
        refused_after_exit,
        unlocked_after_exit,
        ofd_granted_after_exit,
        flock_granted_after_exit,
        flock_refused_after_exit,
        shared_files_have_it,
        shared_files_are_closed,
        shared_files_are_closed_and_locked,
        shared_files_are_closed_by_exit,
        shared_ofd_stays,
        shared_flock_stays,
    ]
}

const RW: i32 = libc::O_RDWR;

/// What a caller waits for.
type Wait = fn(&OwnedFd) -> Res<()>;

const POSIX: Wait = |f| setlkw(f, WRLCK, 0, 10);
const OFD: Wait = |f| fcntl(f, libc::F_OFD_SETLKW, (WRLCK, 0, 10, 0)).map(drop);
const FLOCK: Wait = |f| flock(f, libc::LOCK_EX);

fn scene() -> Scene {
    Scene::with(sample(), &Init::plain())
}

fn waits(s: &mut Scene, wait: Wait) -> Caller {
    s.actor("first", move |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(wait(&f)))
    })
}

/// Another process that tries to lock one byte.
fn other(s: &mut Scene, try_it: Wait) -> Caller {
    s.actor("second", move |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(try_it(&f)))
    })
}

/// The killed caller's file is closed, and it has no locks.
#[track_caller]
fn closed(s: &mut Scene, closes: &[Op]) {
    until("its file to be closed", || {
        s.serve();
        (s.closes("first") == closes).then_some(())
    });
    assert!(s.fs.locks.is_empty(), "{:?}", s.fs.locks);
}

/// Unlocks that have been sent for nobody: where callers leave there may be some.
fn given_back(s: &mut Scene) -> Vec<(u64, u64)> {
    let all = s.asked("somebody");
    let unlocks = all.iter().filter(|r| r.op == Op::SETLK && kind(r) == UNLCK);
    unlocks.map(|r| (r.get("start"), r.get("end"))).collect()
}

fn kind(r: &Request) -> i32 {
    r.get("type") as i32
}

/// FLUSH comes after the answer, and takes the lock with it.
fn granted_after_exit() {
    flush_wait("0");
    let mut s = scene();
    let mut a = waits(&mut s, POSIX);
    let r = s.leave("first", &mut a, Op::SETLKW, "");
    settle(&[]);
    s.serve();
    assert_eq!(s.closes("first"), []);
    s.answered("first", &mut a, &r);
    closed(&mut s, &[Op::FLUSH, Op::RELEASE]);
    assert_eq!(given_back(&mut s), []);
    s.end(vec![]);
}

/// The same for one that waits for its FLUSH.
fn granted_while_it_exits() {
    flush_wait(LONG);
    let mut s = scene();
    let mut a = waits(&mut s, POSIX);
    let r = s.hold("first", &a, Op::SETLKW, "");
    s.forget();
    a.kill(libc::SIGKILL);
    settle(&[a.pid]);
    assert!(!a.exited(), "gone before the answer");
    s.answer("first", &r);
    s.gone(&mut a);
    closed(&mut s, &[Op::FLUSH, Op::RELEASE]);
    s.end(vec![]);
}

fn refused_after_exit() {
    flush_wait("0");
    for wait in [POSIX, OFD] {
        let mut s = scene();
        let mut a = waits(&mut s, wait);
        let r = s.leave("first", &mut a, Op::SETLKW, "");
        s.m.fail(&r, EINTR);
        if !ours() {
            s.gone(&mut a);
        }
        closed(&mut s, &[Op::FLUSH, Op::RELEASE]);
        s.end(vec![]);
    }
}

/// The unlock of a killed caller is done as well.
fn unlocked_after_exit() {
    flush_wait("0");
    let mut s = scene();
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        setlk(&f, WRLCK, 0, 10).expect("lock");
        Box::new(move || show(setlk(&f, UNLCK, 0, 5)))
    });
    let mut b = other(&mut s, |f| setlk(f, WRLCK, 0, 5));
    let r = s.leave("first", &mut a, Op::SETLK, "");
    assert_eq!(s.act(&mut b), "Err(EAGAIN)");
    s.answered("first", &mut a, &r);
    until("the lock to be free", || {
        (s.act(&mut b) == "Ok(())").then_some(())
    });
    s.end(vec![b]);
}

/// The lock is the file's, which is closed after the answer.
#[track_caller]
fn goes_with_the_file(wait: Wait) {
    flush_wait("0");
    let mut s = scene();
    let mut a = waits(&mut s, wait);
    let r = s.leave("first", &mut a, Op::SETLKW, "");
    s.answered("first", &mut a, &r);
    closed(&mut s, &[Op::FLUSH, Op::RELEASE]);
    s.end(vec![]);
}

fn ofd_granted_after_exit() {
    goes_with_the_file(OFD);
}

/// RELEASE says that there is one, which it has learnt from the answer.
fn flock_granted_after_exit() {
    goes_with_the_file(FLOCK);
}

/// And says nothing if there is none.
fn flock_refused_after_exit() {
    flush_wait("0");
    let mut s = scene();
    let mut a = waits(&mut s, FLOCK);
    let r = s.leave("first", &mut a, Op::SETLKW, "");
    s.hold_next("first", Op::RELEASE, "");
    s.m.fail(&r, EINTR);
    if !ours() {
        s.gone(&mut a);
    }
    let r = s.await_held(Op::RELEASE);
    assert_eq!((r.get("release_flags"), r.get("lock_owner")), (0, 0));
    s.answer("first", &r);
    s.end(vec![]);
}

/// A child that has these files, one table of them with CLONE_FILES, and does nothing but this.
fn child(flags: i32, f: impl FnOnce()) -> i32 {
    let flags = i64::from(flags | libc::SIGCHLD);
    // SAFETY: As fork(2): the child has a copy of this process' memory, and uses nothing in it that
    // another thread might have been changing, as there is none.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) }).expect("clone");
    if pid == 0 {
        f();
        // SAFETY: no precondition; nothing is closed that is the parent's.
        unsafe { libc::_exit(0) };
    }
    pid as i32
}

/// A process with a child that shares its files, or copies of their descriptors. Told to act, it
/// starts the child, which waits for a lock, and says its number; then it waits for its end; then
/// it does these, one after the other.
fn family(s: &mut Scene, flags: i32, wait: Wait, then: &'static [fn(&mut Parent)]) -> Caller {
    s.actor("first", move |mnt| -> Act {
        let mut p = Parent {
            mnt: mnt.to_path_buf(),
            f: Some(open(mnt, "f", RW)),
        };
        let (mut n, mut pid) = (0, 0);
        Box::new(move || {
            n += 1;
            match n {
                1 => {
                    pid = child(flags, || {
                        let _ = wait(p.f.as_ref().expect("open"));
                    });
                    pid.to_string()
                }
                2 => {
                    let mut status = 0;
                    // SAFETY: a place for the status.
                    check(unsafe { libc::waitpid(pid, &mut status, 0) }).expect("waitpid");
                    "gone".into()
                }
                n => {
                    then[n - 3](&mut p);
                    "done".into()
                }
            }
        })
    })
}

/// What the process has.
struct Parent {
    mnt: std::path::PathBuf,
    f: Option<OwnedFd>,
}

impl Parent {
    fn unlock(&mut self) {
        setlk(self.f.as_ref().expect("open"), UNLCK, 0, 0).expect("unlock");
    }

    fn close(&mut self) {
        self.f = None;
    }

    fn lock_again(&mut self) {
        let f = open(&self.mnt, "f", RW);
        setlk(&f, WRLCK, 5, 10).expect("lock");
        self.f = Some(f);
    }

    fn exit(&mut self) {
        // SAFETY: no precondition.
        unsafe { libc::_exit(0) };
    }
}

/// The child waits for its lock, and is killed; with ours it is gone then.
fn child_is_killed(s: &mut Scene, parent: &mut Caller) -> Request {
    s.hold_next("somebody", Op::SETLKW, "");
    let pid: i32 = s.act(parent).parse().expect("a number");
    let r = s.await_held(Op::SETLKW);
    s.forget();
    // SAFETY: integers; the child has not been waited for.
    check(unsafe { libc::kill(pid, libc::SIGKILL) }).expect("kill");
    if ours() {
        assert_eq!(s.act(parent), "gone");
    } else {
        settle(&[pid]);
    }
    r
}

/// The answer, after which C's child is gone as well.
fn child_is_answered(s: &mut Scene, parent: &mut Caller, r: &Request) {
    s.answer("somebody", r);
    if !ours() {
        assert_eq!(s.act(parent), "gone");
    }
}

/// A lock of the same open files is that of the task that lives on, which gives it back itself.
fn shared_files_have_it() {
    flush_wait("0");
    let mut s = scene();
    let mut a = family(&mut s, libc::CLONE_FILES, POSIX, &[Parent::unlock]);
    let mut b = other(&mut s, |f| setlk(f, WRLCK, 0, 1));
    let r = child_is_killed(&mut s, &mut a);
    child_is_answered(&mut s, &mut a, &r);
    settle(&[]);
    assert_eq!(s.act(&mut b), "Err(EAGAIN)");
    assert_eq!(given_back(&mut s), []);
    assert_eq!(s.act(&mut a), "done");
    assert_eq!(s.act(&mut b), "Ok(())");
    s.end(vec![a, b]);
}

/// The file has been closed since: nobody has the lock, and no FLUSH will come. In C it is the
/// daemon's to drop it with the file.
fn shared_files_are_closed() {
    flush_wait("0");
    let mut s = scene();
    let node = s.fs.nodes[&wire::ROOT].children["f"];
    // C's parent has to wait for its child first, and so closes the file too late.
    if !ours() {
        ktap::skip("C's parent would have to close the file before its child is gone");
    }
    let mut a = family(&mut s, libc::CLONE_FILES, POSIX, &[Parent::close]);
    let mut b = other(&mut s, |f| setlk(f, WRLCK, 0, 1));
    let r = child_is_killed(&mut s, &mut a);
    assert_eq!(s.act(&mut a), "done");
    assert_eq!(s.closes("first"), [Op::FLUSH]);
    s.answer("somebody", &r);
    assert_eq!(s.fs.locks.of(node), [(WRLCK, 0, 9)]);
    until("the lock to be given back", || {
        s.serve();
        s.closes("first").ends_with(&[Op::RELEASE]).then_some(())
    });
    assert_eq!(given_back(&mut s), [(0, 9)]);
    assert_eq!(s.act(&mut b), "Ok(())");
    s.end(vec![a, b]);
}

/// It has been closed, and locked once more: that lock is not to go, nor to be made smaller.
fn shared_files_are_closed_and_locked() {
    flush_wait("0");
    if !ours() {
        ktap::skip("C's parent would have to close the file before its child is gone");
    }
    let mut s = scene();
    let then: &[fn(&mut Parent)] = &[Parent::close, Parent::lock_again, Parent::close];
    let mut a = family(&mut s, libc::CLONE_FILES, POSIX, then);
    let mut b = other(&mut s, |f| setlk(f, WRLCK, 12, 1));
    let r = child_is_killed(&mut s, &mut a);
    assert_eq!(s.act(&mut a), "done");
    assert_eq!(s.act(&mut a), "done");
    s.answer("somebody", &r);
    until("the first file to be closed", || {
        s.serve();
        s.closes("first").ends_with(&[Op::RELEASE]).then_some(())
    });
    assert_eq!(given_back(&mut s), []);
    assert_eq!(s.act(&mut b), "Err(EAGAIN)");
    assert_eq!(s.act(&mut a), "done");
    assert_eq!(s.act(&mut b), "Ok(())");
    s.end(vec![a, b]);
}

/// By the exit of the one that lived on: FLUSH waits for the answer, as in C, where the killed one
/// has the files until then.
fn shared_files_are_closed_by_exit() {
    flush_wait("0");
    let mut s = scene();
    let mut a = family(&mut s, libc::CLONE_FILES, POSIX, &[Parent::exit]);
    if !ours() {
        ktap::skip("C's parent would have to exit before its child is gone");
    }
    let r = child_is_killed(&mut s, &mut a);
    a.go();
    s.gone(&mut a);
    settle(&[]);
    s.serve();
    assert_eq!(s.closes("first"), []);
    s.answer("somebody", &r);
    closed(&mut s, &[Op::FLUSH, Op::RELEASE]);
    assert_eq!(given_back(&mut s), []);
    s.end(vec![]);
}

/// What is an open file's belongs to all that have it open.
fn shared_file_has_it(wait: Wait, try_it: Wait) {
    flush_wait("0");
    let mut s = scene();
    let mut a = family(&mut s, 0, wait, &[Parent::close]);
    let mut b = other(&mut s, try_it);
    let r = child_is_killed(&mut s, &mut a);
    child_is_answered(&mut s, &mut a, &r);
    settle(&[]);
    assert_eq!(s.act(&mut b), "Err(EAGAIN)");
    assert_eq!(given_back(&mut s), []);
    assert_eq!(s.act(&mut a), "done");
    until("the lock to be free", || {
        (s.act(&mut b) == "Ok(())").then_some(())
    });
    s.end(vec![a, b]);
}

fn shared_ofd_stays() {
    shared_file_has_it(OFD, |f| setlk(f, WRLCK, 0, 1));
}

fn shared_flock_stays() {
    shared_file_has_it(FLOCK, |f| flock(f, libc::LOCK_EX | libc::LOCK_NB));
}
