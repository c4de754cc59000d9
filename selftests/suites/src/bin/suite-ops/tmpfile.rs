// SPDX-License-Identifier: GPL-2.0

//! TMPFILE: a file without a name, made and opened in one request.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::open_out;
use mockd::wire::{self, Op, ROOT};
use mockd::{user, Attr, Entry, Init, Mock, Setup};

use crate::through::{each, read, same};

pub fn cases() -> Vec<Case> {
    cases![
        tmpfile_through,
        tmpfile_makes_one_request,
        tmpfile_flags,
        tmpfile_of_old_minors,
        tmpfile_is_unknown,
        tmpfile_gets_names,
        tmpfile_gets_no_name,
        tmpfile_fails_to_get_a_name,
        tmpfile_is_given_back,
        tmpfile_errors,
        tmpfile_bad_replies,
        tmpfile_bad_open,
        tmpfile_nowhere,
        tmpfile_permissions,
        tmpfile_of_a_known_node,
        tmpfile_changes_its_directory,
        tmpfile_waits_for_nobody,
        tmpfile_without_open,
        tmpfile_by_open_flags,
    ]
}

const RW: i32 = libc::O_TMPFILE | libc::O_RDWR;

fn tmpfile(dir: &Path, flags: i32) -> Res<OwnedFd> {
    user::open(dir, flags, 0o640)
}

/// What TMPFILE is answered with.
fn made(e: Entry, open_flags: u32) -> Vec<u8> {
    [e.bytes(), open_out(77, open_flags)].concat()
}

/// A file without a link.
fn unnamed(id: u64) -> Attr {
    Attr {
        nlink: 0,
        ..Attr::file(id, 0)
    }
}

/// Whatever the daemon says of it, both modules give the same; and what is made is on disk.
fn tmpfile_through() {
    each(|d| {
        let r = tmpfile(&d.at(""), RW);
        println!("{:?}", r.as_ref().map(drop));
        let Ok(f) = r else { return };
        assert_eq!(user::write(&f, b"hello"), Ok(5));
        assert_eq!(user::fstat(&f).map(|s| (s.size, s.nlink)), Ok((5, 0)));
        assert_eq!(user::list(&d.at("")), Ok(vec![]));
        let r = user::link_fd(&f, &d.at("named"));
        println!("{r:?}");
        if r.is_ok() {
            same(d, "named");
            assert_eq!(read(&d.behind("named")), b"hello");
        }
    });
}

/// The name in it means nothing; there is no LOOKUP, no MKNOD, no OPEN.
fn tmpfile_makes_one_request() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let f = tmpfile(&mnt.join("d"), RW)?;
        user::pwrite(&f, b"text", 0)?;
        assert_eq!(user::pread(&f, 10, 0)?, b"text");
        user::close(f)
    });
    assert_eq!(r, Ok(()));
    let all = m.rec.all();
    let r = all.iter().find(|r| r.op == Op::TMPFILE).expect("TMPFILE");
    assert_eq!((r.node, r.name()), (d, "/".into()));
    assert_eq!(r.get("mode") as u32, libc::S_IFREG | 0o640);
    let count = |op| m.rec.count(op);
    assert_eq!(
        (count(Op::OPEN), count(Op::MKNOD), count(Op::CREATE)),
        (0, 0, 0)
    );
    m.finish();
}

/// The caller's flags, but not O_NOCTTY; each mode with each umask.
fn tmpfile_flags() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let flags = [
            0,
            libc::O_EXCL,
            libc::O_TRUNC,
            libc::O_APPEND | libc::O_SYNC,
            libc::O_NOCTTY | libc::O_NOATIME | libc::O_DIRECT,
            libc::O_NONBLOCK | libc::O_DSYNC,
        ];
        let mut all = vec![];
        for umask in [0o22, 0, 0o777] {
            // SAFETY: an integer.
            unsafe { libc::umask(umask) };
            for flag in flags {
                for access in [libc::O_RDWR, libc::O_WRONLY] {
                    all.push(tmpfile(mnt, libc::O_TMPFILE | access | flag).map(drop));
                }
            }
            for mode in [0, 0o777, 0o4755, 0o7777] {
                all.push(user::open(mnt, RW, mode).map(drop));
            }
        }
        all
    });
    println!("{r:?}");
    assert_eq!(
        m.rec.count(Op::TMPFILE),
        r.iter().filter(|r| r.is_ok()).count()
    );
    m.finish_compared();
}

/// It came with 7.37, and is not shortened for older daemons as CREATE is.
fn tmpfile_of_old_minors() {
    for minor in [8, 11, 12, 36, 46] {
        let init = Init {
            minor,
            ..Init::plain()
        };
        let mut m = Mock::with(&Setup::default(), &init);
        let c = m.call("", |p| tmpfile(p, RW).map(drop));
        let r = m.expect_name(Op::TMPFILE, "/");
        assert_eq!(r.len(), wire::IN_HEADER + 16 + 2, "7.{minor}");
        let whole = made(Entry::new(unnamed(9)), 0);
        // As long as for CREATE of 7.8.
        let short = m.answer(&r, &Answer::Ok(whole[8..].to_vec()));
        assert_eq!(short, Err(EINVAL), "7.{minor}");
        assert_eq!(c.join::<Res<()>>(), Err(EIO), "7.{minor}");
        let c = m.call("", |p| tmpfile(p, RW).map(drop));
        let r = m.expect(Op::TMPFILE);
        m.reply(&r, &whole);
        let r = m.expect(Op::FLUSH);
        m.reply(&r, &[]);
        assert_eq!(c.join::<Res<()>>(), Ok(()), "7.{minor}");
        m.finish();
    }
}

/// For good, in any directory; what else opens a file goes on.
fn tmpfile_is_unknown() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.dir("d");
    fs.on(Op::TMPFILE, Answer::Err(ENOSYS));
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let d = mnt.join("d");
        let mut all = vec![];
        for dir in [mnt, &d, mnt] {
            all.push(tmpfile(dir, RW).map(drop));
        }
        all.push(user::open(&d.join("f"), libc::O_CREAT | libc::O_RDWR, 0o644).map(drop));
        all
    });
    let no = Err(EOPNOTSUPP);
    assert_eq!(r, [no, no, no, Ok(())]);
    assert_eq!((m.rec.count(Op::TMPFILE), m.rec.count(Op::CREATE)), (1, 1));
    m.finish();
}

/// linkat(2) gives it a name, and another one. The first time its count of links is 0.
fn tmpfile_gets_names() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.dir("d");
    let r: Res<Vec<u64>> = m.run(&mut fs, |mnt| {
        let f = tmpfile(mnt, RW)?;
        user::pwrite(&f, b"text", 0)?;
        let mut counts = vec![user::fstat(&f)?.nlink];
        for name in ["a", "d/b"] {
            user::link_fd(&f, &mnt.join(name))?;
            counts.push(user::fstat(&f)?.nlink);
        }
        assert_eq!(user::link_fd(&f, &mnt.join("a")), Err(EEXIST));
        user::close(f)?;
        let f = user::open(&mnt.join("d/b"), libc::O_RDONLY, 0)?;
        assert_eq!(user::pread(&f, 10, 0)?, b"text");
        Ok(counts)
    });
    assert_eq!(r, Ok(vec![0, 1, 2]));
    assert_eq!((m.rec.count(Op::LINK), m.rec.count(Op::OPEN)), (2, 1));
    m.finish();
}

/// With O_EXCL it never gets one; nor does it when its name has been removed.
fn tmpfile_gets_no_name() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let name = mnt.join("a");
        let f = tmpfile(mnt, RW | libc::O_EXCL).expect("TMPFILE");
        let mut all = vec![user::link_fd(&f, &name)];
        let f = tmpfile(mnt, RW).expect("TMPFILE");
        all.push(user::link_fd(&f, &name));
        all.push(user::unlink(&name));
        all.push(user::link_fd(&f, &name));
        all
    });
    assert_eq!(r, [Err(ENOENT), Ok(()), Ok(()), Err(ENOENT)]);
    assert_eq!(m.rec.count(Op::LINK), 1);
    m.finish();
}

/// It may get one later then.
fn tmpfile_fails_to_get_a_name() {
    for e in [EIO, EEXIST, EMLINK, EINTR, ENOENT, EDQUOT] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        let mut c = m.caller(|mnt, io| {
            let f = tmpfile(mnt, RW).expect("TMPFILE");
            let first = user::link_fd(&f, &mnt.join("a"));
            io.put(());
            io.wait();
            (first, user::link_fd(&f, &mnt.join("b")))
        });
        let r = m.serve_until(Op::LINK, &mut fs);
        m.fail(&r, e);
        c.get::<()>();
        c.go();
        let r: (Res<()>, Res<()>) = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, (Err(e), Ok(())), "{e}");
        m.finish();
    }
}

/// Closed without a name it is released, and its node forgotten.
fn tmpfile_is_given_back() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for _ in 0..3 {
            user::pwrite(&tmpfile(mnt, RW)?, b"text", 0)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    suites::daemon::until("all nodes forgotten", || {
        m.drain(&mut |r| fs.handle(r));
        fs.held().is_empty().then_some(())
    });
    assert_eq!(fs.nodes.len(), 1, "but for the root none is left");
    assert_eq!((m.rec.count(Op::TMPFILE), m.rec.count(Op::RELEASE)), (3, 3));
    m.finish();
}

/// Each is the caller's, and none is remembered.
fn tmpfile_errors() {
    for e in [
        EPERM, ENOENT, EINTR, EIO, EACCES, EEXIST, EISDIR, EINVAL, ENOSPC, EROFS, EOPNOTSUPP,
        ESTALE, EDQUOT, EAGAIN, ENOMEM,
    ] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.on(Op::TMPFILE, Answer::Err(e));
        let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
            (0..2).map(|_| tmpfile(mnt, RW).map(drop)).collect()
        });
        assert_eq!(r, [Err(e); 2]);
        // The path is walked once more.
        let each = if e == ESTALE { 2 } else { 1 };
        assert_eq!(m.rec.count(Op::TMPFILE), 2 * each, "{e}");
        m.finish();
    }
}

/// What cannot have been made; nobody knows then what to give back.
fn tmpfile_bad_replies() {
    let good = Entry::new(unnamed(9));
    let rows = [
        ("a directory", Entry::new(Attr::dir(9))),
        ("a link", Entry::new(Attr::symlink(9, 1))),
        ("a fifo", Entry::new(unnamed(9).mode(libc::S_IFIFO | 0o644))),
        ("no type", Entry::new(unnamed(9).mode(0o644))),
        ("no node", Entry { node: 0, ..good }),
        ("the root", Entry { node: ROOT, ..good }),
        ("huge", Entry::new(Attr::file(9, u64::MAX))),
    ];
    for (what, e) in rows {
        let mut m = Mock::new();
        let c = m.call("", |p| tmpfile(p, RW).map(drop));
        let r = m.expect(Op::TMPFILE);
        m.reply(&r, &made(e, 0));
        assert_eq!(c.join::<Res<()>>(), Err(EIO), "{what}");
        m.expect_none();
        m.finish();
    }
}

/// What cannot be opened so is released, and forgotten.
fn tmpfile_bad_open() {
    let mut m = Mock::new();
    let c = m.call("", |p| tmpfile(p, RW).map(drop));
    let r = m.expect(Op::TMPFILE);
    let b = made(Entry::new(unnamed(9)), wire::FOPEN_PASSTHROUGH);
    m.reply(&r, &b);
    let r = m.expect(Op::RELEASE);
    assert_eq!(r.get("fh"), 77);
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Err(EIO));
    suites::daemon::until("the node forgotten", || {
        m.expect_none();
        (m.rec.forgets().get(&9) == Some(&1)).then_some(())
    });
    m.finish();
}

/// Nobody is asked for it in what is no directory, or to read alone.
fn tmpfile_nowhere() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        [
            tmpfile(&mnt.join("f"), RW),
            tmpfile(&mnt.join("none"), RW),
            tmpfile(mnt, libc::O_TMPFILE | libc::O_RDONLY),
            tmpfile(mnt, RW | libc::O_CREAT),
        ]
        .into_iter()
        .map(|r| r.map(drop))
        .collect()
    });
    let want = [ENOTDIR, ENOENT, EINVAL, EINVAL].map(Err);
    assert_eq!(r, want);
    assert_eq!(m.rec.count(Op::TMPFILE), 0);
    m.finish();
}

/// The directory must be one that the caller may write to; the file is his whatever its mode.
fn tmpfile_permissions() {
    let setup = Setup::default()
        .opt("allow_other", "")
        .opt("default_permissions", "");
    let (mut m, mut fs) = (Mock::with(&setup, &Init::plain()), Memfs::new());
    for (name, perm) in [("closed", 0o755), ("hidden", 0o722), ("open", 0o777)] {
        let id = fs.dir(name);
        let attr = &mut fs.nodes.get_mut(&id).expect("made").attr;
        *attr = attr.perm(perm);
    }
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        user::become_user(1000, 1000);
        ["closed", "hidden", "open"]
            .iter()
            .map(|d| user::open(&mnt.join(d), RW, 0).map(drop))
            .collect()
    });
    assert_eq!(r, [Err(EACCES), Err(EACCES), Ok(())]);
    assert_eq!(m.rec.count(Op::TMPFILE), 1);
    m.finish();
}

/// The node of a file that is there: it is that file, with one more reference.
fn tmpfile_of_a_known_node() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let id = fs.file("f", b"known");
    let mut c = m.caller(|mnt, io| {
        let seen = user::lstat(&mnt.join("f"))?;
        io.put(());
        io.wait();
        let f = tmpfile(mnt, RW)?;
        let same = user::fstat(&f)?.ino == seen.ino;
        Ok::<_, Errno>((same, user::pread(&f, 10, 0)?))
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    let a = fs.handle(&r);
    m.answer(&r, &a).expect("answer");
    c.get::<()>();
    c.go();
    let r = m.expect(Op::TMPFILE);
    let node = fs.nodes.get_mut(&id).expect("made");
    node.lookups += 1;
    let b = made(Entry::new(node.attr), 0);
    m.reply(&r, &b);
    let r: Res<(bool, Vec<u8>)> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok((true, b"known".to_vec())));
    m.finish();
}

/// Its attributes are asked for again, as if it had got a name.
fn tmpfile_changes_its_directory() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::lstat(mnt)?;
        user::lstat(mnt)?;
        let f = tmpfile(mnt, RW)?;
        user::lstat(mnt)?;
        user::lstat(mnt)?;
        user::close(f)?;
        user::lstat(mnt).map(drop)
    });
    assert_eq!(r, Ok(()));
    let of_root = |r: &&mockd::Request| r.op == Op::GETATTR && r.node == ROOT;
    assert_eq!(m.rec.all().iter().filter(of_root).count(), 2);
    m.finish();
}

/// No name is made, so nobody who makes one is in its way, nor it in theirs.
fn tmpfile_waits_for_nobody() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let mkdir = m.call("d", |p| user::mkdir(p, 0o755));
    let held = m.serve_until(Op::MKDIR, &mut fs);
    let first = m.call("", |p| tmpfile(p, RW).map(drop));
    let one = m.expect(Op::TMPFILE);
    let second = m.call("", |p| tmpfile(p, RW).map(drop));
    let two = m.expect(Op::TMPFILE);
    for r in [two, one, held] {
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    for c in [second, first, mkdir] {
        let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, Ok(()));
    }
    m.finish();
}

/// A daemon that knows no OPEN may know TMPFILE: there is no RELEASE for it then, as for CREATE.
fn tmpfile_without_open() {
    let init = Init::plain().with("NO_OPEN_SUPPORT");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), Memfs::new());
    fs.file("f", b"text");
    fs.on(Op::OPEN, Answer::Err(ENOSYS));
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        user::close(tmpfile(mnt, RW)?)?;
        user::close(user::open(&mnt.join("f"), libc::O_RDONLY, 0)?)?;
        let f = tmpfile(mnt, RW)?;
        user::pwrite(&f, b"text", 0)?;
        user::pread(&f, 10, 0)
    });
    assert_eq!(r, Ok(b"text".to_vec()));
    println!("{} RELEASEs", m.rec.count(Op::RELEASE));
    assert_eq!(m.rec.count(Op::TMPFILE), 2);
    m.finish();
}

/// What the daemon says of the open file holds as for any other.
fn tmpfile_by_open_flags() {
    for flags in [
        wire::FOPEN_DIRECT_IO,
        wire::FOPEN_KEEP_CACHE,
        wire::FOPEN_NONSEEKABLE,
        wire::FOPEN_STREAM,
        wire::FOPEN_NOFLUSH,
        wire::FOPEN_DIRECT_IO | wire::FOPEN_PARALLEL_DIRECT_WRITES,
        1 << 31,
    ] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.open_flags = flags;
        let r: Vec<Res<usize>> = m.run(&mut fs, |mnt| {
            let f = tmpfile(mnt, RW).expect("TMPFILE");
            // SAFETY: integers.
            let seek = check(unsafe { libc::lseek(f.as_raw_fd(), 2, libc::SEEK_SET) });
            vec![
                user::write(&f, b"hello"),
                user::pread(&f, 10, 0).map(|b| b.len()),
                seek.map(|at| at as usize),
                user::fstat(&f).map(|s| s.size as usize),
            ]
        });
        println!("{flags:#x}: {r:?}");
        assert_eq!(m.rec.count(Op::TMPFILE), 1);
        m.finish();
    }
}
