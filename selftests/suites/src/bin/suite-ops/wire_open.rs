// SPDX-License-Identifier: GPL-2.0

//! Open files, request by request: flags, handles, closing, mapping.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{attr_out, open_out, write_out, Entry, LONG, ZERO};
use mockd::user;
use mockd::wire::*;
use mockd::{Attr, Mock};

use crate::through::pattern;

const RW: i32 = libc::O_RDWR;

pub fn cases() -> Vec<Case> {
    cases![
        open_flags_as_sent,
        release_gets_open_flags,
        flush_for_each_close,
        handle_given_everywhere,
        keep_cache,
        keep_cache_not_given,
        nonseekable,
        stream,
        noflush,
        mapping_reads,
        mapping_of_direct_file,
        fstat_uses_handle,
        dup_and_fork_share_handle,
    ]
}

fn open_flags_as_sent() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let all = [
        libc::O_RDONLY,
        libc::O_WRONLY,
        RW,
        RW | libc::O_APPEND,
        RW | libc::O_NONBLOCK,
        RW | libc::O_SYNC,
        RW | libc::O_DSYNC,
        RW | libc::O_TRUNC,
        RW | libc::O_CREAT,
        RW | libc::O_CREAT | libc::O_NOCTTY,
        libc::O_RDONLY | libc::O_NOATIME,
        libc::O_RDONLY | libc::O_NOFOLLOW,
        RW | libc::O_DIRECT,
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

/// RELEASE has the flags of the file as they are when it is closed.
fn release_gets_open_flags() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        use std::os::fd::AsRawFd;
        let fd = user::open(&mnt.join("f"), RW | libc::O_APPEND, 0)?;
        // SAFETY: a descriptor and flags.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
        user::close(fd)
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

/// FLUSH comes with every close of a descriptor, RELEASE with the last.
fn flush_for_each_close() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let a = user::open(&mnt.join("f"), RW, 0)?;
        let b = a.try_clone()?;
        let c = b.try_clone()?;
        user::close(a)?;
        user::close(b)?;
        user::close(c)
    });
    assert_eq!(r, Ok(()));
    assert_eq!((m.rec.count(Op::FLUSH), m.rec.count(Op::RELEASE)), (3, 1));
    // Its error is close's error.
    fs.on(Op::FLUSH, Answer::Err(EDQUOT));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::close(user::open(&mnt.join("f"), RW, 0)?)
    });
    assert_eq!(r, Err(EDQUOT));
    assert_eq!(m.rec.count(Op::RELEASE), 2);
    m.finish();
}

fn handle_given_everywhere() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        let fd = user::open(p, RW | libc::O_DIRECT, 0)?;
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

fn keep_cache() {
    assert_eq!(second_open_reads(FOPEN_KEEP_CACHE), 0);
}

fn keep_cache_not_given() {
    assert_eq!(second_open_reads(0), 1);
}

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

fn noflush() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_NOFLUSH;
    fs.file("f", b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::close(user::open(&mnt.join("f"), RW, 0)?)
    });
    assert_eq!(r, Ok(()));
    assert_eq!((m.rec.count(Op::FLUSH), m.rec.count(Op::RELEASE)), (0, 1));
    m.finish();
}

/// Maps `len` bytes privately and gives a copy of them.
fn map_private(p: &std::path::Path, len: usize) -> Res<Vec<u8>> {
    use std::os::fd::AsRawFd;
    let fd = user::open(p, libc::O_RDONLY, 0)?;
    // SAFETY: a new mapping, read within its length, which the file has.
    unsafe {
        let m = libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            fd.as_raw_fd(),
            0,
        );
        if m == libc::MAP_FAILED {
            return Err(last());
        }
        let v = std::slice::from_raw_parts(m.cast::<u8>(), len).to_vec();
        libc::munmap(m, len);
        Ok(v)
    }
}

fn mapping_reads() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &pattern(50_000, 6));
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        Ok(map_private(&mnt.join("f"), 50_000)? == pattern(50_000, 6))
    });
    assert_eq!(r, Ok(true));
    m.finish();
}

/// A direct file may be mapped privately; each new mapping reads afresh.
fn mapping_of_direct_file() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", &pattern(8_192, 6));
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        Ok(map_private(&f, 8_192)? == pattern(8_192, 6)
            && map_private(&f, 8_192)? == pattern(8_192, 6))
    });
    assert_eq!(r, Ok(true));
    m.finish();
}

fn fstat_uses_handle() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.attr_valid = ZERO;
    fs.file("f", b"x");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), RW, 0)?;
        user::fstat(&fd)?;
        user::lstat(&mnt.join("f")).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

fn dup_and_fork_share_handle() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"0123456789");
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let child = mockd::Caller::spawn(None, |_| user::read(&fd, 3));
        let mut got = child.join::<Res<Vec<u8>>>()?;
        got.extend(user::read(&fd, 3)?);
        Ok(got)
    });
    assert_eq!(r, Ok(b"012345".to_vec()));
    assert_eq!((m.rec.count(Op::OPEN), m.rec.count(Op::RELEASE)), (1, 1));
    m.finish();
}
