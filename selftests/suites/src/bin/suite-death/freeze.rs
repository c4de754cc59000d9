// SPDX-License-Identifier: GPL-2.0

//! Suspend, as far as the freezer, with callers whose daemon does not answer; and a control group's
//! freezer (v1), which freezes the caller alone.

use std::fs;
use std::sync::mpsc;

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{mount, umount};
use mockd::reply::message;
use mockd::wire::Op;
use mockd::{user, Caller, Init, Mock, Request, Setup};

use crate::kit::NotKillable;
use crate::{kit, points};

pub fn cases() -> Vec<Case> {
    cases![
        waiting_caller,
        interrupted_caller,
        callers_come_and_go,
        not_killable,
        before_init,
        before_init_when_not_killable,
        no_room_in_the_background,
        alone,
        alone_at_the_gate,
    ]
}

fn power(file: &str, text: &str) -> Res<()> {
    let file = format!("/sys/power/{file}");
    Ok(fs::write(file, text)?)
}

/// Whether this machine, and its kernel's checks, can do what follows.
fn can_freeze() {
    ktap::needs("CONFIG_SUSPEND");
    ktap::needs("CONFIG_PM_SLEEP_DEBUG");
    if ktap::debug_kernel() && ktap::implementation() == Impl::C {
        ktap::skip("lockdep warns of C's callers, which are frozen with locks held");
    }
}

/// Freezes all tasks, and thaws them; or they are not frozen in time.
fn try_freeze() -> Res<()> {
    // Seconds that they stay frozen.
    let _ = fs::write("/sys/module/suspend/parameters/pm_test_delay", "1");
    power("pm_test", "freezer").expect("pm_test");
    let frozen = power("state", "freeze");
    power("pm_test", "none").expect("pm_test");
    frozen
}

fn freeze() {
    can_freeze();
    assert_eq!(try_freeze(), Ok(()));
}

/// A caller with the root directory's lock, and its MKDIR. It catches SIGUSR1.
fn making(m: &mut Mock) -> (Caller, Request) {
    let c = m.call("new", |p| {
        user::catch_signal(libc::SIGUSR1, false);
        user::mkdir(p, 0o755)
    });
    let r = kit::next(m);
    m.fail(&r, ENOENT);
    let r = kit::next(m);
    assert_eq!(r.op, Op::MKDIR);
    c.wait_asleep();
    (c, r)
}

fn asked(m: &mut Mock) -> (Caller, Request) {
    if !kit::killable() {
        ktap::skip("C's waits cannot be frozen: the suspend fails");
    }
    making(m)
}

/// With the directory's lock held, and more than once. Being frozen is no signal.
fn waiting_caller() {
    let mut m = Mock::new();
    m.without_record();
    let (c, r) = asked(&mut m);
    for _ in 0..2 {
        freeze();
        assert!(!m.pending(), "an INTERRUPT");
        c.wait_asleep();
    }
    m.fail(&r, EPERM);
    assert_eq!(c.join::<Res<()>>(), Err(EPERM));
    m.finish();
}

/// With the INTERRUPT sent, so that only SIGKILL would end the wait.
fn interrupted_caller() {
    let mut m = Mock::new();
    m.without_record();
    let (c, r) = asked(&mut m);
    c.kill(libc::SIGUSR1);
    m.expect(Op::INTERRUPT);
    c.wait_asleep();
    freeze();
    assert!(!m.pending());
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    m.finish();
}

/// One waits all the time; others come, and are answered, before, while and after tasks are frozen,
/// the daemon among them, which stops in the middle of anything.
fn callers_come_and_go() {
    can_freeze();
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    let (c, r) = asked(&mut m);
    let stop = ktap::dir().join("stop");
    let mut others: Vec<_> = (0..4)
        .map(|_| {
            let stop = stop.clone();
            m.caller(move |mnt, _| {
                let mut calls = 0u64;
                while !stop.exists() {
                    user::statfs(mnt)?;
                    calls += 1;
                }
                Res::Ok(calls)
            })
        })
        .collect();
    let (tell, over) = mpsc::channel();
    let freezer = std::thread::spawn(move || {
        let frozen: Vec<_> = (0..3).map(|_| try_freeze()).collect();
        tell.send(()).expect("the daemon");
        frozen
    });
    while over.try_recv().is_err() {
        m.one_pending(&mut |r| fs.handle(r));
    }
    assert_eq!(freezer.join().expect("freezer"), [Ok(()); 3]);
    std::fs::write(&stop, "").expect("stop");
    m.serve_all(&mut others, &mut |r| fs.handle(r));
    for c in others {
        assert!(c.join::<Res<u64>>().expect("statfs") > 0);
    }
    m.fail(&r, EPERM);
    assert_eq!(c.join::<Res<()>>(), Err(EPERM));
    kit::close_down(&mut m, &mut fs);
}

/// Without the parameter the suspend fails, and all goes on.
fn not_killable() {
    can_freeze();
    const TIMEOUT: &str = "pm_freeze_timeout";
    let _n = NotKillable::new();
    let mut m = Mock::new();
    m.without_record();
    let (c, r) = making(&mut m);
    power(TIMEOUT, "500").expect(TIMEOUT);
    let frozen = try_freeze();
    power(TIMEOUT, "20000").expect(TIMEOUT);
    assert_eq!(frozen, Err(EBUSY));
    // The freezer wakes tasks up as for a signal.
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    m.fail(&r, EPERM);
    assert_eq!(c.join::<Res<()>>(), Err(EPERM));
    m.finish();
}

/// Callers that must not go on yet wait so that they may be frozen, with C too.
fn before_init() {
    frozen_before_init();
}

fn before_init_when_not_killable() {
    let _n = NotKillable::new();
    frozen_before_init();
}

fn frozen_before_init() {
    let mut m = Mock::uninit(&Setup::default());
    m.without_record();
    let init = m.expect(Op::INIT);
    let c = m.call("d", |p| user::mkdir(p, 0o755));
    c.wait_asleep();
    freeze();
    m.write(&message(init.unique, 0, &Init::plain().bytes()))
        .expect("answer");
    let mut fs = Memfs::new();
    assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    m.finish();
}

fn no_room_in_the_background() {
    let (mut fs, init) = (
        kit::sample(),
        Init {
            max_background: 1,
            ..Init::plain()
        },
    );
    let mut m = Mock::with(&Setup::default(), &init);
    m.without_record();
    let busy = points::busy(&mut m, &mut fs);
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        user::pread(&f, 10, 0).map(|bytes| bytes.len())
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        let r = m.expect(op);
        kit::answer(&m, &mut fs, &r);
    }
    c.wait_asleep();
    freeze();
    assert!(!m.pending(), "more than the limit");
    m.reply(&busy, &[]);
    assert_eq!(m.serve::<Res<usize>>(c, &mut |r| fs.handle(r)), Ok(10));
    m.finish();
}

/// A control group with a freezer of its own.
struct Group(std::path::PathBuf);

impl Group {
    fn new() -> Group {
        ktap::needs("CONFIG_CGROUP_FREEZER");
        let top = ktap::dir().join("freezer");
        fs::create_dir_all(&top).expect("directory");
        mount("none", &top, "cgroup", 0, "freezer").expect("control group");
        let group = Group(top.join("group"));
        fs::create_dir(&group.0).expect("group");
        group
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).expect(file);
    }

    /// Begins to freeze a caller and what is in the group with it.
    fn freeze(&self, c: &Caller) {
        self.write("cgroup.procs", &c.pid.to_string());
        self.write("freezer.state", "FROZEN");
    }

    fn state(&self) -> String {
        let text = fs::read_to_string(self.0.join("freezer.state")).expect("freezer.state");
        text.trim().to_string()
    }

    /// Thaws it, and removes the group once it is empty.
    fn thaw(&self) {
        self.write("freezer.state", "THAWED");
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("freezer.state"), "THAWED");
        suites::daemon::until("the group to be empty", || fs::remove_dir(&self.0).ok());
        let _ = umount(self.0.parent().expect("mount"), 0);
    }
}

/// Frozen with the directory's lock, a caller would keep all others out of it, though it has its
/// answer.
fn alone() {
    let group = Group::new();
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    let (a, r) = making(&mut m);
    group.freeze(&a);
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    let b = m.call("other", |p| user::mkdir(p, 0o755));
    b.wait_asleep();
    assert_eq!(group.state(), "FREEZING");
    m.fail(&r, EPERM);
    assert_eq!(m.serve::<Res<()>>(b, &mut |r| fs.handle(r)), Ok(()));
    suites::daemon::until("the caller to be frozen", || {
        (group.state() == "FROZEN").then_some(())
    });
    group.thaw();
    assert_eq!(a.join::<Res<()>>(), Err(EPERM));
    kit::close_down(&mut m, &mut fs);
}

/// The same before INIT is answered. C's is frozen there.
fn alone_at_the_gate() {
    let group = Group::new();
    if !kit::killable() {
        ktap::skip("C's caller keeps the lock");
    }
    let mut m = Mock::uninit(&Setup::default());
    m.without_record();
    let init = m.expect(Op::INIT);
    let mut fs = Memfs::new();
    let a = m.call("d", |p| user::mkdir(p, 0o755));
    a.wait_asleep();
    group.freeze(&a);
    let b = m.call("e", |p| user::mkdir(p, 0o755));
    b.wait_asleep();
    m.write(&message(init.unique, 0, &Init::plain().bytes()))
        .expect("answer");
    assert_eq!(m.serve::<Res<()>>(b, &mut |r| fs.handle(r)), Ok(()));
    group.thaw();
    assert_eq!(m.serve::<Res<()>>(a, &mut |r| fs.handle(r)), Ok(()));
    kit::close_down(&mut m, &mut fs);
}
