// SPDX-License-Identifier: GPL-2.0

//! The directory of a connection in debugfs. Ours alone: C has nothing like it.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};

use suites::daemon::Daemon;
use suites::fusectl;
use suites::releases::unanswered;

use super::notify::{send, RESEND};
use super::steps::look;

pub fn cases() -> Vec<Case> {
    match ktap::implementation() {
        Impl::C => Vec::new(),
        Impl::Rust => cases![
            directory_comes_and_goes,
            who_may,
            where_requests_are,
            shown_before_init,
            stopped_daemon,
            flags_and_names,
            thousands,
            open_while_unmounted,
            read_while_busy,
            latency_off,
            latency_counts,
            latency_of_resent,
            latency_written_wrong,
            latency_until_unmounted,
        ],
    }
}

/// There is nothing on C's side to compare with.
fn with(setup: &Setup, init: &Init) -> Mock {
    let mut m = Mock::with(setup, init);
    m.without_record();
    m
}

fn mock() -> Mock {
    with(&Setup::default(), &Init::plain())
}

const ROOT: &str = "/sys/kernel/debug/fuse";

/// The connection's directory.
fn dir(m: &Mock) -> PathBuf {
    dir_of(&m.mnt)
}

fn dir_of(mnt: &Path) -> PathBuf {
    ktap::needs("CONFIG_DEBUG_FS");
    Path::new(ROOT).join(fusectl::id(mnt).to_string())
}

/// A line of `requests`.
#[derive(Debug, PartialEq, Clone)]
struct Row {
    unique: u64,
    op: String,
    node: u64,
    state: String,
    ms: u64,
    flags: String,
    pid: i32,
    name: String,
}

/// The head and the rows.
fn requests(text: &str) -> (String, Vec<Row>) {
    let mut lines = text.lines();
    let head = lines.next().expect("a head").to_string();
    let names = lines.next().expect("names of the columns");
    assert!(names.starts_with('#'), "{names}");
    let rows = lines.map(|line| {
        let mut words = line.split_ascii_whitespace();
        let mut word = || words.next().unwrap_or_else(|| panic!("{line}")).to_string();
        Row {
            unique: word().parse().expect("unique"),
            op: word(),
            node: word().parse().expect("node"),
            state: word(),
            ms: word().parse().expect("age"),
            flags: word(),
            pid: word().parse().expect("pid"),
            name: words.collect::<Vec<_>>().join(" "),
        }
    });
    (head, rows.collect())
}

fn read(m: &Mock) -> (String, Vec<Row>) {
    requests(&fs::read_to_string(dir(m).join("requests")).expect("requests"))
}

#[track_caller]
fn queued(m: &mut Mock, name: &str) -> Caller {
    let c = look(m, name);
    suites::daemon::until("the request", || m.pending().then_some(()));
    c.wait_asleep();
    c
}

fn directory_comes_and_goes() {
    let m = mock();
    let at = dir(&m);
    let mut names: Vec<_> = fs::read_dir(&at)
        .expect("directory")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["latency", "requests"]);
    assert_eq!(read(&m).1, []);
    m.finish();
    assert!(!at.exists());
    // Another mount of the same connection is the same directory.
    let m = mock();
    let at = dir(&m);
    drop(m.die());
    assert!(at.exists(), "as long as it is mounted");
}

/// Root alone, whoever has mounted.
fn who_may() {
    let m = with(
        &Setup::default()
            .opt("user_id", "1000")
            .opt("group_id", "1000"),
        &Init::plain(),
    );
    for (name, mode) in [("requests", 0o400), ("latency", 0o600)] {
        let meta = fs::metadata(dir(&m).join(name)).expect(name);
        assert_eq!(meta.permissions().mode() & 0o7777, mode, "{name}");
        assert_eq!((meta.uid(), meta.gid()), (0, 0), "{name}");
    }
    m.finish();
}

fn where_requests_are() {
    let init = Init {
        max_background: 1,
        ..Init::plain()
    };
    let mut m = with(&Setup::default(), &init);
    let mut fs = Memfs::new();
    let kept = unanswered(&mut m, &mut fs, 3);
    assert_eq!(kept.len(), 1);
    let with_daemon = look(&mut m, "x");
    let r = m.expect_name(Op::LOOKUP, "x");
    let pending = queued(&mut m, "y");

    let (head, rows) = read(&m);
    assert_eq!(head, "# connected, 5 waiting, 3 of 1 in the background");
    let places: Vec<_> = rows
        .iter()
        .map(|r| (r.op.as_str(), r.state.as_str()))
        .collect();
    let count = |place| places.iter().filter(|p| **p == place).count();
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert_eq!(count(("FUSE_RELEASE", "daemon")), 1, "{rows:?}");
    assert_eq!(count(("FUSE_RELEASE", "background")), 2, "{rows:?}");
    let find = |state| {
        rows.iter()
            .find(|r| r.op == "FUSE_LOOKUP" && r.state == state)
    };
    let row = find("daemon").expect("the one that was read");
    assert_eq!(
        (row.unique, row.node, row.pid),
        (r.unique, 1, with_daemon.pid)
    );
    assert_eq!(row.flags, "-");
    assert!(row.ms <= ktap::patience().as_millis() as u64, "{row:?}");
    let row = find("pending").expect("the one that was not");
    assert_eq!((row.node, row.pid), (1, pending.pid));
    assert!(row.unique > r.unique);
    for row in rows.iter().filter(|r| r.state == "background") {
        assert_eq!(row.unique, 0, "no number yet: {row:?}");
    }

    // It gets older.
    suites::daemon::until("a second", || {
        let (_, rows) = read(&m);
        let row = rows.iter().find(|row| row.unique == r.unique);
        (row.expect("still there").ms > 1000).then_some(())
    });
    m.fail(&r, ENOENT);
    assert_eq!(with_daemon.join::<Res<()>>(), Err(ENOENT));
    let r = m.expect_name(Op::LOOKUP, "y");
    m.fail(&r, ENOENT);
    assert_eq!(pending.join::<Res<()>>(), Err(ENOENT));
    m.reply(&kept[0], &[]);
    for _ in 0..2 {
        let r = m.expect(Op::RELEASE);
        m.reply(&r, &[]);
    }
    let (head, rows) = read(&m);
    assert_eq!(head, "# connected, 0 waiting, 0 of 1 in the background");
    assert_eq!(rows, []);
    m.finish();
}

fn shown_before_init() {
    let mut m = Mock::uninit(&Setup::default());
    m.without_record();
    let c = look(&mut m, "x");
    c.wait_asleep();
    suites::daemon::until("both to wait", || {
        let (head, rows) = read(&m);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(
            (rows[0].op.as_str(), rows[0].state.as_str()),
            ("FUSE_INIT", "pending")
        );
        (head == "# waiting for INIT, 2 waiting, 1 of 12 in the background").then_some(())
    });
    let r = m.expect(Op::INIT);
    assert_eq!(read(&m).1[0].state, "daemon");
    m.reply(&r, &Init::plain().bytes());
    let r = m.expect_name(Op::LOOKUP, "x");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

/// A daemon of real life that is stopped, and ordinary tools that wait for it.
fn stopped_daemon() {
    let d = Daemon::passthrough_ll("timeout=0");
    fs::write(d.behind("file"), "data").expect("file");
    fs::create_dir(d.behind("directory")).expect("directory");
    d.sigstop();
    // Without PARALLEL_DIROPS, of lookups one waits for another: just one of them.
    let tools = [("cat", "file"), ("ls", ""), ("df", "")];
    let mut children: Vec<_> = tools
        .iter()
        .enumerate()
        .map(|(i, (tool, arg))| {
            let child = Command::new(tool)
                .arg(d.at(arg))
                .stdout(Stdio::null())
                .spawn()
                .expect(tool);
            suites::daemon::until("its request", || {
                let text = fs::read_to_string(dir_of(&d.mnt).join("requests")).expect("requests");
                (requests(&text).1.len() > i).then_some(())
            });
            child
        })
        .collect();
    // So that ages differ.
    suites::daemon::until("a second", || {
        let text = fs::read_to_string(dir_of(&d.mnt).join("requests")).expect("requests");
        let (_, rows) = requests(&text);
        (rows.iter().all(|row| row.ms > 1000)).then(|| {
            for line in text.lines() {
                println!("# {line}");
            }
            for (row, child) in rows.iter().zip(&children) {
                assert_eq!(row.pid, child.id() as i32, "{text}");
            }
            let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
            assert_eq!(names, ["cat", "ls", "df"]);
        })
    });
    d.signal(rustix::process::Signal::CONT);
    for child in &mut children {
        assert!(child.wait().expect("wait").success());
    }
    d.stop();
}

fn flags_and_names() {
    let mut m = mock();
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        // SAFETY: a C string.
        unsafe { libc::prctl(libc::PR_SET_NAME, c"two w\nrds\xff".as_ptr()) };
        user::lstat(&mnt.join("x")).map(drop)
    });
    let r = m.expect_name(Op::LOOKUP, "x");
    let row = |m: &Mock| {
        let (_, rows) = read(m);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows[0].clone()
    };
    assert_eq!(row(&m).name, "two w?rds?");
    assert_eq!(row(&m).flags, "-");
    c.kill(libc::SIGUSR1);
    m.expect(Op::INTERRUPT);
    assert_eq!(row(&m).flags, "interrupted");
    assert_eq!(send(&m, RESEND, &[]), Ok(16));
    let again = row(&m);
    assert_eq!(again.flags, "interrupted,resent");
    assert_eq!((again.unique, again.state.as_str()), (r.unique, "pending"));
    let r = m.expect_name(Op::LOOKUP, "x");
    m.expect(Op::INTERRUPT);
    assert_eq!(row(&m).state, "daemon");
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    assert_eq!(read(&m).1, []);
    m.finish();
}

/// As many as there are files closed, read in small pieces and at once: each is there, and once.
fn thousands() {
    const N: usize = 3000;
    let mut m = mock();
    let mut fs = Memfs::new();
    fs.file("f", b"");
    let c = m.caller(|mnt, _| {
        for _ in 0..N {
            user::close(user::open(&mnt.join("f"), libc::O_RDWR, 0)?)?;
        }
        Ok::<(), Errno>(())
    });
    let served: Res<()> = m.serve(c, &mut |r| match r.op {
        Op::RELEASE => Answer::None,
        _ => fs.handle(r),
    });
    assert_eq!(served, Ok(()));
    let whole = fs::read_to_string(dir(&m).join("requests")).expect("requests");
    let (head, rows) = requests(&whole);
    assert_eq!(
        head,
        format!("# connected, {N} waiting, {N} of 12 in the background")
    );
    assert_eq!(rows.len(), N);
    assert_eq!(rows.iter().filter(|r| r.state == "daemon").count(), 12);
    assert_eq!(
        rows.iter().filter(|r| r.state == "background").count(),
        N - 12
    );

    let mut file = fs::File::open(dir(&m).join("requests")).expect("requests");
    let (mut text, mut piece) = (Vec::new(), [0u8; 77]);
    loop {
        match file.read(&mut piece).expect("read") {
            0 => break,
            n => text.extend_from_slice(&piece[..n]),
        }
    }
    let (_, pieces) = requests(&String::from_utf8(text).expect("text"));
    assert_eq!(pieces.len(), N);
    let _ = umount(&m.mnt, libc::MNT_FORCE);
    assert_eq!(m.read().err(), Some(ENODEV));
}

/// An open file does not keep the mount, and says in the end that there is nothing any more.
fn open_while_unmounted() {
    let mut m = mock();
    let c = look(&mut m, "x");
    m.expect_name(Op::LOOKUP, "x");
    let at = dir(&m);
    let mut file = fs::File::open(at.join("requests")).expect("requests");
    let mut latency = fs::File::options()
        .read(true)
        .write(true)
        .open(at.join("latency"))
        .expect("latency");
    let mut text = String::new();
    file.read_to_string(&mut text).expect("read");
    assert_eq!(requests(&text).1.len(), 1);
    let busy = user::open(&m.mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(&m.mnt, libc::MNT_FORCE), Err(EBUSY));
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    assert!(read(&m).0.starts_with("# aborted, "));
    drop(busy);
    m.umount();
    assert!(!at.exists());
    text.clear();
    file.seek(SeekFrom::Start(0)).expect("seek");
    file.read_to_string(&mut text).expect("read");
    let (head, rows) = requests(&text);
    assert!(head.starts_with("# aborted, 0 waiting"), "{head}");
    assert_eq!(rows, []);
    latency.write_all(b"1").expect("write");
    text.clear();
    latency.read_to_string(&mut text).expect("read");
    assert_eq!(text, "# off\n");
}

/// Reading in a circle while callers, daemons, signals and mounts come and go.
fn read_while_busy() {
    for _ in 0..5 {
        let mut m = mock();
        let mut callers: Vec<_> = (0..4)
            .map(|i| {
                m.caller(move |mnt, io| {
                    user::catch_signal(libc::SIGUSR1, true);
                    io.put(());
                    io.wait();
                    for n in 0..100 {
                        match user::lstat(&mnt.join(format!("{i}.{n}"))) {
                            Err(ENOENT | EINTR) => {}
                            other => return other.map(drop),
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        // Before it handles the signal, a caller would die of it.
        callers.iter_mut().for_each(|c| c.get::<()>());
        let at = dir(&m);
        fs::write(at.join("latency"), "1\n").expect("on");
        let threads = m.threads(
            2,
            std::sync::Arc::new(|r| match r.op {
                Op::INTERRUPT => Answer::None,
                _ => Answer::Err(ENOENT),
            }),
        );
        let rounds = std::sync::Arc::new(AtomicUsize::new(0));
        let reader = {
            let (at, rounds) = (at.clone(), rounds.clone());
            std::thread::spawn(move || {
                while let Ok(text) = fs::read_to_string(at.join("requests")) {
                    requests(&text);
                    if fs::read_to_string(at.join("latency")).is_err() {
                        break;
                    }
                    rounds.fetch_add(1, Relaxed);
                }
            })
        };
        suites::daemon::until("the first round of the reader", || {
            (rounds.load(Relaxed) > 0).then_some(())
        });
        callers.iter().for_each(Caller::go);
        while !callers.iter_mut().all(Caller::ended) {
            for c in &callers {
                c.kill(libc::SIGUSR1);
            }
            assert_eq!(send(&m, RESEND, &[]), Ok(16));
        }
        for c in callers {
            assert_eq!(c.join::<Res<()>>(), Ok(()));
        }
        m.umount();
        for t in threads {
            t.join().expect("thread");
        }
        reader.join().expect("reader");
    }
}

/// Of each operation: how many ended, errors, and the sums of the histograms.
fn latency(m: &Mock) -> Vec<(String, u64, u64, u64, u64)> {
    let text = fs::read_to_string(dir(m).join("latency")).expect("latency");
    let lines: Vec<_> = text.lines().skip(1).collect();
    let sum = |line: &str, name: &str| {
        let mut words = line.split_ascii_whitespace();
        assert_eq!(words.next(), Some(name));
        let mut before = None;
        words
            .map(|word| {
                let (least, count) = word.split_once(':').expect("a bucket");
                let least: u64 = least.parse().expect("its least");
                assert!(least == 0 || least.is_power_of_two(), "{line}");
                assert!(before < Some(least), "{line}");
                before = Some(least);
                count.parse::<u64>().expect("its count")
            })
            .sum()
    };
    lines
        .chunks(3)
        .map(|lines| {
            let words: Vec<_> = lines[0].split(' ').collect();
            assert_eq!((words[1], words[3]), ("ended", "errors"), "{text}");
            let number = |word: &str| word.parse().expect("a number");
            (
                words[0].to_string(),
                number(words[2]),
                number(words[4]),
                sum(lines[1], "queued_us"),
                sum(lines[2], "daemon_us"),
            )
        })
        .collect()
}

fn missing(m: &mut Mock, n: usize) {
    for _ in 0..n {
        let c = look(m, "x");
        let r = m.expect_name(Op::LOOKUP, "x");
        m.fail(&r, ENOENT);
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
}

fn latency_off() {
    let mut m = mock();
    missing(&mut m, 3);
    let text = fs::read_to_string(dir(&m).join("latency")).expect("latency");
    assert_eq!(text, "# off\n");
    m.finish();
}

fn latency_counts() {
    let mut m = mock();
    let mut other = mock();
    let mut fs = Memfs::new();
    fs.dir("d");
    let at = dir(&m).join("latency");
    fs::write(&at, "1\n").expect("on");
    missing(&mut m, 5);
    missing(&mut other, 5);
    assert_eq!(
        m.run(&mut fs, |mnt| user::lstat(&mnt.join("d")).map(drop)),
        Ok(())
    );
    let c = queued(&mut m, "y");
    assert_eq!(latency(&m), [("FUSE_LOOKUP".into(), 6, 5, 6, 6)]);
    let r = m.expect_name(Op::LOOKUP, "y");
    assert_eq!(latency(&m), [("FUSE_LOOKUP".into(), 6, 5, 7, 6)]);
    // Long enough to be seen: the last bucket is the slowest.
    std::thread::sleep(std::time::Duration::from_millis(300));
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    assert_eq!(latency(&m), [("FUSE_LOOKUP".into(), 7, 6, 7, 7)]);
    let text = fs::read_to_string(&at).expect("latency");
    assert!(text.starts_with("# on\n"), "{text}");
    let slowest = text.trim_end().rsplit(' ').next().expect("a bucket");
    let least: u64 = slowest
        .split(':')
        .next()
        .expect("least")
        .parse()
        .expect("number");
    assert!((1 << 18..1 << 26).contains(&least), "{text}");
    assert_eq!(latency(&other), []);
    fs::write(&at, "0").expect("off");
    missing(&mut m, 2);
    assert_eq!(latency(&m), [("FUSE_LOOKUP".into(), 7, 6, 7, 7)]);
    // On again: from zero.
    fs::write(&at, " 1 ").expect("on");
    assert_eq!(latency(&m), []);
    missing(&mut m, 1);
    assert_eq!(latency(&m), [("FUSE_LOOKUP".into(), 1, 1, 1, 1)]);
    other.finish();
    m.finish();
}

/// It waited once, and the daemon's time is that of the last time.
fn latency_of_resent() {
    let mut m = mock();
    fs::write(dir(&m).join("latency"), "1").expect("on");
    let c = look(&mut m, "x");
    m.expect_name(Op::LOOKUP, "x");
    assert_eq!(send(&m, RESEND, &[]), Ok(16));
    let r = m.expect_name(Op::LOOKUP, "x");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    assert_eq!(latency(&m), [("FUSE_LOOKUP".into(), 1, 1, 1, 1)]);
    m.finish();
}

fn latency_written_wrong() {
    let m = mock();
    let f = user::open(&dir(&m).join("latency"), libc::O_RDWR, 0).expect("open");
    let long = [b'1'; 17];
    for text in [&b""[..], b"2", b"on", b"1 1", b"-1", b"1\0", &long] {
        assert_eq!(user::write(&f, text), Err(EINVAL), "{text:?}");
    }
    assert_eq!(user::write(&f, b"1\n"), Ok(2));
    assert_eq!(user::write(&f, b"1"), Ok(1));
    let bad = mockd::mem::write_at(std::os::fd::AsRawFd::as_raw_fd(&f), 8, 1);
    assert_eq!(bad, Err(EFAULT));
    drop(f);
    m.finish();
}

/// Who unmounts with it switched on need not switch it off.
fn latency_until_unmounted() {
    for _ in 0..10 {
        let mut m = mock();
        fs::write(dir(&m).join("latency"), "1").expect("on");
        missing(&mut m, 1);
        m.finish();
    }
}
