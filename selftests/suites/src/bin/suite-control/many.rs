// SPDX-License-Identifier: GPL-2.0

//! The end of a connection with very many requests in its queues: it comes in steps, and all end.

use std::path::{Path, PathBuf};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::daemon::umount_soon;
use suites::fusectl;
use suites::setting::{get, set};

pub fn cases() -> Vec<Case> {
    cases![
        abort_of_many_reads,
        umount_of_many_reads,
        close_of_many_reads,
        abort_of_many_taken,
        abort_of_many_forgets,
        abort_of_many_releases,
        abort_of_many_closed_files,
    ]
}

/// So many READs; each has a page of the page cache locked. There cannot be more than 65,535.
fn many() -> usize {
    if ktap::debug_kernel() {
        8_000
    } else {
        60_000
    }
}

/// So many of what no limit holds back. `RF_MANY` makes them more, if the machine has the memory: a
/// few KiB for each.
fn unlimited() -> usize {
    match std::env::var("RF_MANY") {
        Ok(n) => n.parse().expect("RF_MANY"),
        Err(_) => many() / 20,
    }
}

const PAGE: usize = 4096;

/// A mount whose READs are of one page each, and may be as many as there can be.
fn mount() -> Mock {
    let init = Init {
        max_pages: 1,
        max_background: 65_535,
        congestion_threshold: 65_535,
        max_readahead: u32::MAX,
        ..Init::plain()
    };
    Mock::with(&Setup::default(), &init)
}

/// Has the kernel read a whole file ahead; gives the mount when all READs are queued.
fn reads(n: usize) -> Mock {
    let (mut m, mut fs) = (mount(), Memfs::new());
    m.without_record();
    let id = fs.file("f", b"");
    fs.nodes.get_mut(&id).expect("file").attr.size = (n * PAGE) as u64;
    let ahead = format!("/sys/class/bdi/0:{}/read_ahead_kb", fusectl::id(&m.mnt));
    set(Path::new(&ahead), &(n * PAGE / 1024).to_string()).expect("read_ahead_kb");
    let mut c = m.caller(|mnt, io| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0).expect("open");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&f);
        // SAFETY: integers.
        let r = unsafe { libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_WILLNEED) };
        io.put(r as u32);
        io.wait();
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        let r = m.expect(op);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    assert_eq!(c.get::<u32>(), 0);
    assert_eq!(fusectl::waiting(&m.mnt) as usize, n);
    c.kill(libc::SIGKILL);
    m
}

/// While `end` ends the connection, others get at the queues, and the number falls step by step.
/// Whether that was seen.
#[track_caller]
fn ends_in_steps(m: &Mock, n: usize, end: impl FnOnce() + Send) -> bool {
    let dir = fusectl::dir(&m.mnt);
    let number = |name: &str| -> Option<usize> {
        let t = get(&dir.join(name)).ok()?;
        t.trim_end().parse().ok()
    };
    let (mut between, mut steps) = (0, std::collections::BTreeSet::new());
    std::thread::scope(|s| {
        let ending = s.spawn(end);
        let bound = std::time::Instant::now() + ktap::patience();
        loop {
            let waiting = number("waiting");
            // This one takes the lock of the queues.
            let max = number("max_background");
            match (waiting, max) {
                (Some(0) | None, _) if ending.is_finished() => break,
                (Some(w), Some(max)) if w > 0 && w < n && max > 65_535 => {
                    between += 1;
                    steps.insert(w);
                }
                _ => {}
            }
            assert!(std::time::Instant::now() < bound, "{waiting:?} left");
        }
    });
    println!(
        "{n} requests: looked {between} times, saw {} numbers",
        steps.len()
    );
    steps.len() > 1
}

/// Tries a few times: it may be that whoever looks does not run meanwhile.
#[track_caller]
fn seen_once(attempt: impl Fn() -> bool) {
    assert!((0..5).any(|_| attempt()), "nobody got in between");
}

fn abort_of_many_reads() {
    ktap::needs_second_processor();
    seen_once(|| {
        let n = many();
        let m = reads(n);
        let seen = ends_in_steps(&m, n, || fusectl::abort(&m.mnt).expect("abort"));
        fusectl::await_waiting(&m.mnt, 0);
        assert_eq!(m.read().err(), Some(ENODEV));
        umount_soon(&m.mnt);
        seen
    });
}

fn umount_of_many_reads() {
    let n = many();
    let m = reads(n);
    let dir: PathBuf = fusectl::dir(&m.mnt);
    umount(&m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    // The caller has been killed; its file goes with it.
    let bound = std::time::Instant::now() + ktap::patience();
    while dir.exists() {
        assert!(std::time::Instant::now() < bound, "{} stays", dir.display());
        std::thread::yield_now();
    }
    assert_eq!(m.read().err(), Some(ENODEV));
}

fn close_of_many_reads() {
    let m = reads(many());
    let mnt = m.die();
    fusectl::await_waiting(&mnt, 0);
    umount_soon(&mnt);
}

/// The daemon has taken all of them.
fn abort_of_many_taken() {
    ktap::needs_second_processor();
    seen_once(|| {
        let n = many() / 4;
        let mut m = reads(n);
        m.buf = 1 << 18;
        // The caller, killed, wants to close its file.
        let ops: Vec<Op> = (0..n).map(|_| m.request().op).collect();
        assert!(ops.iter().all(|op| [Op::READ, Op::FLUSH].contains(op)));
        let seen = ends_in_steps(&m, n, || fusectl::abort(&m.mnt).expect("abort"));
        fusectl::await_waiting(&m.mnt, 0);
        umount_soon(&m.mnt);
        seen
    });
}

/// Names that were looked up; then all of them are forgotten at once, and the daemon does not look.
fn abort_of_many_forgets() {
    let n = unlimited();
    let (mut m, mut fs) = (mount(), Memfs::new());
    m.without_record();
    for i in 0..n {
        fs.file(&format!("f{i}"), b"");
    }
    let r: Res<()> = m.run(&mut fs, |mnt| {
        (0..n).try_for_each(|i| user::lstat(&mnt.join(format!("f{i}"))).map(drop))
    });
    assert_eq!(r, Ok(()));
    user::drop_caches();
    assert!(m.pending(), "no FORGETs");
    assert_eq!(fusectl::waiting(&m.mnt), 0);
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    assert_eq!(m.read().err(), Some(ENODEV));
    m.umount();
}

/// RELEASEs that the daemon has taken.
fn abort_of_many_releases() {
    let n = many() / 20;
    let (mut m, mut fs) = (mount(), Memfs::new());
    m.without_record();
    fs.file("f", b"");
    fs.on(Op::FLUSH, Answer::Err(ENOSYS));
    let c: Caller = m.call("f", move |p| -> Res<()> {
        (0..n).try_for_each(|_| user::close(user::open(p, libc::O_RDONLY, 0)?))
    });
    let mut kept = 0;
    let r: Res<()> = m.serve(c, &mut |r| {
        if r.op == Op::RELEASE {
            kept += 1;
            return Answer::None;
        }
        fs.handle(r)
    });
    assert_eq!((r, kept), (Ok(()), n));
    assert_eq!(fusectl::waiting(&m.mnt) as usize, n);
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    assert_eq!(fusectl::waiting(&m.mnt), 0);
    m.umount();
}

/// RELEASEs that it has not: a caller with many open files is killed.
fn abort_of_many_closed_files() {
    ktap::needs_second_processor();
    let n = unlimited();
    let (mut m, mut fs) = (mount(), Memfs::new());
    m.without_record();
    fs.file("f", b"");
    fs.on(Op::FLUSH, Answer::Err(ENOSYS));
    let mut c = m.caller(move |mnt, io| {
        let limit = libc::rlimit {
            rlim_cur: n as u64 + 100,
            rlim_max: n as u64 + 100,
        };
        // SAFETY: a limit to be read.
        mockd::errno::check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })
            .expect("RLIMIT_NOFILE");
        let f = mnt.join("f");
        let open = |_| user::open(&f, libc::O_RDONLY, 0).expect("open");
        let files: Vec<_> = (0..n).map(open).collect();
        // So that no FLUSH is sent any more.
        user::close(open(n)).expect("close");
        io.put(files.len());
        io.wait();
    });
    let mut opened = 0;
    while opened <= n {
        let r = m.request();
        opened += usize::from(r.op == Op::OPEN);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    let r = m.expect(Op::FLUSH);
    m.fail(&r, ENOSYS);
    assert_eq!(c.get::<usize>(), n);
    c.kill(libc::SIGKILL);
    c.reap();
    // And that of the file that was closed.
    fusectl::await_waiting(&m.mnt, n as u32 + 1);
    if n >= many() {
        let seen = ends_in_steps(&m, n, || fusectl::abort(&m.mnt).expect("abort"));
        assert!(seen, "nobody got in between");
    } else {
        fusectl::abort(&m.mnt).expect("abort");
    }
    fusectl::await_waiting(&m.mnt, 0);
    assert_eq!(m.read().err(), Some(ENODEV));
    m.umount();
}
