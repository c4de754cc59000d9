// SPDX-License-Identifier: GPL-2.0

//! What a killed caller has asked for and nobody takes any more: the daemon is given it back, and
//! nothing else is sent.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::wire::Op;
use mockd::{user, Caller, Mock, Request};
use suites::catalogue::{self, Act, Keeps, Leaves, Part, Place, Row, Waits};
use suites::fusectl;
use suites::setting::Setting;

use crate::kit::{self, NotKillable, Stuck};
use crate::left::{asked, only_ours, Left};

pub fn cases() -> Vec<Case> {
    cases![
        entries,
        names_of_a_directory,
        opens,
        create,
        errors,
        nothing_to_undo,
        answered_while_copying,
        file_is_kept,
        node_is_kept,
        opened_for_flags,
        asked_for_flags,
        flush_of_the_dying,
        flush_left,
        enosys_is_remembered,
        wire_when_not_killable,
        flush_when_not_killable,
    ]
}

/// The calls whose callers wait for the answer and leave it when they are killed.
fn rows() -> impl Iterator<Item = &'static Row> {
    catalogue::main().filter(|row| row.waits == Waits::Killably)
}

/// Those that leave this.
fn leaving(leaves: Leaves) -> impl Iterator<Item = &'static Row> {
    rows().filter(move |row| row.leaves == leaves)
}

/// The node of an entry.
fn node_of(answer: &[u8]) -> u64 {
    u64::from_ne_bytes(answer[..8].try_into().expect("entry"))
}

/// The handle of what was opened, at `at` in the answer.
fn fh_of(answer: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(answer[at..at + 8].try_into().expect("open"))
}

#[track_caller]
fn only_forget(v: &[Request], node: u64) {
    assert_eq!(v.len(), 1, "{v:?}");
    assert_eq!(v[0].forgets(), [(node, 1)], "{v:?}");
}

fn entries() {
    only_ours();
    for row in leaving(Leaves::Node) {
        let mut l = Left::by(row);
        let node = node_of(&l.answer());
        let r = l.m.request();
        only_forget(&[r], node);
        l.end();
    }
    // Of nodes that are known by another name the reference counts, and is given back with the
    // others.
    for row in leaving(Leaves::Reference) {
        let mut l = Left::by(row);
        let node = node_of(&l.answer());
        fusectl::await_waiting(&l.m.mnt, 0);
        let (m, fs) = (&mut l.m, &mut l.fs);
        let forgotten = suites::daemon::until("the FORGET", || {
            user::drop_caches();
            let mut forgotten = None;
            m.drain(&mut |r| {
                forgotten = forgotten.or(r.forgets().into_iter().find(|f| f.0 == node));
                fs.handle(r)
            });
            forgotten
        });
        assert_eq!(forgotten, (node, 2));
        l.end();
    }
}

/// The nodes of a READDIRPLUS, but for those of `.` and `..`, which nobody counts.
fn nodes_of(answer: &[u8]) -> Vec<(u64, u64)> {
    let mut nodes = Vec::new();
    let mut rest = answer;
    while !rest.is_empty() {
        let (node, record) = (node_of(rest), &rest[128..]);
        let n = u32::from_ne_bytes(record[16..20].try_into().expect("length")) as usize;
        let name = &record[24..24 + n];
        if name != b"." && name != b".." {
            nodes.push((node, 1));
        }
        rest = &record[(24 + n).next_multiple_of(8)..];
    }
    nodes
}

fn names_of_a_directory() {
    only_ours();
    for row in leaving(Leaves::Names) {
        let mut l = Left::by(row);
        let mut nodes = nodes_of(&l.answer());
        let (mut forgotten, mut released) = (Vec::new(), false);
        while !released || forgotten.len() < nodes.len() {
            let r = l.m.request();
            if r.op == Op::RELEASEDIR {
                released = true;
                l.m.reply(&r, &[]);
            } else {
                assert!(!r.forgets().is_empty(), "{r:?}");
                forgotten.extend(r.forgets());
            }
        }
        l.m.expect_none();
        nodes.sort();
        forgotten.sort();
        assert_eq!(forgotten, nodes);
        l.end();
    }
}

fn opens() {
    only_ours();
    let files = leaving(Leaves::File).map(|row| (row, Op::RELEASE));
    let dirs = leaving(Leaves::Dir).map(|row| (row, Op::RELEASEDIR));
    for (row, op) in files.chain(dirs) {
        let mut l = Left::by(row);
        let fh = fh_of(&l.answer(), 0);
        // As C's caller would have got it, and closed it.
        if op == Op::RELEASE {
            let r = l.m.expect(Op::FLUSH);
            assert_eq!((r.node, r.get("fh")), (l.r.node, fh));
            l.m.reply(&r, &[]);
        }
        let r = l.m.expect(op);
        assert_eq!((r.node, r.get("fh")), (l.r.node, fh));
        assert_eq!((r.uid, r.gid), (0, 0));
        let hidden = (libc::O_CREAT | libc::O_EXCL | libc::O_TRUNC) as u64;
        assert_eq!(r.get("flags"), l.r.get("flags") & !hidden);
        l.m.reply(&r, &[]);
        l.end();
    }
}

/// FLUSH, then RELEASE, and FORGET when that is answered, be it with an error.
fn create() {
    only_ours();
    for error in [false, true] {
        let mut l = Left::by_name("create");
        let a = l.answer();
        let (node, fh) = (node_of(&a), fh_of(&a, 128));
        for op in [Op::FLUSH, Op::RELEASE] {
            let r = l.m.expect(op);
            assert_eq!((r.node, r.get("fh")), (node, fh));
            assert!(!l.m.pending());
            if error {
                l.m.fail(&r, EIO);
            } else {
                l.m.reply(&r, &[]);
            }
        }
        let r = l.m.request();
        only_forget(&[r], node);
        l.end();
    }
}

/// Nothing was given, so nothing is given back.
fn errors() {
    only_ours();
    // Of a reference to what is known, others know; see there.
    for row in rows().filter(|row| row.leaves != Leaves::Reference) {
        let mut l = Left::by(row);
        l.m.fail(&l.r, EPERM);
        l.only_closes();
        l.end();
    }
}

fn nothing_to_undo() {
    only_ours();
    for row in leaving(Leaves::Nothing) {
        let mut l = Left::by(row);
        l.answer();
        l.only_closes();
        l.end();
    }
}

/// The caller goes in the middle of the answer.
fn answered_while_copying() {
    only_ours();
    for name in ["lookup", "open", "create"] {
        println!("{name}");
        let (mut m, mut fs, mut c, r) = asked(catalogue::find(name));
        m.without_record();
        let Answer::Ok(payload) = fs.handle(&r) else {
            panic!("no answer");
        };
        let s = Stuck::writing(&m, &r, &payload);
        c.kill(libc::SIGKILL);
        c.reap();
        assert!(!m.pending());
        s.go_on().expect("write");
        let first = m.request();
        match name {
            "lookup" => only_forget(&[first], node_of(&payload)),
            _ => {
                assert_eq!(first.op, Op::FLUSH);
                m.reply(&first, &[]);
                let r = m.expect(Op::RELEASE);
                m.reply(&r, &[]);
            }
        }
        kit::close_down(&mut m, &mut fs);
    }
}

/// FLUSH and RELEASE come when no request is with the daemon any more that names the handle.
fn file_is_kept() {
    only_ours();
    for row in rows().filter(|row| matches!(row.keeps, Keeps::File | Keeps::Dir)) {
        let mut l = Left::by(row);
        assert!(!l.m.pending(), "closed before the answer");
        l.answer();
        if row.keeps == Keeps::File {
            let r = l.m.expect(Op::FLUSH);
            assert!(!l.m.pending(), "RELEASE before FLUSH is answered");
            l.m.reply(&r, &[]);
        }
        // READDIRPLUS gives names back too.
        let r = l.m.find("the RELEASE", |r| r.forgets().is_empty());
        assert!(matches!(r.op, Op::RELEASE | Op::RELEASEDIR), "{r:?}");
        l.m.reply(&r, &[]);
        l.end();
    }
}

/// A file that the kernel opened by itself is released and nothing else: it has no FLUSH.
fn opened_for_flags() {
    only_ours();
    for (part, op) in [(Part::File, Op::OPEN), (Part::Sub, Op::OPENDIR)] {
        let mut l = Left::by(&for_flags(part, op, 0));
        assert!(!l.m.pending(), "before the answer");
        let fh = fh_of(&l.answer(), 0);
        let r = l.m.request();
        let release = matches!(r.op, Op::RELEASE | Op::RELEASEDIR);
        assert!(release && r.get("fh") == fh, "{r:?}");
        assert_eq!(r.pid, l.r.pid);
        l.m.reply(&r, &[]);
        l.m.expect_none();
        l.end();
    }
}

/// It stays open as long as the daemon is asked about it.
fn asked_for_flags() {
    only_ours();
    for part in [Part::File, Part::Sub] {
        let mut l = Left::by(&for_flags(part, Op::IOCTL, 1));
        assert!(!l.m.pending(), "closed before the answer");
        l.answer();
        let r = l.m.request();
        let release = matches!(r.op, Op::RELEASE | Op::RELEASEDIR);
        assert!(release && r.get("fh") == l.r.get("fh"), "{r:?}");
        assert_eq!(r.pid, l.r.pid);
        l.m.reply(&r, &[]);
        l.m.expect_none();
        l.end();
    }
}

/// file_getattr(2), and which of its requests is left.
fn for_flags(part: Part, op: Op, before: usize) -> Row {
    let row = catalogue::find("file_getattr");
    let ready: fn(&Place) -> Res<Act> = match part {
        Part::File => row.ready,
        _ => |p| {
            let path = p.know(Part::Sub)?;
            Ok(Act::on(path, |p| user::file_getattr(p).map(drop)))
        },
    };
    Row {
        op,
        before,
        ready,
        ..*row
    }
}

/// FORGET comes when no request is with the daemon any more that names the node.
fn node_is_kept() {
    only_ours();
    for row in rows().filter(|row| row.keeps == Keeps::Node) {
        let mut l = Left::by(row);
        user::drop_caches();
        let forgets = |v: &[Request]| v.iter().flat_map(Request::forgets).any(|f| f.0 == l.r.node);
        let mut v = Vec::new();
        while l.m.pending() {
            v.push(l.m.request());
        }
        assert!(!forgets(&v), "{v:?}");
        for r in &v {
            let _ = l.fs.handle(r);
        }
        if let Answer::Ok(b) = l.fs.handle(&l.r) {
            l.m.reply(&l.r, &b);
        }
        let (m, fs) = (&mut l.m, &mut l.fs);
        suites::daemon::until("the FORGET", || {
            user::drop_caches();
            let mut seen = false;
            m.drain(&mut |r| {
                seen |= r.forgets().iter().any(|f| f.0 == l.r.node);
                fs.handle(r)
            });
            seen.then_some(())
        });
        l.end();
    }
}

/// A caller that opens a file and waits.
fn holder(m: &mut Mock, fs: &mut Memfs) -> Caller {
    let mut c = m.caller(|mnt, io| {
        let _f = user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        io.put(());
        io.wait();
    });
    kit::serve_until_put(m, fs, &mut c);
    c
}

/// A task that a signal has ended waits for its FLUSH for as long as `flush_wait` says; RELEASE
/// comes when it is answered.
fn flush_of_the_dying() {
    only_ours();
    let bound = Setting::parameter("flush_wait");
    for sig in [libc::SIGKILL, libc::SIGTERM] {
        for seconds in ["600", "0"] {
            bound.set(seconds).expect("flush_wait");
            let (mut m, mut fs) = (Mock::new(), kit::sample());
            m.without_record();
            let mut c = holder(&mut m, &mut fs);
            c.kill(sig);
            let r = m.expect(Op::FLUSH);
            if seconds == "0" {
                c.reap();
                assert_eq!(umount(&m.mnt, 0), Err(EBUSY), "FLUSH is not answered");
            } else {
                suites::daemon::until("the exit to wait", || {
                    c.state().starts_with(['S', 'D']).then_some(())
                });
                assert!(!c.ended());
            }
            assert!(!m.pending(), "RELEASE before FLUSH is answered");
            m.reply(&r, &[]);
            let r = m.expect(Op::RELEASE);
            m.reply(&r, &[]);
            c.reap();
            kit::close_down(&mut m, &mut fs);
        }
    }
}

/// Killed in close(2): one FLUSH, then RELEASE.
fn flush_left() {
    only_ours();
    let mut l = Left::by_name("flush");
    assert!(!l.m.pending(), "RELEASE before FLUSH is answered");
    l.m.reply(&l.r, &[]);
    let r = l.m.expect(Op::RELEASE);
    l.m.reply(&r, &[]);
    l.end();
}

/// ENOSYS for who has left is ENOSYS for all.
fn enosys_is_remembered() {
    only_ours();
    let mut l = Left::by_name("access");
    l.m.fail(&l.r, ENOSYS);
    let c = l.m.call("f", |p: &Path| user::access(p, libc::R_OK));
    let r: Res<()> = l.m.serve(c, &mut |r| {
        assert_ne!(r.op, Op::ACCESS);
        l.fs.handle(r)
    });
    assert_eq!(r, Ok(()));
    l.end();
}

/// With the parameter at N: what the daemon sees is what C sends.
fn wire_when_not_killable() {
    let _n = NotKillable::new();
    for row in rows() {
        println!("{}", row.name);
        let (mut m, mut fs, mut c, r) = asked(row);
        c.kill(libc::SIGKILL);
        let i = m.expect(Op::INTERRUPT);
        assert_eq!(i.get("unique"), r.unique);
        c.wait_signalled();
        kit::answer(&m, &mut fs, &r);
        suites::daemon::until("the killed caller to go", || {
            m.drain(&mut |r| fs.handle(r));
            c.ended().then_some(())
        });
        c.reap();
        kit::close_down(&mut m, &mut fs);
    }
}

fn flush_when_not_killable() {
    let _n = NotKillable::new();
    let (mut m, mut fs) = (Mock::new(), kit::sample());
    let mut c = holder(&mut m, &mut fs);
    c.kill(libc::SIGKILL);
    let r = m.expect(Op::FLUSH);
    suites::daemon::until("the exit to wait", || {
        c.state().starts_with(['S', 'D']).then_some(())
    });
    assert!(!c.ended());
    m.reply(&r, &[]);
    suites::daemon::until("the end of the caller", || {
        m.drain(&mut |r| fs.handle(r));
        c.ended().then_some(())
    });
    c.reap();
    kit::close_down(&mut m, &mut fs);
}
