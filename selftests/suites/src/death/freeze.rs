// SPDX-License-Identifier: GPL-2.0

//! Suspend, as far as the freezer, with callers whose daemon does not answer.

use std::fs;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::wire::Op;
use mockd::{user, Caller, Mock, Request};

use crate::kit;

pub fn cases() -> Vec<Case> {
    cases![waiting_caller, interrupted_caller]
}

/// Freezes all tasks, and thaws them.
fn freeze() {
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
    if !std::path::Path::new("/sys/power/pm_test").exists() {
        ktap::skip("a kernel without CONFIG_PM_DEBUG");
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
