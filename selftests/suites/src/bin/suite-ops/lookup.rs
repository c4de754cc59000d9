// SPDX-License-Identifier: GPL-2.0

//! Names found by LOOKUP: how long an answer counts, names that are not there, one node under
//! several names.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{attr_out, open_out, LONG, ZERO};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Entry, Mock};

use crate::through::{each, read, same, write};
use crate::wire::stat_times;

pub fn cases() -> Vec<Case> {
    cases![
        lookup_missing_then_made,
        made_behind_is_found,
        removed_behind_is_gone,
        entry_timeout_long,
        entry_timeout_zero,
        entry_timeout_passes,
        negative_remembered,
        negative_by_error_is_not,
        negative_then_created,
        negative_in_rcu_walk,
        components_looked_up_once,
        same_node_two_names,
        directory_moved_by_daemon,
        node_reused_for_other_type,
        inode_numbers,
        parallel_lookups_of_one_name,
        uid_gid_pid,
    ]
}

/// That a name was missing must not stay true when this kernel itself makes it.
fn lookup_missing_then_made() {
    each(|d| {
        assert_eq!(user::lstat(&d.at("x")).err(), Some(ENOENT));
        assert_eq!(user::lstat(&d.at("x")).err(), Some(ENOENT));
        write(&d.at("x"), b"1");
        same(d, "x");
        user::unlink(&d.at("x")).expect("unlink");
        assert_eq!(user::lstat(&d.at("x")).err(), Some(ENOENT));
        user::mkdir(&d.at("x"), 0o755).expect("mkdir");
        same(d, "x");
    });
}

/// Nor may a name be missing that was never looked up.
fn made_behind_is_found() {
    each(|d| {
        write(&d.behind("f"), b"1");
        assert_eq!(read(&d.at("f")), b"1");
        user::mkdir(&d.behind("d"), 0o755).expect("mkdir");
        write(&d.behind("d/g"), b"2");
        assert_eq!(user::list(&d.at("d")), Ok(vec!["g".to_string()]));
    });
}

/// With nothing cached, what goes behind is gone at once.
fn removed_behind_is_gone() {
    let d = suites::daemon::Daemon::passthrough_ll("cache=never");
    write(&d.behind("f"), b"1");
    assert!(user::lstat(&d.at("f")).is_ok());
    user::unlink(&d.behind("f")).expect("unlink");
    assert_eq!(user::lstat(&d.at("f")).err(), Some(ENOENT));
    // Replaced by something of another type.
    write(&d.behind("g"), b"1");
    assert!(user::lstat(&d.at("g")).is_ok());
    user::unlink(&d.behind("g")).expect("unlink");
    user::mkdir(&d.behind("g"), 0o755).expect("mkdir");
    assert_eq!(
        user::lstat(&d.at("g")).map(|s| s.mode & libc::S_IFMT),
        Ok(libc::S_IFDIR)
    );
    d.stop();
}

/// One LOOKUP serves all later ones, and its attributes save the GETATTR.
fn entry_timeout_long() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"x");
    stat_times(&mut m, &mut fs, "f", 5);
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (1, 0));
    m.finish();
}

/// An entry that is good for no time is looked up for each use.
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
    let start = std::time::Instant::now();
    stat_times(&mut m, &mut fs, "f", 1);
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

/// An entry with node 0 says that there is nothing, for as long as it is valid.
fn negative_remembered() {
    let mut m = Mock::new();
    assert_eq!(
        missing_times(&mut m, 4, |m, r| m.reply(r, &Entry::negative(LONG).bytes())),
        1
    );
    m.finish();
}

/// ENOENT has no time with it, and node 0 may have none: both are asked for again.
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

/// Three names, three LOOKUPs, however often the path is walked.
fn components_looked_up_once() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let a = fs.dir("a");
    let b = fs.add(a, "b", libc::S_IFDIR | 0o755, &[]);
    fs.add(b, "f", libc::S_IFREG | 0o644, b"x");
    stat_times(&mut m, &mut fs, "a/b/f", 10);
    assert_eq!(m.rec.count(Op::LOOKUP), 3);
    m.finish();
}

/// Hard links: one inode, with one set of attributes.
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
    // C says how long a name is good only after it has let go those who wait for the name: one that
    // is quicker takes it for invalid, and asks again; if it was the last to hold the node, it
    // forgets that first.
    if ktap::implementation() == ktap::Impl::Rust {
        assert_eq!(again, [], "requests after the first");
    }
    // Which of them asked is chance.
    m.without_record();
    m.finish();
}

/// The header names the caller as it was when it asked.
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
