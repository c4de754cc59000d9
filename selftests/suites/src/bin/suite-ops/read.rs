// SPDX-License-Identifier: GPL-2.0

//! READ through the page cache: offsets, ends of files, readahead, errors.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::*;
use mockd::{Init, Mock, Setup};

use crate::through::{each, each_with, pattern, read, rw, same, write};
use crate::wire::sizes;
use suites::tracing::Probe;

pub fn cases() -> Vec<Case> {
    cases![
        read_write_offsets,
        read_at_and_beyond_eof,
        seek_ends,
        zero_length,
        vectored,
        large_file,
        sendfile_and_splice,
        sendfile_of_direct_file,
        copy_between_mount_and_outside,
        buffered_read_covers,
        buffered_read_is_cached,
        short_read_is_eof,
        read_error,
        read_error_is_reported,
        readahead_bounded_by_init,
        sync_read_without_async_flag,
    ]
}

/// Offsets and sizes around the borders of pages.
fn read_write_offsets() {
    each(|d| {
        let fd = rw(d, "f");
        let data = pattern(20_000, 1);
        assert_eq!(user::pwrite(&fd, &data, 0), Ok(20_000));
        for (off, n) in [
            (0, 1),
            (0, 4096),
            (1, 4096),
            (4095, 2),
            (4096, 4096),
            (8191, 4098),
            (19_999, 1),
            (0, 20_000),
        ] {
            assert_eq!(
                user::pread(&fd, n, off as u64),
                Ok(data[off..off + n].to_vec()),
                "{off} {n}"
            );
        }
        drop(fd);
        assert_eq!(read(&d.behind("f")), data);
    });
}

fn read_at_and_beyond_eof() {
    each(|d| {
        let fd = rw(d, "f");
        assert_eq!(user::pwrite(&fd, b"12345", 0), Ok(5));
        assert_eq!(user::pread(&fd, 10, 3), Ok(b"45".to_vec()));
        assert_eq!(user::pread(&fd, 10, 5), Ok(vec![]));
        assert_eq!(user::pread(&fd, 10, 100_000), Ok(vec![]));
        assert_eq!(
            user::pread(&fd, 10, i64::MAX as u64 - 10).map(|v| v.len()),
            Ok(0)
        );
        assert_eq!(user::pread(&fd, 10, u64::MAX).err(), Some(EINVAL));
    });
}

fn seek_ends() {
    each_with("", |d| {
        write(&d.at("f"), b"0123456789");
        let fd = user::open(&d.at("f"), libc::O_RDWR, 0).expect("open");
        let seek = |off: i64, wh: i32| {
            // SAFETY: integers.
            check(unsafe { libc::lseek(fd.as_raw_fd(), off, wh) })
        };
        assert_eq!(seek(-3, libc::SEEK_END), Ok(7));
        assert_eq!(user::read(&fd, 10), Ok(b"789".to_vec()));
        assert_eq!(seek(2, libc::SEEK_SET), Ok(2));
        assert_eq!(seek(3, libc::SEEK_CUR), Ok(5));
        assert_eq!(seek(-6, libc::SEEK_CUR), Err(EINVAL));
        assert_eq!(seek(0, 99), Err(EINVAL));
        // Grown behind the kernel's back only where nothing is cached; here by another descriptor.
        let other = user::open(&d.at("f"), libc::O_WRONLY | libc::O_APPEND, 0).expect("open");
        assert_eq!(user::write(&other, b"AB"), Ok(2));
        assert_eq!(seek(0, libc::SEEK_END), Ok(12));
    });
}

fn zero_length() {
    each(|d| {
        let fd = rw(d, "f");
        assert_eq!(user::pwrite(&fd, b"", 0), Ok(0));
        assert_eq!(user::pread(&fd, 0, 0), Ok(vec![]));
        assert_eq!(user::pread(&fd, 10, 0), Ok(vec![]));
        assert_eq!(user::fstat(&fd).map(|s| s.size), Ok(0));
    });
}

/// Pieces of odd sizes, an empty one among them, are one run of bytes.
fn vectored() {
    each(|d| {
        let fd = rw(d, "f");
        let parts: Vec<Vec<u8>> = [1, 4095, 4096, 4097, 3, 0, 10_000]
            .iter()
            .map(|n| pattern(*n, 5))
            .collect();
        let iov: Vec<_> = parts.iter().map(|p| std::io::IoSlice::new(p)).collect();
        let all: Vec<u8> = parts.concat();
        assert_eq!(rustix::io::writev(&fd, &iov), Ok(all.len()));
        let mut bufs: Vec<Vec<u8>> = [7, 5000, 1, 20_000].iter().map(|n| vec![0; *n]).collect();
        let mut iov: Vec<_> = bufs
            .iter_mut()
            .map(|b| std::io::IoSliceMut::new(b))
            .collect();
        let n = rustix::io::preadv(&fd, &mut iov, 0).expect("preadv");
        assert_eq!(n, all.len());
        assert_eq!(bufs.concat()[..n], all);
    });
}

/// Many requests for one read, with a cache that is full, and with one that is empty.
fn large_file() {
    each(|d| {
        let data = pattern(3 << 20, 7);
        write(&d.at("f"), &data);
        assert!(read(&d.behind("f")) == data);
        assert!(read(&d.at("f")) == data);
        user::drop_caches();
        assert!(read(&d.at("f")) == data);
        same(d, "f");
    });
}

/// Data that leaves and enters through pipes, without a buffer of the caller.
fn sendfile_and_splice() {
    each(|d| {
        let data = pattern(100_000, 8);
        write(&d.at("f"), &data);
        let fd = user::open(&d.at("f"), libc::O_RDONLY, 0).expect("open");
        let out = rw(d, "g");
        let mut left = data.len();
        while left > 0 {
            // SAFETY: descriptors and no offset.
            let r = unsafe {
                libc::sendfile(out.as_raw_fd(), fd.as_raw_fd(), std::ptr::null_mut(), left)
            };
            let n = check(r as i64).expect("sendfile") as usize;
            assert!(n > 0);
            left -= n;
        }
        drop(out);
        assert!(read(&d.at("g")) == data);
        // Out of the mount through a pipe and into it again.
        let (r, w) = rustix::pipe::pipe().expect("pipe");
        let out = rw(d, "h");
        let flags = rustix::pipe::SpliceFlags::empty();
        let mut off = 0;
        while off < data.len() as u64 {
            let n = rustix::pipe::splice(&fd, Some(&mut off), &w, None, 16_384, flags)
                .expect("splice out");
            let mut rest = n;
            while rest > 0 {
                rest -= rustix::pipe::splice(&r, None, &out, None, rest, flags).expect("splice in");
            }
        }
        drop(out);
        assert!(read(&d.behind("h")) == data);
    });
}

/// sendfile(2) goes through the page cache although the daemon has said FOPEN_DIRECT_IO: so a file
/// whose size is said to be 0 is empty, and what was read once stays.
fn sendfile_of_direct_file() {
    let mut got = Vec::new();
    for size in [0, 5] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.open_flags = FOPEN_DIRECT_IO;
        let f = fs.file("f", b"hello");
        fs.nodes.get_mut(&f).expect("f").attr.size = size;
        let c = m.call("f", |p| {
            let fd = user::open(p, libc::O_RDONLY, 0)?;
            let (r, w) = rustix::pipe::pipe().expect("pipe");
            let send = || {
                let (w, fd) = (w.as_raw_fd(), fd.as_raw_fd());
                let mut off = 0;
                // SAFETY: descriptors, and a place for the offset.
                let n = check(unsafe { libc::sendfile(w, fd, &mut off, 5) } as i64)?;
                match n {
                    0 => Ok(vec![]),
                    n => user::read(&r, n as usize),
                }
            };
            let all = [
                user::pread(&fd, 5, 0)?,
                send()?,
                send()?,
                user::pread(&fd, 5, 0)?,
            ];
            Res::Ok(Vec::from(
                all.map(|b| String::from_utf8_lossy(&b).into_owned()),
            ))
        });
        let mut n = 0;
        let all: Res<Vec<String>> = m.serve(c, &mut |r| match r.op {
            Op::READ => {
                n += 1;
                Answer::Ok(format!("read{n}").into_bytes())
            }
            _ => fs.handle(r),
        });
        got.push(all.expect("read and sendfile"));
        m.finish();
    }
    assert_eq!(got[0], ["read1", "", "", "read2"]);
    assert_eq!(got[1], ["read1", "read2", "read2", "read3"]);
}

/// What cp does, into the mount, within it and out of it.
fn copy_between_mount_and_outside() {
    each(|d| {
        let data = pattern(70_000, 11);
        let outside = ktap::dir().join("outside");
        write(&outside, &data);
        std::fs::copy(&outside, d.at("in")).expect("copy in");
        std::fs::copy(d.at("in"), d.at("again")).expect("copy within");
        std::fs::copy(d.at("again"), ktap::dir().join("back")).expect("copy out");
        assert!(read(&ktap::dir().join("back")) == data);
    });
}

/// READs are whole pages, none larger than a request may be, and bring all of the file.
fn buffered_read_covers() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &pattern(300_000, 2));
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        Ok(std::fs::read(mnt.join("f"))? == pattern(300_000, 2))
    });
    assert_eq!(r, Ok(true));
    for (off, size) in sizes(&m, Op::READ) {
        assert!(
            off % 4096 == 0 && size % 4096 == 0 && size <= 131_072,
            "{off} {size}"
        );
    }
    m.finish();
}

/// Many small reads ask for each page once.
fn buffered_read_is_cached() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &pattern(10_000, 2));
    let r: Res<usize> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let mut n = 0;
        for off in 0..50 {
            n += user::pread(&fd, 100, off * 200)?.len();
        }
        Ok(n)
    });
    assert_eq!(r, Ok(5_000));
    let all: u64 = sizes(&m, Op::READ).iter().map(|s| s.1).sum();
    assert_eq!(all, 12_288, "each page once");
    m.finish();
}

/// Less data than the size said: the rest is zeroes or the end of the file.
fn short_read_is_eof() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[9; 20_000]);
    let c = m.call("f", |p| {
        let fd = user::open(p, libc::O_RDONLY, 0)?;
        let got = user::pread(&fd, 20_000, 0)?;
        Ok::<_, Errno>((got, user::fstat(&fd)?.size))
    });
    let got: Res<(Vec<u8>, u64)> = m.serve(c, &mut |r| match r.op {
        Op::READ if r.get("offset") == 0 => Answer::Ok(vec![9; 5_000]),
        Op::READ => Answer::Ok(vec![]),
        _ => fs.handle(r),
    });
    let (data, size) = got.expect("read");
    println!("{} bytes, size {size}", data.len());
    m.rec.note(format!("{} bytes, size {size}", data.len()));
    assert!(data[..5_000].iter().all(|b| *b == 9) && data[5_000..].iter().all(|b| *b == 0));
    m.finish();
}

/// Errors come through, and are not remembered for the page.
fn read_error() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[9; 4096]);
    for flags in [FOPEN_DIRECT_IO, 0] {
        fs.open_flags = flags;
        for e in [EIO, EPERM, ENOSPC] {
            fs.on(Op::READ, Answer::Err(e));
            let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
                user::pread(&user::open(&mnt.join("f"), libc::O_RDONLY, 0)?, 10, 0)
            });
            // A page that cannot be read is EIO whatever the reason, unless read directly.
            let want = if flags == 0 { EIO } else { e };
            assert_eq!(r, Err(want), "flags {flags}");
        }
    }
    // The page is asked for again.
    fs.fixed.clear();
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        user::pread(&user::open(&mnt.join("f"), libc::O_RDONLY, 0)?, 3, 0)
    });
    assert_eq!(r, Ok(vec![9; 3]));
    m.finish();
}

/// Whoever watches the kernel for errors of filesystems hears of each READ into the page cache that
/// has failed, and of no other.
fn read_error_is_reported() {
    let probe = Probe::of(
        "fserror_report",
        "kind=%dx:u32 at=%cx:u64 length=%r8:u64 error=%r9:s32",
    );
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[9; 8192]);
    for (flags, error) in [(0, EIO), (0, ENOSPC), (FOPEN_DIRECT_IO, EIO)] {
        fs.open_flags = flags;
        fs.on(Op::READ, Answer::Err(error));
        let before = m.rec.count(Op::READ);
        let reported = probe.calls().len();
        let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
            user::pread(&user::open(&mnt.join("f"), libc::O_RDONLY, 0)?, 10, 4096)
        });
        assert_eq!(r, Err(if flags == 0 { EIO } else { error }));
        // A buffered read in error is tried again for the one page.
        let reads = m.rec.count(Op::READ) - before;
        let each = format!("kind=0 at=4096 length=4096 error=-{}", error.0);
        let want = vec![each; if flags == 0 { reads } else { 0 }];
        assert_eq!(probe.calls()[reported..], want);
    }
    m.finish();
}

/// No READ is larger than the max_readahead that the daemon agreed to.
fn readahead_bounded_by_init() {
    for max in [0, 16_384, 65_536] {
        let mut m = Mock::with(
            &Setup::default(),
            &Init {
                max_readahead: max,
                ..Init::plain()
            },
        );
        let mut fs = Memfs::new();
        fs.file("f", &pattern(1 << 20, 2));
        let r: Res<()> = m.run(&mut fs, |mnt| {
            let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
            for i in 0..64 {
                user::pread(&fd, 4096, i * 4096)?;
            }
            Ok(())
        });
        assert_eq!(r, Ok(()));
        let largest = sizes(&m, Op::READ).iter().map(|s| s.1).max().unwrap_or(0);
        println!("max_readahead {max}: largest READ {largest}");
        assert!(largest <= u64::from(max.max(4096)), "{largest}");
        m.without_record();
        m.finish();
    }
}

/// Without ASYNC_READ there is never more than one READ at a time.
fn sync_read_without_async_flag() {
    let mut m = Mock::with(&Setup::default(), &Init::plain().without("ASYNC_READ"));
    let mut fs = Memfs::new();
    fs.file("f", &pattern(500_000, 6));
    let c = m.call("f", |p| {
        Ok::<_, Errno>(std::fs::read(p)? == pattern(500_000, 6))
    });
    let mut c = [c];
    while !c[0].ended() {
        if m.pending() {
            let r = m.request();
            if r.op == Op::READ {
                assert!(!m.pending(), "a second request while a READ waits");
            }
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
        }
    }
    let [c] = c;
    assert_eq!(c.join::<Res<bool>>(), Ok(true));
    m.finish();
}
