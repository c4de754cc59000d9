// SPDX-License-Identifier: GPL-2.0

//! Lookups, request by request: timeouts, negative entries, revalidation.

use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{attr_out, open_out, LONG, ZERO};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Entry, Mock};

pub fn cases() -> Vec<Case> {
    cases![
        entry_timeout_long,
        entry_timeout_zero,
        entry_timeout_passes,
        attr_timeout_zero,
        attr_timeout_nanoseconds,
        negative_remembered,
        negative_by_error_is_not,
        negative_then_created,
        negative_in_rcu_walk,
        revalidated_same,
        revalidated_other_node,
        revalidated_other_type,
        revalidated_other_generation,
        revalidated_gone,
        revalidated_error_kept,
        revalidated_bad_attributes,
        revalidate_updates_attributes,
        components_looked_up_once,
        same_node_two_names,
        directory_moved_by_daemon,
        node_reused_for_other_type,
        inode_numbers,
        parallel_lookups_of_one_name,
        uid_gid_pid,
    ]
}

pub(crate) fn stat_times(m: &mut Mock, fs: &mut Memfs, rel: &str, n: usize) {
    let rel = rel.to_string();
    let r: Vec<Res<()>> = m.run(fs, |mnt| {
        (0..n)
            .map(|_| user::lstat(&mnt.join(&rel)).map(drop))
            .collect()
    });
    assert_eq!(r, vec![Ok(()); n]);
}

fn entry_timeout_long() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"x");
    stat_times(&mut m, &mut fs, "f", 5);
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (1, 0));
    m.finish();
}

fn entry_timeout_zero() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.entry_valid = ZERO;
    fs.file("f", b"x");
    stat_times(&mut m, &mut fs, "f", 5);
    // The lookup brings the attributes too.
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (5, 0));
    m.finish();
}

/// Valid for a moment, then asked for again.
fn entry_timeout_passes() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.entry_valid = (0, 200_000_000);
    fs.file("f", b"x");
    stat_times(&mut m, &mut fs, "f", 1);
    let start = std::time::Instant::now();
    while m.rec.count(Op::LOOKUP) < 2 {
        assert!(start.elapsed() < ktap::patience(), "never looked up again");
        stat_times(&mut m, &mut fs, "f", 1);
    }
    assert!(
        start.elapsed() > std::time::Duration::from_millis(150),
        "{:?}",
        start.elapsed()
    );
    m.without_record();
    m.finish();
}

fn attr_timeout_zero() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.attr_valid = ZERO;
    fs.file("f", b"x");
    stat_times(&mut m, &mut fs, "f", 3);
    // The first time, what LOOKUP brought counts for nothing either.
    println!("{} {}", m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR));
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (1, 3));
    m.finish();
}

/// Nanoseconds alone make a time, and too many of them count as almost a second.
fn attr_timeout_nanoseconds() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.attr_valid = (100, 4_000_000_000);
    fs.entry_valid = (100, 4_000_000_000);
    fs.file("f", b"x");
    stat_times(&mut m, &mut fs, "f", 3);
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (1, 0));
    fs.attr_valid = (u64::MAX, u32::MAX);
    fs.entry_valid = (u64::MAX, u32::MAX);
    fs.file("g", b"x");
    stat_times(&mut m, &mut fs, "g", 2);
    println!("{} {}", m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR));
    m.finish();
}

fn missing_times(m: &mut Mock, n: usize, answer: impl Fn(&mut Mock, &mockd::Request)) -> usize {
    let c = m.caller(|mnt, _| {
        (0..n)
            .map(|_| user::lstat(&mnt.join("x")).map(drop))
            .collect::<Vec<Res<()>>>()
    });
    let mut c = [c];
    let mut asked = 0;
    while !c[0].ended() {
        if m.pending() {
            let r = m.expect_name(Op::LOOKUP, "x");
            asked += 1;
            answer(m, &r);
        }
    }
    let [c] = c;
    assert_eq!(c.join::<Vec<Res<()>>>(), vec![Err(ENOENT); n]);
    asked
}

fn negative_remembered() {
    let mut m = Mock::new();
    assert_eq!(
        missing_times(&mut m, 4, |m, r| m.reply(r, &Entry::negative(LONG).bytes())),
        1
    );
    m.finish();
}

fn negative_by_error_is_not() {
    let mut m = Mock::new();
    assert_eq!(missing_times(&mut m, 4, |m, r| m.fail(r, ENOENT)), 4);
    assert_eq!(
        missing_times(&mut m, 4, |m, r| m.reply(r, &Entry::negative(ZERO).bytes())),
        4
    );
    m.finish();
}

/// A negative entry that is valid is not looked up again before CREATE.
fn negative_then_created() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        let f = mnt.join("x");
        let first = user::lstat(&f).map(drop);
        let made = user::open(&f, libc::O_CREAT | libc::O_WRONLY, 0o644).map(drop);
        (first, made, user::lstat(&f).map(|s| s.ino))
    });
    let r = m.expect_name(Op::LOOKUP, "x");
    m.reply(&r, &Entry::negative(LONG).bytes());
    let r = m.expect_name(Op::CREATE, "x");
    let mut b = Entry::new(Attr::file(9, 0)).bytes();
    b.extend(open_out(3, 0));
    m.reply(&r, &b);
    let r = m.expect(Op::FLUSH);
    m.reply(&r, &[]);
    let got: (Res<()>, Res<()>, Res<u64>) = c.join();
    assert_eq!(got, (Err(ENOENT), Ok(()), Ok(9)));
    m.finish();
}

/// Below a negative entry nothing is asked for.
fn negative_in_rcu_walk() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        let f = mnt.join("x");
        (0..5)
            .map(|i| user::lstat(&if i % 2 == 0 { f.clone() } else { f.join("y") }).map(drop))
            .collect::<Vec<_>>()
    });
    let r = m.expect_name(Op::LOOKUP, "x");
    m.reply(&r, &Entry::negative(LONG).bytes());
    assert_eq!(c.join::<Vec<Res<()>>>(), vec![Err(ENOENT); 5]);
    m.finish();
}

/// Two stats of "f" with entries valid for no time: the second lookup gets `second`.
fn revalidate(second: Result<Entry, Errno>) -> (Mock, Res<user::Stat>) {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        user::lstat(&mnt.join("f"))?;
        user::lstat(&mnt.join("f"))
    });
    let first = Entry::new(Attr::file(2, 5)).entry_valid(ZERO);
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &first.bytes());
    let r = m.expect_name(Op::LOOKUP, "f");
    match second {
        Ok(e) => m.reply(&r, &e.bytes()),
        Err(e) => m.fail(&r, e),
    }
    let mut c = [c];
    // When the entry turned out stale, the VFS asks once more.
    m.serve_all(&mut c, &mut |r| match (r.op, second) {
        (Op::LOOKUP, Ok(e)) => Answer::Ok(e.bytes()),
        (Op::LOOKUP, Err(e)) => Answer::Err(e),
        _ => Answer::None,
    });
    let [c] = c;
    let st = c.join();
    (m, st)
}

fn revalidated_same() {
    let (m, st) = revalidate(Ok(Entry::new(Attr::file(2, 5))));
    assert_eq!(st.map(|s| (s.ino, s.size)), Ok((2, 5)));
    assert_eq!(m.rec.count(Op::LOOKUP), 2);
    m.finish();
}

fn revalidated_other_node() {
    let (m, st) = revalidate(Ok(Entry::new(Attr::file(3, 7))));
    assert_eq!(st.map(|s| (s.ino, s.size)), Ok((3, 7)));
    assert_eq!(m.rec.count(Op::LOOKUP), 3);
    println!("{:?}", m.rec.forgets());
    m.finish();
}

fn revalidated_other_type() {
    let (m, st) = revalidate(Ok(Entry::new(Attr::dir(2))));
    assert_eq!(
        st.map(|s| (s.ino, s.mode & libc::S_IFMT)),
        Ok((2, libc::S_IFDIR))
    );
    m.finish();
}

fn revalidated_other_generation() {
    let (m, st) = revalidate(Ok(Entry {
        generation: 8,
        ..Entry::new(Attr::file(2, 9))
    }));
    assert_eq!(st.map(|s| (s.ino, s.size)), Ok((2, 9)));
    m.finish();
}

fn revalidated_gone() {
    let (m, st) = revalidate(Err(ENOENT));
    assert_eq!(st, Err(ENOENT));
    m.finish();
    let (m, st) = revalidate(Ok(Entry::negative(LONG)));
    assert_eq!(st, Err(ENOENT));
    m.finish();
}

fn revalidated_error_kept() {
    let (m, st) = revalidate(Err(EIO));
    assert_eq!(st, Err(EIO));
    m.finish();
}

/// The reference counts even if the attributes are of no use, unless a filesystem is to be mounted there, and was not
/// before: then the FORGET comes at once, while the file is in use.
fn revalidated_bad_attributes() {
    const SUBMOUNT: u32 = 1 << 0;
    let mut nodes = Vec::new();
    for flags in [0, SUBMOUNT] {
        let mut m = Mock::new();
        let mut c = m.caller(|mnt, io| {
            let p = &mnt.join("f");
            let fd = user::open(p, libc::O_PATH, 0)?;
            io.put(());
            io.wait();
            io.put(user::lstat(p).map(|s| s.size));
            io.wait();
            drop(fd);
            Res::Ok(())
        });
        let good = Entry::new(Attr::file(2, 5)).entry_valid(ZERO);
        let r = m.expect_name(Op::LOOKUP, "f");
        m.reply(&r, &good.bytes());
        c.get::<()>();
        c.go();
        let r = m.expect_name(Op::LOOKUP, "f");
        let bad = Entry::new(Attr {
            mode: 0,
            flags,
            ..Attr::file(2, 5)
        });
        m.reply(&r, &bad.bytes());
        let mut handler = |r: &mockd::Request| match r.op {
            Op::LOOKUP => Answer::Ok(good.bytes()),
            _ => Answer::None,
        };
        suites::daemon::until("the second stat", || {
            m.drain(&mut handler);
            readable(c.fd(), Duration::from_millis(1)).then_some(())
        });
        assert_eq!(c.get::<Res<u64>>(), Ok(5));
        m.drain(&mut handler);
        nodes.push(m.rec.forgets());
        c.go();
        assert_eq!(m.serve::<Res<()>>(c, &mut handler), Ok(()));
        m.finish();
    }
    assert_eq!(nodes, [[].into(), [(2, 1)].into()]);
}

fn revalidate_updates_attributes() {
    let attr = Attr {
        mtime: 77,
        nlink: 3,
        ..Attr::file(2, 1234).perm(0o600).owner(1, 2)
    };
    let (m, st) = revalidate(Ok(Entry::new(attr)));
    let s = st.expect("stat");
    assert_eq!(
        (s.size, s.mode & 0o777, s.uid, s.gid, s.nlink, s.mtime.0),
        (1234, 0o600, 1, 2, 3, 77)
    );
    m.finish();
}

fn components_looked_up_once() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let a = fs.dir("a");
    let b = fs.add(a, "b", libc::S_IFDIR | 0o755, &[]);
    fs.add(b, "f", libc::S_IFREG | 0o644, b"x");
    stat_times(&mut m, &mut fs, "a/b/f", 10);
    assert_eq!(m.rec.count(Op::LOOKUP), 3);
    m.finish();
}

fn same_node_two_names() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| (user::lstat(&mnt.join("a")), user::lstat(&mnt.join("b"))));
    for n in ["a", "b"] {
        let r = m.expect_name(Op::LOOKUP, n);
        m.reply(
            &r,
            &Entry::new(Attr {
                nlink: 2,
                ..Attr::file(5, 1)
            })
            .bytes(),
        );
    }
    let (a, b): (Res<user::Stat>, Res<user::Stat>) = c.join();
    assert_eq!(a, b);
    m.finish();
}

/// One directory under two names: the kernel moves its one dentry.
fn directory_moved_by_daemon() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        (
            user::lstat(&mnt.join("a")).map(|s| s.ino),
            user::lstat(&mnt.join("b")).map(|s| s.ino),
        )
    });
    for n in ["a", "b"] {
        let r = m.expect_name(Op::LOOKUP, n);
        m.reply(&r, &Entry::new(Attr::dir(5)).bytes());
    }
    assert_eq!(c.join::<(Res<u64>, Res<u64>)>(), (Ok(5), Ok(5)));
    // "a" is gone from the cache: it became "b".
    let c = m.caller(|mnt, _| user::lstat(&mnt.join("a")).map(|s| s.ino));
    let r = m.expect_name(Op::LOOKUP, "a");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    m.finish();
}

/// The same number for another kind of file: a new inode, the old one is bad.
fn node_reused_for_other_type() {
    let mut m = Mock::new();
    let mut c = m.caller(|mnt, io| {
        let fd = user::open(&mnt.join("a"), libc::O_RDONLY, 0);
        io.put(fd.as_ref().map(drop).map_err(|e| *e));
        io.wait();
        let b = user::lstat(&mnt.join("b")).map(|s| s.mode & libc::S_IFMT);
        let old = fd.and_then(|fd| user::fstat(&fd).map(drop));
        (b, old)
    });
    let r = m.expect_name(Op::LOOKUP, "a");
    m.reply(&r, &Entry::new(Attr::file(5, 1)).bytes());
    let r = m.expect(Op::OPEN);
    m.reply(&r, &open_out(1, 0));
    assert_eq!(c.get::<Res<()>>(), Ok(()));
    c.go();
    let r = m.expect_name(Op::LOOKUP, "b");
    m.reply(&r, &Entry::new(Attr::dir(5)).bytes());
    let mut c = [c];
    let mut fs = Memfs::new();
    m.serve_all(&mut c, &mut |r| fs.handle(r));
    let [c] = c;
    assert_eq!(
        c.join::<(Res<u32>, Res<()>)>(),
        (Ok(libc::S_IFDIR), Err(EIO))
    );
    m.finish();
}

/// st_ino is what the attributes say, not the node.
fn inode_numbers() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        Ok::<_, Errno>((
            user::lstat(p)?.ino,
            user::open(p, libc::O_PATH, 0)
                .and_then(|f| user::fstat(&f))?
                .ino,
        ))
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(
        &r,
        &Entry {
            node: 77,
            ..Entry::new(Attr::file(0x1234_5678_9abc, 1))
        }
        .bytes(),
    );
    assert_eq!(
        c.join::<Res<(u64, u64)>>(),
        Ok((0x1234_5678_9abc, 0x1234_5678_9abc))
    );
    m.finish();
}

/// Callers who look for one name at once share one LOOKUP.
fn parallel_lookups_of_one_name() {
    let mut m = Mock::new();
    let mut cs: Vec<_> = (0..6)
        .map(|_| m.call("f", |p| user::lstat(p).map(|s| s.ino)))
        .collect();
    let r = m.expect_name(Op::LOOKUP, "f");
    for c in &cs {
        c.wait_asleep();
    }
    m.expect_none();
    let entry = Entry::new(Attr::file(6, 1));
    m.reply(&r, &entry.bytes());
    let mut again = Vec::new();
    m.serve_all(&mut cs, &mut |r| {
        again.push(r.op);
        match r.op {
            Op::LOOKUP => Answer::Ok(entry.bytes()),
            Op::GETATTR => Answer::Ok(attr_out(LONG, &entry.attr)),
            _ => Answer::None,
        }
    });
    for c in cs.drain(..) {
        assert_eq!(c.join::<Res<u64>>(), Ok(6));
    }
    // C says how long a name is good only after it has let go those who wait for the name: who is quicker
    // takes it for invalid, and asks again; if it was the last to hold the node, it forgets that first.
    if ktap::implementation() == ktap::Impl::Rust {
        assert_eq!(again, [], "requests after the first");
    }
    // Which of them asked is chance.
    m.without_record();
    m.finish();
}

fn uid_gid_pid() {
    let mut m = Mock::with(
        &mockd::Setup::default().opt("allow_other", ""),
        &mockd::Init::plain(),
    );
    let c = m.caller(|mnt, _| {
        user::become_user(1234, 5678);
        user::lstat(&mnt.join("f")).map(drop)
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    assert_eq!((r.uid, r.gid, r.pid as i32), (1234, 5678, c.pid));
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}
