// SPDX-License-Identifier: GPL-2.0

//! OPEN: the flags that the daemon gets, and those that it gives; its handle.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{attr_out, open_out, write_out, LONG};
use mockd::user;
use mockd::wire::*;
use mockd::{Attr, Entry, Mock};

use crate::through::{each, read, rw, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        truncate_on_open,
        open_flags_errors,
        many_open_files,
        read_after_behind_is_reopened,
        open_flags_as_sent,
        handle_given_everywhere,
        keep_cache,
        keep_cache_not_given,
        nonseekable,
        stream,
    ]
}

/// O_TRUNC empties the file and what is cached of it: none of the old bytes come back.
fn truncate_on_open() {
    each(|d| {
        write(&d.at("f"), &[1; 9000]);
        assert_eq!(read(&d.at("f")), [1; 9000]);
        let fd = user::open(&d.at("f"), libc::O_RDWR | libc::O_TRUNC, 0).expect("open");
        assert_eq!(user::fstat(&fd).map(|s| s.size), Ok(0));
        assert_eq!(user::pread(&fd, 10, 0), Ok(vec![]));
        assert_eq!(user::pwrite(&fd, b"z", 5000), Ok(1));
        assert_eq!(user::pread(&fd, 5000, 0), Ok(vec![0; 5000]));
        drop(fd);
        let fd = user::open(
            &d.at("f"),
            libc::O_CREAT | libc::O_TRUNC | libc::O_WRONLY,
            0o644,
        )
        .expect("open");
        drop(fd);
        same(d, "f");
        assert_eq!(user::lstat(&d.at("f")).map(|s| s.size), Ok(0));
    });
}

fn open_flags_errors() {
    each(|d| {
        write(&d.at("f"), b"x");
        let ro = user::open(&d.at("f"), libc::O_RDONLY, 0).expect("open");
        assert_eq!(user::write(&ro, b"y"), Err(EBADF));
        let wo = user::open(&d.at("f"), libc::O_WRONLY, 0).expect("open");
        assert_eq!(user::read(&wo, 1).err(), Some(EBADF));
        assert_eq!(
            user::open(&d.at("none"), libc::O_RDONLY, 0).err(),
            Some(ENOENT)
        );
        assert_eq!(
            user::open(&d.at("none/x"), libc::O_CREAT | libc::O_RDONLY, 0o644).err(),
            Some(ENOENT)
        );
        assert!(user::open(&d.at("f"), libc::O_RDONLY | libc::O_NOATIME, 0).is_ok());
        assert_eq!(
            user::open(&d.at(""), libc::O_TMPFILE | libc::O_RDONLY, 0o600).err(),
            Some(EINVAL)
        );
    });
}

/// Each handle leads to its own file.
fn many_open_files() {
    each(|d| {
        let fds: Vec<_> = (0..60).map(|i| rw(d, &format!("f{i}"))).collect();
        for (i, fd) in fds.iter().enumerate() {
            assert_eq!(
                user::write(fd, format!("{i}").as_bytes()).map(|n| n > 0),
                Ok(true)
            );
        }
        drop(fds);
        for i in 0..60 {
            assert_eq!(read(&d.behind(&format!("f{i}"))), format!("{i}").as_bytes());
        }
    });
}

/// cache=never and auto: a new open sees what was written behind.
fn read_after_behind_is_reopened() {
    for cache in ["never", "auto"] {
        let d = suites::daemon::Daemon::passthrough_ll(&format!("cache={cache}"));
        write(&d.behind("f"), b"AAAA");
        assert_eq!(read(&d.at("f")), b"AAAA");
        write(&d.behind("f"), b"BBBB");
        assert_eq!(read(&d.at("f")), b"BBBB", "cache={cache}");
        d.stop();
    }
}

/// OPEN has the caller's flags but those of creating, which are not the daemon's matter here.
fn open_flags_as_sent() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let all = [
        libc::O_RDONLY,
        libc::O_WRONLY,
        libc::O_RDWR,
        libc::O_RDWR | libc::O_APPEND,
        libc::O_RDWR | libc::O_NONBLOCK,
        libc::O_RDWR | libc::O_SYNC,
        libc::O_RDWR | libc::O_DSYNC,
        libc::O_RDWR | libc::O_TRUNC,
        libc::O_RDWR | libc::O_CREAT,
        libc::O_RDWR | libc::O_CREAT | libc::O_NOCTTY,
        libc::O_RDONLY | libc::O_NOATIME,
        libc::O_RDONLY | libc::O_NOFOLLOW,
        libc::O_RDWR | libc::O_DIRECT,
    ];
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        all.iter()
            .map(|f| user::open(&mnt.join("f"), *f, 0o644).map(drop))
            .collect()
    });
    assert_eq!(r, vec![Ok(()); all.len()]);
    for (want, r) in all
        .iter()
        .zip(m.rec.all().iter().filter(|r| r.op == Op::OPEN))
    {
        let clean = want & !(libc::O_CREAT | libc::O_EXCL | libc::O_NOCTTY);
        assert_eq!(r.get("flags") as i32 & !0o100_000, clean, "{want:#o}");
    }
    m.finish();
}

/// What the daemon gave in OPEN comes back in each request on the open file, all 64 bits of it.
fn handle_given_everywhere() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        let fd = user::open(p, libc::O_RDWR | libc::O_DIRECT, 0)?;
        user::pread(&fd, 10, 0)?;
        user::pwrite(&fd, b"x", 0)?;
        user::ftruncate(&fd, 1)?;
        user::fsync(&fd)?;
        user::close(fd)
    });
    let fh = 0xffff_0000_dead_beef;
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &Entry::new(Attr::file(2, 100)).bytes());
    let r = m.expect(Op::OPEN);
    m.reply(&r, &open_out(fh, 0));
    let mut seen = Vec::new();
    let mut c = [c];
    m.serve_all(&mut c, &mut |r| {
        if matches!(r.op, Op::GETXATTR) {
            return Answer::Err(ENOSYS);
        }
        seen.push(r.op);
        assert_eq!(r.get("fh"), fh, "{r:?}");
        match r.op {
            Op::READ => Answer::Ok(vec![1; r.get("size") as usize]),
            Op::WRITE => Answer::Ok(write_out(r.get("size") as u32)),
            Op::SETATTR | Op::GETATTR => Answer::Ok(attr_out(LONG, &Attr::file(2, 1))),
            _ => Answer::Ok(vec![]),
        }
    });
    let [c] = c;
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    for op in [Op::READ, Op::WRITE, Op::SETATTR, Op::FSYNC, Op::FLUSH] {
        assert!(seen.contains(&op), "{op:?} in {seen:?}");
    }
    m.finish();
}

/// Reads twice with two opens, and gives how many READs the second took.
fn second_open_reads(flags: u32) -> usize {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = flags;
    fs.file("f", &[3; 4096]);
    let once = |m: &mut Mock, fs: &mut Memfs| {
        let r: Res<usize> = m.run(fs, |mnt| {
            user::pread(&user::open(&mnt.join("f"), libc::O_RDONLY, 0)?, 4096, 0).map(|b| b.len())
        });
        assert_eq!(r, Ok(4096));
    };
    once(&mut m, &mut fs);
    let before = m.rec.count(Op::READ);
    once(&mut m, &mut fs);
    let after = m.rec.count(Op::READ);
    m.finish();
    after - before
}

/// FOPEN_KEEP_CACHE: the pages of the last open are still good.
fn keep_cache() {
    assert_eq!(second_open_reads(FOPEN_KEEP_CACHE), 0);
}

/// Without it an open drops them.
fn keep_cache_not_given() {
    assert_eq!(second_open_reads(0), 1);
}

/// FOPEN_NONSEEKABLE: there is a position, but nobody may choose it.
fn nonseekable() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_NONSEEKABLE | FOPEN_DIRECT_IO;
    fs.file("f", b"0123456789");
    type Seen = (Res<Vec<u8>>, Vec<u8>, Vec<u8>, Res<()>);
    let r: Res<Seen> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let at = user::pread(&fd, 3, 0);
        let a = user::read(&fd, 4)?;
        let b = user::read(&fd, 4)?;
        let seek = rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(0))
            .map(drop)
            .map_err(Errno::from);
        Ok((at, a, b, seek))
    });
    let (at, a, b, seek) = r.expect("read");
    assert_eq!(
        (at, a.as_slice(), b.as_slice(), seek),
        (Err(ESPIPE), &b"0123"[..], &b"4567"[..], Err(ESPIPE))
    );
    m.finish();
}

/// FOPEN_STREAM: no position at all, every read is at zero.
fn stream() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.rec.exact_reads();
    fs.open_flags = FOPEN_STREAM | FOPEN_DIRECT_IO;
    fs.file("f", b"0123456789");
    let r: Res<(Vec<u8>, Vec<u8>, Res<()>)> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let (a, b) = (user::read(&fd, 4)?, user::read(&fd, 4)?);
        Ok((
            a,
            b,
            rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(1))
                .map(drop)
                .map_err(Errno::from),
        ))
    });
    assert_eq!(r, Ok((b"0123".to_vec(), b"0123".to_vec(), Err(ESPIPE))));
    m.finish();
}
