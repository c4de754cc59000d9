// SPDX-License-Identifier: GPL-2.0

//! Signals to a caller: INTERRUPT and what comes of it.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{message, Entry};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Caller, Mock, Request};

pub fn cases() -> Vec<Case> {
    cases![
        answered_eintr,
        answered_normally,
        restarted_by_flag,
        request_before_signal_is_read,
        signal_before_request_is_read,
        answered_before_interrupt_is_read,
        enosys_means_never_again,
        eagain_asks_again,
        eagain_after_the_answer,
        other_answers_are_ignored,
        answer_with_payload,
        answer_to_unknown,
        second_signal_is_silent,
        fatal_while_queued,
        fatal_while_queued_and_interrupted,
        fatal_while_with_daemon,
        fatal_after_interrupt,
        fatal_after_enosys,
        fatal_reader_then_others_go_on,
        flush_is_interrupted_too,
        read_and_write_are_interrupted,
        interrupt_of_readdir,
        ignored_signal_is_none,
        create_interrupted,
        stop_and_continue,
    ]
}

/// A caller that handles SIGUSR1 and stats "x".
fn caller(m: &mut Mock, restart: bool) -> Caller {
    m.caller(move |mnt, _| {
        user::catch_signal(libc::SIGUSR1, restart);
        user::lstat(&mnt.join("x")).map(|s| s.ino)
    })
}

/// The next message must be an INTERRUPT of `of`.
#[track_caller]
fn interrupt(m: &mut Mock, of: &Request) -> Request {
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), of.unique);
    assert_eq!(i.unique, of.unique | 1);
    assert_eq!(i.len(), 48);
    i
}

/// A caller whose LOOKUP the daemon has.
fn asked() -> (Mock, Caller, Request) {
    let mut m = Mock::new();
    let c = caller(&mut m, false);
    let r = m.expect_name(Op::LOOKUP, "x");
    (m, c, r)
}

/// The same, signalled since; its INTERRUPT, which the daemon has too, is the last.
fn interrupted() -> (Mock, Caller, Request, Request) {
    let (mut m, c, r) = asked();
    c.kill(libc::SIGUSR1);
    let i = interrupt(&mut m, &r);
    (m, c, r, i)
}

/// What the caller gets, and that nothing more comes.
#[track_caller]
fn ends(m: Mock, c: Caller, want: Res<u64>) {
    assert_eq!(c.join::<Res<u64>>(), want);
    m.finish();
}

fn answered_eintr() {
    let (m, c, r, _) = interrupted();
    m.fail(&r, EINTR);
    ends(m, c, Err(EINTR));
}

/// The daemon may as well finish what it does.
fn answered_normally() {
    let (m, c, r, _) = interrupted();
    m.reply(&r, &Entry::new(Attr::file(7, 1)).bytes());
    ends(m, c, Ok(7));
}

/// EINTR from the daemon is EINTR, whether or not the handler restarts system calls.
fn restarted_by_flag() {
    let mut m = Mock::new();
    let c = caller(&mut m, true);
    let r = m.expect_name(Op::LOOKUP, "x");
    c.kill(libc::SIGUSR1);
    interrupt(&mut m, &r);
    m.fail(&r, EINTR);
    ends(m, c, Err(EINTR));
}

fn request_before_signal_is_read() {
    let (mut m, c, r) = asked();
    m.expect_none();
    c.kill(libc::SIGUSR1);
    interrupt(&mut m, &r);
    m.expect_none();
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    m.expect_none();
    m.finish();
}

/// A request that is still queued stays so; the INTERRUPT comes right after it.
fn signal_before_request_is_read() {
    let mut m = Mock::new();
    let c = caller(&mut m, false);
    // It must be in the request, not before it.
    suites::daemon::until("the request", || m.pending().then_some(()));
    c.wait_asleep();
    c.kill(libc::SIGUSR1);
    c.wait_signalled();
    let r = m.request();
    assert_eq!((r.op, r.name()), (Op::LOOKUP, "x".into()), "{r:?}");
    interrupt(&mut m, &r);
    m.fail(&r, EINTR);
    ends(m, c, Err(EINTR));
}

/// The answer takes a queued INTERRUPT away with it.
fn answered_before_interrupt_is_read() {
    let (m, c, r) = asked();
    c.kill(libc::SIGUSR1);
    suites::daemon::until("the INTERRUPT", || m.pending().then_some(()));
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    assert!(!m.pending(), "an INTERRUPT of what is over");
    m.finish();
}

fn enosys_means_never_again() {
    let (mut m, c, r, i) = interrupted();
    m.fail(&i, ENOSYS);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<u64>>(), Err(EINTR));
    let c = caller(&mut m, false);
    let r = m.expect_name(Op::LOOKUP, "x");
    c.wait_asleep();
    c.kill(libc::SIGUSR1);
    c.wait_signalled();
    m.expect_none();
    m.fail(&r, ENOENT);
    ends(m, c, Err(ENOENT));
}

/// "Not yet known": it is sent again.
fn eagain_asks_again() {
    let (mut m, c, r) = asked();
    c.kill(libc::SIGUSR1);
    for _ in 0..5 {
        let i = interrupt(&mut m, &r);
        m.fail(&i, EAGAIN);
    }
    interrupt(&mut m, &r);
    m.fail(&r, EINTR);
    ends(m, c, Err(EINTR));
}

fn eagain_after_the_answer() {
    let (m, c, r, i) = interrupted();
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<u64>>(), Err(EINTR));
    assert_eq!(m.write(&message(i.unique, -libc::EAGAIN, &[])), Err(ENOENT));
    assert!(!m.pending());
    m.finish();
}

fn other_answers_are_ignored() {
    let (m, c, r, i) = interrupted();
    for e in [0, -libc::EINTR, -libc::EIO, -libc::ENOENT] {
        assert_eq!(m.write(&message(i.unique, e, &[])), Ok(16));
    }
    assert!(!m.pending());
    m.fail(&r, ENOENT);
    ends(m, c, Err(ENOENT));
}

fn answer_with_payload() {
    let (m, c, r, i) = interrupted();
    assert_eq!(m.write(&message(i.unique, 0, &[0; 4])), Err(EINVAL));
    assert_eq!(
        m.write(&message(i.unique, -libc::EAGAIN, &[0; 4])),
        Err(EINVAL)
    );
    assert!(!m.pending());
    m.fail(&r, ENOENT);
    ends(m, c, Err(ENOENT));
}

fn answer_to_unknown() {
    let mut m = Mock::new();
    assert_eq!(
        m.write(&message(0x7fff_ffff, -libc::EAGAIN, &[])),
        Err(ENOENT)
    );
    // A request that was never interrupted: EAGAIN for it is refused.
    let c = caller(&mut m, false);
    let r = m.expect_name(Op::LOOKUP, "x");
    assert_eq!(
        m.write(&message(r.unique | 1, -libc::EAGAIN, &[])),
        Err(EINVAL)
    );
    assert_eq!(m.write(&message(r.unique | 1, 0, &[])), Ok(16));
    assert!(!m.pending());
    m.fail(&r, ENOENT);
    ends(m, c, Err(ENOENT));
}

fn second_signal_is_silent() {
    let (mut m, c, r, _) = interrupted();
    for _ in 0..3 {
        c.kill(libc::SIGUSR1);
        c.wait_signalled();
    }
    m.expect_none();
    m.fail(&r, ENOENT);
    ends(m, c, Err(ENOENT));
}

/// Killed while its request is queued: the daemon never hears of it.
fn fatal_while_queued() {
    let mut m = Mock::new();
    let mut a = caller(&mut m, false);
    suites::daemon::until("the request", || m.pending().then_some(()));
    a.wait_asleep();
    a.kill(libc::SIGKILL);
    let st = a.reap();
    assert!(libc::WIFSIGNALED(st));
    assert!(!m.pending(), "the request of a dead caller");
    let b = m.call("y", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "y");
    m.fail(&r, ENOENT);
    assert_eq!(b.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

/// The same for one that was interrupted before: there is no INTERRUPT of what was never read.
fn fatal_while_queued_and_interrupted() {
    let mut m = Mock::new();
    let mut c = caller(&mut m, false);
    suites::daemon::until("the request", || m.pending().then_some(()));
    c.wait_asleep();
    c.kill(libc::SIGUSR1);
    c.wait_signalled();
    c.kill(libc::SIGKILL);
    assert!(libc::WIFSIGNALED(c.reap()));
    assert!(!m.pending(), "the request of a dead caller");
    m.finish();
}

/// Killed while the daemon has it: INTERRUPT comes, and after the answer the caller is gone.
fn fatal_while_with_daemon() {
    let (mut m, mut c, r) = asked();
    c.kill(libc::SIGKILL);
    interrupt(&mut m, &r);
    // Whether the caller waits for it or not, the answer is taken.
    m.fail(&r, EINTR);
    assert!(libc::WIFSIGNALED(c.reap()));
    m.finish();
}

/// Killed when the daemon knows already that it was interrupted: it is not told twice.
fn fatal_after_interrupt() {
    let (mut m, mut c, r, _) = interrupted();
    c.kill(libc::SIGKILL);
    m.expect_none();
    m.fail(&r, EINTR);
    assert!(libc::WIFSIGNALED(c.reap()));
    m.expect_none();
    m.finish();
}

/// Killed in a request to a daemon that knows no INTERRUPT.
fn fatal_after_enosys() {
    let (mut m, c, r, i) = interrupted();
    m.fail(&i, ENOSYS);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<u64>>(), Err(EINTR));
    let mut c = caller(&mut m, false);
    let r = m.expect_name(Op::LOOKUP, "x");
    c.wait_asleep();
    c.kill(libc::SIGKILL);
    m.expect_none();
    m.fail(&r, ENOENT);
    assert!(libc::WIFSIGNALED(c.reap()));
    m.expect_none();
    m.finish();
}

fn fatal_reader_then_others_go_on() {
    let mut m = Mock::new();
    let mut cs: Vec<Caller> = (0..5)
        .map(|i| m.call(&format!("n{i}"), |p| user::lstat(p).map(drop)))
        .collect();
    cs.iter().for_each(Caller::wait_asleep);
    suites::daemon::until("a request", || m.pending().then_some(()));
    // From the middle of the queue.
    let mut dead = cs.remove(2);
    dead.kill(libc::SIGKILL);
    dead.reap();
    let mut names: Vec<String> = (0..4)
        .map(|_| {
            let r = m.expect(Op::LOOKUP);
            m.fail(&r, ENOENT);
            r.name()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["n0", "n1", "n3", "n4"]);
    for c in cs {
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    m.without_record();
    m.finish();
}

/// Runs a caller until `op` comes, interrupts it there, and lets the rest go its way.
fn interrupted_in<T: mockd::msg::Msg>(
    op: Op,
    fs: &mut Memfs,
    answer: Option<Errno>,
    f: impl FnOnce(&std::path::Path) -> T,
) -> T {
    let mut m = Mock::new();
    m.rec.exact_reads();
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        f(mnt)
    });
    let mut c = [c];
    let mut done = false;
    let start = std::time::Instant::now();
    while !c[0].ended() {
        assert!(
            start.elapsed() < ktap::patience(),
            "caller hangs: {}",
            c[0].state()
        );
        if !m.pending() {
            continue;
        }
        let r = m.request();
        let mut a = fs.handle(&r);
        if r.op == op && !done {
            done = true;
            c[0].kill(libc::SIGUSR1);
            interrupt(&mut m, &r);
            if let Some(e) = answer {
                a = Answer::Err(e);
            }
        }
        m.answer(&r, &a).expect("answer");
    }
    assert!(done, "{op:?} never came");
    let [c] = c;
    let v = c.join();
    m.finish();
    v
}

fn sample() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", &[7; 9000]);
    fs
}

fn flush_is_interrupted_too() {
    let r: Res<()> = interrupted_in(Op::FLUSH, &mut sample(), Some(EINTR), |m| {
        user::close(user::open(&m.join("f"), libc::O_RDWR, 0)?)
    });
    assert_eq!(r, Err(EINTR));
}

fn read_and_write_are_interrupted() {
    for flags in [0, mockd::wire::FOPEN_DIRECT_IO] {
        let mut fs = sample();
        fs.open_flags = flags;
        let r: Res<usize> = interrupted_in(Op::WRITE, &mut fs, Some(EINTR), |m| {
            user::pwrite(&user::open(&m.join("f"), libc::O_WRONLY, 0)?, b"abc", 0)
        });
        assert_eq!(r, Err(EINTR), "write, flags {flags}");
    }
    let mut fs = sample();
    fs.open_flags = mockd::wire::FOPEN_DIRECT_IO;
    let r: Res<Vec<u8>> = interrupted_in(Op::READ, &mut fs, Some(EINTR), |m| {
        user::pread(&user::open(&m.join("f"), libc::O_RDONLY, 0)?, 10, 0)
    });
    assert_eq!(r, Err(EINTR));
}

fn interrupt_of_readdir() {
    let r: Res<Vec<String>> = interrupted_in(Op::READDIR, &mut sample(), Some(EINTR), user::list);
    assert_eq!(r, Err(EINTR));
    let r: Res<Vec<String>> = interrupted_in(Op::OPENDIR, &mut sample(), None, user::list);
    assert_eq!(r, Ok(vec!["f".to_string()]));
}

/// A signal that is ignored or blocked interrupts nothing.
fn ignored_signal_is_none() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        // SAFETY: a signal number, and a set of one signal.
        unsafe {
            libc::signal(libc::SIGUSR1, libc::SIG_IGN);
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&mut set, libc::SIGUSR2);
            libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        }
        user::lstat(&mnt.join("x")).map(drop)
    });
    let r = m.expect_name(Op::LOOKUP, "x");
    c.wait_asleep();
    c.kill(libc::SIGUSR1);
    c.kill(libc::SIGUSR2);
    c.wait_asleep();
    m.expect_none();
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

/// CREATE that is interrupted: the caller has no file, whatever the daemon made.
fn create_interrupted() {
    let r: Res<()> = interrupted_in(Op::CREATE, &mut Memfs::new(), Some(EINTR), |m| {
        user::open(&m.join("new"), libc::O_CREAT | libc::O_RDWR, 0o644).map(drop)
    });
    assert_eq!(r, Err(EINTR));
    let r: Res<()> = interrupted_in(Op::CREATE, &mut Memfs::new(), None, |m| {
        user::open(&m.join("new"), libc::O_CREAT | libc::O_RDWR, 0o644).map(drop)
    });
    assert_eq!(r, Ok(()));
}

/// Stopped and continued, the caller gets its answer.
fn stop_and_continue() {
    let (mut m, c, r) = asked();
    c.kill(libc::SIGSTOP);
    interrupt(&mut m, &r);
    c.kill(libc::SIGCONT);
    m.reply(&r, &Entry::new(Attr::file(3, 1)).bytes());
    ends(m, c, Ok(3));
}
