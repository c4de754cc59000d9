// SPDX-License-Identifier: GPL-2.0

//! The trace events that both modules have: their formats, and what they say.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::fusectl;
use suites::releases::unanswered;
use suites::tracing::{Tracing, EVENTS};

pub fn cases() -> Vec<Case> {
    cases![
        formats,
        events_of_a_request,
        events_of_an_error,
        events_of_the_background,
        events_of_the_interrupted,
        events_of_the_killed,
    ]
}

const NAMES: [&str; 3] = ["fuse_request_send", "fuse_request_sent", "fuse_request_end"];

/// All of a file that may be longer than one read.
fn whole(p: &Path) -> String {
    std::fs::read_to_string(p).unwrap_or_else(|e| panic!("{}: {e}", p.display()))
}

const COMMON: &str = "\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:dev_t connection;\toffset:8;\tsize:4;\tsigned:0;
\tfield:uint64_t unique;\toffset:16;\tsize:8;\tsigned:0;
";

/// The numbers and names of all operations, as `__print_symbolic` shows them.
const OPCODES: &str = "__print_symbolic(REC->opcode, \
    {1, \"FUSE_LOOKUP\"}, {2, \"FUSE_FORGET\"}, {3, \"FUSE_GETATTR\"}, {4, \"FUSE_SETATTR\"}, \
    {5, \"FUSE_READLINK\"}, {6, \"FUSE_SYMLINK\"}, {8, \"FUSE_MKNOD\"}, {9, \"FUSE_MKDIR\"}, \
    {10, \"FUSE_UNLINK\"}, {11, \"FUSE_RMDIR\"}, {12, \"FUSE_RENAME\"}, {13, \"FUSE_LINK\"}, \
    {14, \"FUSE_OPEN\"}, {15, \"FUSE_READ\"}, {16, \"FUSE_WRITE\"}, {17, \"FUSE_STATFS\"}, \
    {18, \"FUSE_RELEASE\"}, {20, \"FUSE_FSYNC\"}, {21, \"FUSE_SETXATTR\"}, \
    {22, \"FUSE_GETXATTR\"}, {23, \"FUSE_LISTXATTR\"}, {24, \"FUSE_REMOVEXATTR\"}, \
    {25, \"FUSE_FLUSH\"}, {26, \"FUSE_INIT\"}, {27, \"FUSE_OPENDIR\"}, {28, \"FUSE_READDIR\"}, \
    {29, \"FUSE_RELEASEDIR\"}, {30, \"FUSE_FSYNCDIR\"}, {31, \"FUSE_GETLK\"}, \
    {32, \"FUSE_SETLK\"}, {33, \"FUSE_SETLKW\"}, {34, \"FUSE_ACCESS\"}, {35, \"FUSE_CREATE\"}, \
    {36, \"FUSE_INTERRUPT\"}, {37, \"FUSE_BMAP\"}, {38, \"FUSE_DESTROY\"}, {39, \"FUSE_IOCTL\"}, \
    {40, \"FUSE_POLL\"}, {41, \"FUSE_NOTIFY_REPLY\"}, {42, \"FUSE_BATCH_FORGET\"}, \
    {43, \"FUSE_FALLOCATE\"}, {44, \"FUSE_READDIRPLUS\"}, {45, \"FUSE_RENAME2\"}, \
    {46, \"FUSE_LSEEK\"}, {47, \"FUSE_COPY_FILE_RANGE\"}, {48, \"FUSE_SETUPMAPPING\"}, \
    {49, \"FUSE_REMOVEMAPPING\"}, {50, \"FUSE_SYNCFS\"}, {51, \"FUSE_TMPFILE\"}, \
    {52, \"FUSE_STATX\"}, {4096, \"CUSE_INIT\"})";

/// Identical but for the number of the event.
fn formats() {
    ktap::needs("CONFIG_EVENT_TRACING");
    let opcode = "\tfield:enum fuse_opcode opcode;\toffset:24;\tsize:4;\tsigned:0;\n";
    let len = |offset| format!("\tfield:uint32_t len;\toffset:{offset};\tsize:4;\tsigned:0;\n");
    let error = "\tfield:int32_t error;\toffset:28;\tsize:4;\tsigned:1;\n";
    let expected = [
        format!(
            "{COMMON}{opcode}{}\nprint fmt: \"connection %u req %llu opcode %u (%s) len %u \", \
             REC->connection, REC->unique, REC->opcode, {OPCODES}, REC->len\n",
            len(28)
        ),
        format!(
            "{COMMON}{opcode}\nprint fmt: \"connection %u req %llu opcode %u (%s)\", \
             REC->connection, REC->unique, REC->opcode, {OPCODES}\n"
        ),
        format!(
            "{COMMON}{}{error}\nprint fmt: \"connection %u req %llu len %u error %d\", \
             REC->connection, REC->unique, REC->len, REC->error\n",
            len(24)
        ),
    ];
    for (name, expected) in NAMES.iter().zip(expected) {
        let text = whole(&Path::new(EVENTS).join(name).join("format"));
        let rest = text
            .strip_prefix(&format!("name: {name}\nID: "))
            .unwrap_or_else(|| panic!("{text}"));
        let (id, rest) = rest.split_once('\n').expect("lines");
        assert!(id.parse::<u32>().is_ok(), "{id}");
        assert_eq!(rest, format!("format:\n{expected}"), "{name}");
    }
}

/// The three events, on.
fn tracing() -> Tracing {
    Tracing::of(&NAMES)
}

/// What the events have said of one connection.
fn lines(t: &Tracing, id: u32) -> Vec<String> {
    t.text()
        .lines()
        .filter_map(|l| l.split_once(": fuse_request_").map(|l| l.1.to_string()))
        .filter(|l| l.contains(&format!(" connection {id} ")))
        .collect()
}

fn events_of_a_request() {
    let mut m = Mock::new();
    let id = fusectl::id(&m.mnt);
    let t = tracing();
    let c = m.call("name", |p| user::lstat(p).map(drop));
    let r = m.expect(Op::LOOKUP);
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    let u = r.unique;
    assert_eq!(
        lines(&t, id),
        [
            format!("send: connection {id} req {u} opcode 1 (FUSE_LOOKUP) len 45 "),
            format!("sent: connection {id} req {u} opcode 1 (FUSE_LOOKUP)"),
            format!("end: connection {id} req {u} len 16 error -2"),
        ]
    );
    drop(t);
    m.finish();
}

/// A request that nobody answers, and one that nobody reads.
fn events_of_an_error() {
    let mut m = Mock::new();
    let id = fusectl::id(&m.mnt);
    let t = tracing();
    let a = m.call("a", |p| user::lstat(p).map(drop));
    let r = m.expect(Op::LOOKUP);
    let b = m.call("b", |p| user::lstat(p).map(drop));
    fusectl::await_waiting(&m.mnt, 2);
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    for c in [a, b] {
        assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    }
    let (u, v) = (r.unique, r.unique + 2);
    let mut lines = lines(&t, id);
    // In which order the two end is not told.
    lines[3..].sort();
    assert_eq!(
        lines,
        [
            format!("send: connection {id} req {u} opcode 1 (FUSE_LOOKUP) len 42 "),
            format!("sent: connection {id} req {u} opcode 1 (FUSE_LOOKUP)"),
            format!("send: connection {id} req {v} opcode 1 (FUSE_LOOKUP) len 42 "),
            format!("end: connection {id} req {u} len 0 error -103"),
            format!("end: connection {id} req {v} len 0 error -103"),
        ]
    );
    drop(t);
    m.umount();
}

/// A request of the background is sent when its turn has come. FORGETs are no requests.
fn events_of_the_background() {
    let init = Init {
        max_background: 1,
        ..Init::plain()
    };
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), Memfs::new());
    let id = fusectl::id(&m.mnt);
    let t = tracing();
    let kept = unanswered(&mut m, &mut fs, 2);
    assert_eq!(kept.len(), 1);
    let sent = |n: usize| {
        let lines = lines(&t, id);
        let sent = lines.iter().filter(|l| l.contains("(FUSE_RELEASE) len"));
        assert_eq!(sent.count(), n, "{lines:?}");
    };
    sent(1);
    m.reply(&kept[0], &[]);
    let second = m.expect(Op::RELEASE);
    sent(2);
    m.fail(&second, EIO);
    suites::daemon::until("a FORGET", || {
        user::drop_caches();
        m.pending().then_some(())
    });
    m.drain(&mut |r| fs.handle(r));
    let lines = lines(&t, id);
    assert!(!lines.iter().any(|l| l.contains("FORGET")), "{lines:?}");
    let (u, v) = (kept[0].unique, second.unique);
    // The first one's end makes room for the second: which of that is told first is not compared.
    for (u, error) in [(u, 0), (v, -5)] {
        let of = |l: &&String| l.contains(&format!(" req {u} "));
        assert_eq!(
            lines.iter().filter(of).collect::<Vec<_>>(),
            [
                &format!("send: connection {id} req {u} opcode 18 (FUSE_RELEASE) len 64 "),
                &format!("sent: connection {id} req {u} opcode 18 (FUSE_RELEASE)"),
                &format!("end: connection {id} req {u} len 16 error {error}"),
            ]
        );
    }
    drop(t);
    m.finish();
}

/// An INTERRUPT is no request either.
fn events_of_the_interrupted() {
    let mut m = Mock::new();
    let id = fusectl::id(&m.mnt);
    let t = tracing();
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("name")).map(drop)
    });
    let r = m.expect(Op::LOOKUP);
    c.kill(libc::SIGUSR1);
    m.expect(Op::INTERRUPT);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    let u = r.unique;
    assert_eq!(
        lines(&t, id),
        [
            format!("send: connection {id} req {u} opcode 1 (FUSE_LOOKUP) len 45 "),
            format!("sent: connection {id} req {u} opcode 1 (FUSE_LOOKUP)"),
            format!("end: connection {id} req {u} len 16 error -4"),
        ]
    );
    drop(t);
    m.finish();
}

/// One whose caller is killed before it was read does not even end.
fn events_of_the_killed() {
    let mut m = Mock::new();
    let id = fusectl::id(&m.mnt);
    let t = tracing();
    let mut c: Caller = m.call("name", |p| user::lstat(p).map(drop));
    suites::daemon::until("the request", || m.pending().then_some(()));
    c.wait_asleep();
    c.kill(libc::SIGKILL);
    c.reap();
    let lines = lines(&t, id);
    assert!(
        matches!(&lines[..], [l] if l.starts_with("send: ")),
        "{lines:?}"
    );
    drop(t);
    m.finish();
}
