// SPDX-License-Identifier: GPL-2.0

//! File contents, on passthrough_ll.

use std::os::fd::{AsRawFd, OwnedFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::user;

use crate::through::{each, each_with, pattern, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        read_write_offsets,
        read_at_and_beyond_eof,
        write_beyond_eof_makes_hole,
        append,
        append_by_two,
        truncate_on_open,
        open_flags_errors,
        large_file,
        sparse_far,
        random_writes_and_reads,
        overwrite_part_of_page,
        vectored,
        direct_io_flag,
        direct_io_unaligned_buffer,
        two_descriptors_see_each_other,
        read_after_behind_is_reopened,
        sendfile_and_splice,
        copy_between_mount_and_outside,
        file_size_limit,
        zero_length,
        many_open_files,
        concurrent_writers,
        seek_ends,
    ]
}

fn rw(d: &suites::daemon::Daemon, name: &str) -> OwnedFd {
    user::open(&d.at(name), libc::O_CREAT | libc::O_RDWR, 0o644).expect("create")
}

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

fn write_beyond_eof_makes_hole() {
    each(|d| {
        let fd = rw(d, "f");
        assert_eq!(user::pwrite(&fd, b"a", 0), Ok(1));
        assert_eq!(user::pwrite(&fd, b"b", 10_000), Ok(1));
        let mut want = vec![0; 10_001];
        (want[0], want[10_000]) = (b'a', b'b');
        assert_eq!(user::pread(&fd, 20_000, 0), Ok(want));
        same(d, "f");
    });
}

fn append() {
    each(|d| {
        write(&d.at("f"), b"start");
        let fd = user::open(&d.at("f"), libc::O_RDWR | libc::O_APPEND, 0).expect("open");
        assert_eq!(user::write(&fd, b"+one"), Ok(4));
        // pwrite on O_APPEND appends, on Linux.
        assert_eq!(user::pwrite(&fd, b"+two", 0), Ok(4));
        assert_eq!(user::pread(&fd, 30, 0), Ok(b"start+one+two".to_vec()));
        drop(fd);
        assert_eq!(read(&d.behind("f")), b"start+one+two");
    });
}

fn append_by_two() {
    each(|d| {
        let open = || {
            user::open(
                &d.at("f"),
                libc::O_CREAT | libc::O_WRONLY | libc::O_APPEND,
                0o644,
            )
            .expect("open")
        };
        let (a, b) = (open(), open());
        let mut want = Vec::new();
        for i in 0..20u8 {
            let fd = if i % 2 == 0 { &a } else { &b };
            let text = vec![b'a' + i; 700];
            assert_eq!(user::write(fd, &text), Ok(700));
            want.extend(text);
        }
        drop((a, b));
        assert_eq!(read(&d.at("f")), want);
        assert_eq!(read(&d.behind("f")), want);
    });
}

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

fn sparse_far() {
    each(|d| {
        let fd = rw(d, "f");
        for off in [0u64, (1 << 31) - 2, (1 << 32) - 2, (1 << 40) + 5] {
            assert_eq!(user::pwrite(&fd, b"mark", off), Ok(4), "{off}");
        }
        for off in [0u64, (1 << 31) - 2, (1 << 32) - 2, (1 << 40) + 5] {
            assert_eq!(user::pread(&fd, 4, off), Ok(b"mark".to_vec()), "{off}");
        }
        assert_eq!(user::pread(&fd, 8192, 1 << 33), Ok(vec![0; 8192]));
        assert_eq!(user::fstat(&fd).map(|s| s.size), Ok((1 << 40) + 9));
        // Not left for the comparison of contents.
        drop(fd);
        user::unlink(&d.at("f")).expect("unlink");
    });
}

/// A model in memory, the file, and what is behind, stay the same.
fn random_writes_and_reads() {
    each(|d| {
        let fd = rw(d, "f");
        let mut model: Vec<u8> = Vec::new();
        let mut x: u64 = 88;
        let mut rand = |n: usize| {
            x = x
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (x >> 33) as usize % n
        };
        for i in 0..150 {
            let (off, n) = (rand(60_000), rand(9_000));
            match rand(8) {
                0 => {
                    user::ftruncate(&fd, off as i64).expect("ftruncate");
                    model.resize(off, 0);
                }
                1..=4 => {
                    let data = pattern(n, i);
                    assert_eq!(user::pwrite(&fd, &data, off as u64), Ok(n));
                    if n > 0 && model.len() < off + n {
                        model.resize(off + n, 0);
                    }
                    if n > 0 {
                        model[off..off + n].copy_from_slice(&data);
                    }
                }
                _ => {
                    let (a, b) = (off.min(model.len()), (off + n).min(model.len()));
                    let got = user::pread(&fd, n, off as u64).expect("pread");
                    assert!(got == model[a..b], "step {i}: read {off} {n}");
                }
            }
        }
        drop(fd);
        assert!(read(&d.behind("f")) == model);
        assert!(read(&d.at("f")) == model);
    });
}

fn overwrite_part_of_page() {
    each(|d| {
        let mut data = pattern(12_288, 3);
        write(&d.behind("f"), &data);
        let fd = user::open(&d.at("f"), libc::O_RDWR, 0).expect("open");
        // Nothing of it is in the cache yet.
        assert_eq!(user::pwrite(&fd, b"inside", 5_000), Ok(6));
        data[5_000..5_006].copy_from_slice(b"inside");
        assert_eq!(user::pread(&fd, 20_000, 0), Ok(data.clone()));
        assert_eq!(user::pwrite(&fd, &[9; 4096], 2_048), Ok(4096));
        data[2_048..6_144].fill(9);
        assert_eq!(user::pread(&fd, 20_000, 0), Ok(data.clone()));
        drop(fd);
        assert_eq!(read(&d.behind("f")), data);
    });
}

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

/// A buffer aligned to pages.
fn aligned(n: usize) -> Vec<u8> {
    // O_DIRECT on FUSE takes any buffer, so this is only the usual way.
    vec![0; n]
}

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

fn two_descriptors_see_each_other() {
    each(|d| {
        let (a, b) = (rw(d, "f"), rw(d, "f"));
        for i in 0..10u8 {
            assert_eq!(user::pwrite(&a, &[i; 5000], u64::from(i) * 1000), Ok(5000));
            assert_eq!(
                user::pread(&b, 5000, u64::from(i) * 1000),
                Ok(vec![i; 5000])
            );
        }
        user::ftruncate(&a, 10).expect("ftruncate");
        assert_eq!(user::fstat(&b).map(|s| s.size), Ok(10));
        assert_eq!(user::pread(&b, 100, 0), Ok(vec![0; 10]));
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

fn file_size_limit() {
    each(|d| {
        let f = d.at("f");
        let c = mockd::Caller::spawn(None, |_| {
            let fd = user::open(&f, libc::O_CREAT | libc::O_WRONLY, 0o644)?;
            // SAFETY: a limit of this process, and an ignored signal.
            unsafe {
                let l = libc::rlimit {
                    rlim_cur: 6000,
                    rlim_max: 6000,
                };
                libc::setrlimit(libc::RLIMIT_FSIZE, &l);
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            }
            let first = user::pwrite(&fd, &[1; 10_000], 0);
            let second = user::pwrite(&fd, &[1; 10], 6000);
            let third = user::ftruncate(&fd, 7000);
            Ok::<_, Errno>((first, second, third))
        });
        let r: Res<(Res<usize>, Res<usize>, Res<()>)> = c.join();
        assert_eq!(r, Ok((Ok(6000), Err(EFBIG), Err(EFBIG))));
        same(d, "f");
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

/// Eight processes write their own parts of one file at the same time.
fn concurrent_writers() {
    each(|d| {
        drop(rw(d, "f"));
        let cs: Vec<_> = (0..8u64)
            .map(|i| {
                let f = d.at("f");
                mockd::Caller::spawn(None, move |_| {
                    let fd = user::open(&f, libc::O_RDWR, 0)?;
                    for k in 0..20u64 {
                        let off = (k * 8 + i) * 3000;
                        user::pwrite(&fd, &pattern(3000, off), off)?;
                        if user::pread(&fd, 3000, off)? != pattern(3000, off) {
                            return Err(EUCLEAN);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for c in cs {
            assert_eq!(c.join::<Res<()>>(), Ok(()));
        }
        let all: Vec<u8> = (0..160u64).flat_map(|k| pattern(3000, k * 3000)).collect();
        assert!(read(&d.behind("f")) == all);
        assert!(read(&d.at("f")) == all);
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
