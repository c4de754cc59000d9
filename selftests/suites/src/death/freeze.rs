// SPDX-License-Identifier: GPL-2.0

//! Suspend, as far as the freezer, with callers whose daemon does not answer.

use std::fs;

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::message;
use mockd::wire::Op;
use mockd::{user, Caller, Init, Mock, Request, Setup};

use crate::{kit, points, table};

pub fn cases() -> Vec<Case> {
    cases![
        waiting_caller,
        interrupted_caller,
        before_init,
        no_room_in_the_background,
    ]
}

/// Freezes all tasks, and thaws them.
fn freeze() {
    if !std::path::Path::new("/sys/power/pm_test").exists() {
        ktap::skip("a kernel without CONFIG_PM_DEBUG");
    }
    if ktap::debug_kernel() && ktap::implementation() == Impl::C {
        ktap::skip("lockdep warns of C's callers, which are frozen with locks held");
    }
    let write = |file: &str, text: &str| {
        let file = format!("/sys/power/{file}");
        fs::write(&file, text).unwrap_or_else(|e| panic!("{file}: {e}"));
    };
    // Seconds that they stay frozen.
    let _ = fs::write("/sys/module/suspend/parameters/pm_test_delay", "1");
    write("pm_test", "freezer");
    write("state", "freeze");
    write("pm_test", "none");
}

fn asked(m: &mut Mock) -> (Caller, Request) {
    if !kit::killable() {
        ktap::skip("C's waits cannot be frozen: the suspend fails");
    }
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

/// With the directory's lock held. Being frozen is no signal.
fn waiting_caller() {
    let mut m = Mock::new();
    m.without_record();
    let (c, r) = asked(&mut m);
    freeze();
    assert!(!m.pending(), "an INTERRUPT");
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

/// Callers that must not go on yet wait so that they may be frozen, with C too.
fn before_init() {
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
        table::sample(),
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
