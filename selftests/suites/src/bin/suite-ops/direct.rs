// SPDX-License-Identifier: GPL-2.0

//! READ and WRITE past the page cache: O_DIRECT of the caller, FOPEN_DIRECT_IO of the daemon.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{vector, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::write_out;
use mockd::user;
use mockd::wire::*;
use mockd::Mock;

use crate::through::{each, pattern, write};
use crate::wire::sizes;

pub fn cases() -> Vec<Case> {
    cases![
        direct_io_flag,
        direct_io_unaligned_buffer,
        direct_read_sizes,
        direct_write_sizes,
        direct_read_short,
        direct_bypasses_cache,
        direct_fault_after_nothing,
        direct_fault_after_something,
    ]
}

/// A buffer aligned to pages.
fn aligned(n: usize) -> Vec<u8> {
    // O_DIRECT on FUSE takes any buffer, so this is only the usual way.
    vec![0; n]
}

/// With O_DIRECT a file has the right contents in large and small pieces, and agrees with the
/// cached pages of another descriptor.
fn direct_io_flag() {
    each(|d| {
        let fd = user::open(
            &d.at("f"),
            libc::O_CREAT | libc::O_RDWR | libc::O_DIRECT,
            0o644,
        )
        .expect("open");
        let data = pattern(300_000, 9);
        assert_eq!(user::pwrite(&fd, &data, 0), Ok(data.len()));
        assert_eq!(user::fstat(&fd).map(|s| s.size), Ok(300_000));
        let mut got = aligned(0);
        while got.len() < data.len() {
            let some = user::pread(&fd, 65_536, got.len() as u64).expect("pread");
            assert!(!some.is_empty());
            got.extend(some);
        }
        assert!(got == data);
        // Cached and direct see each other.
        let cached = user::open(&d.at("f"), libc::O_RDWR, 0).expect("open");
        assert_eq!(
            user::pread(&cached, 100, 4_000),
            Ok(data[4_000..4_100].to_vec())
        );
        assert_eq!(user::pwrite(&fd, &[0x55; 4096], 0), Ok(4096));
        assert_eq!(user::pread(&cached, 4096, 0), Ok(vec![0x55; 4096]));
        assert_eq!(user::pwrite(&cached, &[0x66; 4096], 4096), Ok(4096));
        assert_eq!(user::pread(&fd, 4096, 4096), Ok(vec![0x66; 4096]));
    });
}

fn direct_io_unaligned_buffer() {
    each(|d| {
        // FUSE has no blocks: nothing needs to be aligned. The directory behind is not opened so.
        write(&d.behind("f"), &pattern(10_000, 2));
        let fd = user::open(&d.at("f"), libc::O_RDWR, 0).expect("open");
        // SAFETY: a descriptor and flags.
        unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_DIRECT) };
        let mut b = vec![0u8; 10_001];
        let n = rustix::io::pread(&fd, &mut b[1..], 0).expect("pread");
        assert_eq!(n, 10_000);
        assert!(b[1..] == pattern(10_000, 2));
        assert_eq!(user::pwrite(&fd, &b[3..100], 17), Ok(97));
    });
}

/// A READ is as large as the caller's read, up to the largest request, at whatever offset.
fn direct_read_sizes() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.rec.exact_reads();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", &pattern(400_000, 1));
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let a = user::pread(&fd, 1, 5)?;
        let b = user::pread(&fd, 131_072, 0)?;
        let c = user::pread(&fd, 300_000, 1_000)?;
        let d = user::pread(&fd, 100_000, 350_000)?;
        let p = pattern(400_000, 1);
        Ok(a == p[5..6] && b == p[..131_072] && c == p[1_000..301_000] && d == p[350_000..])
    });
    assert_eq!(r, Ok(true));
    println!("{:?}", sizes(&m, Op::READ));
    m.finish_compared();
}

/// As READs: no page of a direct WRITE is filled up, no offset rounded.
fn direct_write_sizes() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_DIRECT_IO;
    let f = fs.file("f", b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_WRONLY, 0)?;
        user::pwrite(&fd, &pattern(1, 1), 7)?;
        user::pwrite(&fd, &pattern(131_072, 1), 0)?;
        user::pwrite(&fd, &pattern(300_000, 1), 100)?;
        Ok(())
    });
    assert_eq!(r, Ok(()));
    assert!(fs.nodes[&f].data[100..] == pattern(300_000, 1));
    m.finish_compared();
}

/// A short answer to a direct read ends the read there.
fn direct_read_short() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.rec.exact_reads();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", &[5; 100_000]);
    let c = m.call("f", |p| {
        user::pread(&user::open(p, libc::O_RDONLY, 0)?, 50_000, 0).map(|b| b.len())
    });
    let n: Res<usize> = m.serve(c, &mut |r| match r.op {
        Op::READ => Answer::Ok(vec![5; 777]),
        _ => fs.handle(r),
    });
    assert_eq!(n, Ok(777));
    m.finish();
}

/// Each read asks again, and sees a file that has changed in between.
fn direct_bypasses_cache() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_DIRECT_IO;
    let f = fs.file("f", b"aaaa");
    let c = m.call("f", |p| {
        let fd = user::open(p, libc::O_RDWR, 0)?;
        let mut v = Vec::new();
        for _ in 0..3 {
            v.extend(user::pread(&fd, 4, 0)?);
        }
        Ok::<_, Errno>(v)
    });
    let mut n = b'a';
    let got: Res<Vec<u8>> = m.serve(c, &mut |r| {
        if r.op == Op::READ {
            n += 1;
            fs.nodes.get_mut(&f).expect("f").data = vec![n; 4];
        }
        fs.handle(r)
    });
    assert_eq!(got, Ok(b"bbbbccccdddd".to_vec()));
    m.finish();
}

/// readv(2) and writev(2) of a page and of one that is not there, past the cache because the caller
/// wants it so, or the daemon. The latter gives, or takes, `done` bytes of what it is asked for.
fn faulting(done: u32, ways: &[bool]) -> Vec<Res<usize>> {
    let mut all = Vec::new();
    for &by_caller in ways {
        for write in [false, true] {
            let (mut m, mut fs) = (Mock::new(), Memfs::new());
            m.rec.exact_reads();
            let flags = if by_caller {
                libc::O_DIRECT
            } else {
                fs.open_flags = FOPEN_DIRECT_IO;
                0
            };
            fs.file("f", &[5; 3 * PAGE]);
            let c = m.call("f", |p| {
                let fd = user::open(p, libc::O_RDWR | flags, 0)?;
                let pages = Pages::touched(2);
                pages.unmap(1);
                let pieces = [(pages.addr(), PAGE), (pages.addr() + PAGE, PAGE)];
                vector(fd.as_raw_fd(), write, &pieces)
            });
            all.push(m.serve(c, &mut |r| match r.op {
                Op::READ => Answer::Ok(vec![6; done as usize]),
                Op::WRITE => Answer::Ok(write_out(done)),
                _ => fs.handle(r),
            }));
            m.finish();
        }
    }
    all
}

/// The error of memory that is not there is not lost when nothing was transferred before it.
fn direct_fault_after_nothing() {
    assert_eq!(faulting(0, &[false, true]), [Err(EFAULT); 4]);
}

/// But what was transferred counts more. With O_DIRECT the rest goes through the page cache.
fn direct_fault_after_something() {
    assert_eq!(faulting(100, &[false]), [Ok(100); 2]);
    assert_eq!(faulting(PAGE as u32, &[false, true]), [Ok(PAGE); 4]);
}
