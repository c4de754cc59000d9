// SPDX-License-Identifier: GPL-2.0

//! Attributes, on passthrough_ll.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::user;

use crate::through::{each, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        chmod_all_bits,
        chmod_of_open_file,
        chown_both,
        chown_clears_setuid,
        utimes_set_omit_now,
        truncate_sizes,
        truncate_errors,
        ftruncate_open,
        write_changes_times,
        stat_of_root,
        statx_masks,
        statfs_same,
        changed_behind,
        access_checks,
        fsync_all_kinds,
    ]
}

fn chmod_all_bits() {
    each(|d| {
        write(&d.at("f"), b"");
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        for mode in [0, 0o777, 0o644, 0o4755, 0o2755, 0o1777, 0o7777, 0o400] {
            for n in ["f", "d"] {
                user::chmod(&d.at(n), mode).expect("chmod");
                same(d, n);
                assert_eq!(
                    user::lstat(&d.at(n)).map(|s| s.mode & 0o7777),
                    Ok(mode),
                    "{n}"
                );
            }
        }
        user::chmod(&d.at("d"), 0o755).expect("chmod");
    });
}

fn chmod_of_open_file() {
    each(|d| {
        let fd = user::open(&d.at("f"), libc::O_CREAT | libc::O_RDWR, 0o600).expect("create");
        user::fchmod(&fd, 0o640).expect("fchmod");
        user::fchown(&fd, 12, 34).expect("fchown");
        same(d, "f");
        assert_eq!(
            user::fstat(&fd).map(|s| (s.mode & 0o777, s.uid, s.gid)),
            Ok((0o640, 12, 34))
        );
        user::fchown(&fd, 0, 0).expect("fchown");
    });
}

fn chown_both() {
    each(|d| {
        write(&d.at("f"), b"");
        user::symlink("f", &d.at("l")).expect("symlink");
        for (u, g) in [
            (1, 2),
            (u32::MAX, 7),
            (9, u32::MAX),
            (0, 0),
            (65534, 65534),
            (1 << 31, 1 << 30),
        ] {
            user::lchown(&d.at("f"), u, g).expect("chown");
            same(d, "f");
            user::lchown(&d.at("l"), u, g).expect("lchown");
            same(d, "l");
        }
    });
}

fn chown_clears_setuid() {
    each(|d| {
        write(&d.at("f"), b"");
        user::chmod(&d.at("f"), 0o6755).expect("chmod");
        user::lchown(&d.at("f"), 5, 5).expect("chown");
        same(d, "f");
        assert_eq!(user::lstat(&d.at("f")).map(|s| s.mode & 0o7777), Ok(0o755));
    });
}

fn utimes_set_omit_now() {
    each(|d| {
        write(&d.at("f"), b"");
        let f = d.at("f");
        user::utimes(&f, Some((1_111, 222)), Some((3_333, 444))).expect("utimes");
        same(d, "f");
        assert_eq!(
            user::lstat(&f).map(|s| (s.atime, s.mtime)),
            Ok(((1_111, 222), (3_333, 444)))
        );
        user::utimes(&f, None, Some((5, 6))).expect("utimes");
        assert_eq!(
            user::lstat(&f).map(|s| (s.atime, s.mtime)),
            Ok(((1_111, 222), (5, 6)))
        );
        user::utimes(&f, Some((7, 8)), None).expect("utimes");
        assert_eq!(
            user::lstat(&f).map(|s| (s.atime, s.mtime)),
            Ok(((7, 8), (5, 6)))
        );
        user::utimes(&f, Some((0, libc::UTIME_NOW)), Some((0, libc::UTIME_NOW))).expect("utimes");
        same(d, "f");
        let s = user::lstat(&f).expect("stat");
        assert!(
            s.mtime.0 > 1_000_000_000 && s.atime.0 > 1_000_000_000,
            "{s:?}"
        );
        // Before 1970 and after 2106.
        user::utimes(&f, Some((-5, 0)), Some((1 << 33, 1))).expect("utimes");
        same(d, "f");
        user::utimes(&d.at(""), Some((1, 0)), Some((2, 0))).expect("utimes");
        assert_eq!(user::lstat(&d.at("")).map(|s| s.mtime), Ok((2, 0)));
    });
}

fn truncate_sizes() {
    each(|d| {
        write(&d.at("f"), &[0xaa; 10_000]);
        for n in [10_000, 9_999, 4_097, 4_096, 4_095, 1, 0, 1, 8_192, 1 << 33] {
            user::truncate(&d.at("f"), n).expect("truncate");
            same(d, "f");
            assert_eq!(user::lstat(&d.at("f")).map(|s| s.size), Ok(n as u64));
        }
        user::truncate(&d.at("f"), 3).expect("truncate");
        assert_eq!(read(&d.at("f")), [0xaa, 0, 0].map(|_| 0));
    });
}

fn truncate_errors() {
    each(|d| {
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        write(&d.at("f"), b"x");
        assert_eq!(user::truncate(&d.at("d"), 0), Err(EISDIR));
        assert_eq!(user::truncate(&d.at("none"), 0), Err(ENOENT));
        assert_eq!(user::truncate(&d.at("f"), -1), Err(EINVAL));
        let fd = user::open(&d.at("f"), libc::O_RDONLY, 0).expect("open");
        assert_eq!(user::ftruncate(&fd, 0), Err(EINVAL));
    });
}

/// What was cut off reads as zeroes when the file grows again.
fn ftruncate_open() {
    each(|d| {
        let fd = user::open(&d.at("f"), libc::O_CREAT | libc::O_RDWR, 0o644).expect("create");
        assert_eq!(user::pwrite(&fd, &[1; 10_000], 0), Ok(10_000));
        assert_eq!(user::pread(&fd, 10_000, 0), Ok(vec![1; 10_000]));
        user::ftruncate(&fd, 100).expect("ftruncate");
        user::ftruncate(&fd, 5_000).expect("ftruncate");
        let mut want = vec![1; 100];
        want.resize(5_000, 0);
        assert_eq!(user::pread(&fd, 10_000, 0), Ok(want));
        same(d, "f");
    });
}

fn write_changes_times() {
    each(|d| {
        write(&d.at("f"), b"x");
        user::utimes(&d.at("f"), Some((1, 0)), Some((1, 0))).expect("utimes");
        let fd = user::open(&d.at("f"), libc::O_WRONLY, 0).expect("open");
        assert_eq!(user::write(&fd, b"y"), Ok(1));
        drop(fd);
        same(d, "f");
        assert!(user::lstat(&d.at("f")).expect("stat").mtime.0 > 1);
        user::utimes(&d.at(""), Some((1, 0)), Some((1, 0))).expect("utimes");
        write(&d.at("g"), b"");
        same(d, "");
        assert!(user::lstat(&d.at("")).expect("stat").mtime.0 > 1);
    });
}

fn stat_of_root() {
    each(|d| {
        same(d, "");
        user::chmod(&d.at(""), 0o751).expect("chmod");
        same(d, "");
        user::lchown(&d.at(""), 3, 4).expect("chown");
        same(d, "");
        user::chmod(&d.at(""), 0o755).expect("chmod");
        user::lchown(&d.at(""), 0, 0).expect("chown");
    });
}

fn statx_masks() {
    each(|d| {
        write(&d.at("f"), b"12345");
        for mask in [
            0,
            libc::STATX_SIZE,
            libc::STATX_BASIC_STATS,
            libc::STATX_ALL,
        ] {
            for flags in [0, libc::AT_STATX_FORCE_SYNC, libc::AT_STATX_DONT_SYNC] {
                let c = mockd::mount::path(&d.at("f"));
                // SAFETY: a C string and a place for the result.
                let s = unsafe {
                    let mut s: libc::statx = std::mem::zeroed();
                    check(libc::statx(libc::AT_FDCWD, c.as_ptr(), flags, mask, &mut s))
                        .expect("statx");
                    s
                };
                let basic = libc::STATX_BASIC_STATS;
                assert_eq!(s.stx_mask & mask & basic, mask & basic, "mask {mask:#x}");
                assert_eq!((s.stx_size, s.stx_nlink), (5, 1));
            }
        }
        let both = libc::AT_STATX_FORCE_SYNC | libc::AT_STATX_DONT_SYNC;
        // SAFETY: as above.
        let r = unsafe {
            let mut s: libc::statx = std::mem::zeroed();
            check(libc::statx(libc::AT_FDCWD, c"/".as_ptr(), both, 0, &mut s))
        };
        assert_eq!(r, Err(EINVAL));
    });
}

fn statfs_same() {
    each(|d| {
        let (mut a, mut b) = (
            user::statfs(&d.mnt).expect("statfs"),
            user::statfs(&d.src).expect("statfs"),
        );
        assert_eq!(a[0], 0x6573_5546);
        // The type differs; what is free changes by itself.
        for v in [&mut a, &mut b] {
            v[0] = 0;
            v[3] = 0;
            v[4] = 0;
            v[6] = 0;
        }
        assert_eq!(a, b);
    });
}

/// Without caching, a change behind shows at once.
fn changed_behind() {
    let d = suites::daemon::Daemon::passthrough_ll("cache=never");
    write(&d.behind("f"), b"one");
    assert_eq!(read(&d.at("f")), b"one");
    write(&d.behind("f"), b"longer than one");
    assert_eq!(user::lstat(&d.at("f")).map(|s| s.size), Ok(15));
    assert_eq!(read(&d.at("f")), b"longer than one");
    user::chmod(&d.behind("f"), 0o600).expect("chmod");
    same(&d, "f");
    let fd = user::open(&d.at("f"), libc::O_RDONLY, 0).expect("open");
    write(&d.behind("f"), b"x");
    assert_eq!(user::fstat(&fd).map(|s| s.size), Ok(1));
    assert_eq!(user::pread(&fd, 20, 0), Ok(b"x".to_vec()));
    drop(fd);
    d.stop();
}

fn access_checks() {
    each(|d| {
        write(&d.at("f"), b"#!/bin/true\n");
        user::chmod(&d.at("f"), 0o644).expect("chmod");
        assert_eq!(user::access(&d.at("f"), libc::F_OK), Ok(()));
        assert_eq!(user::access(&d.at("f"), libc::R_OK | libc::W_OK), Ok(()));
        // passthrough_ll has no ACCESS: everything is let pass, until it is done.
        assert_eq!(user::access(&d.at("f"), libc::X_OK), Ok(()));
        assert_eq!(user::access(&d.at("none"), libc::F_OK), Err(ENOENT));
        user::chmod(&d.at("f"), 0o755).expect("chmod");
        assert_eq!(user::access(&d.at("f"), libc::X_OK), Ok(()));
        assert_eq!(
            user::access(&d.at(""), libc::R_OK | libc::W_OK | libc::X_OK),
            Ok(())
        );
    });
}

fn fsync_all_kinds() {
    each(|d| {
        let fd = user::open(&d.at("f"), libc::O_CREAT | libc::O_RDWR, 0o644).expect("create");
        assert_eq!(user::write(&fd, &[1; 5000]), Ok(5000));
        user::fsync(&fd).expect("fsync");
        user::fdatasync(&fd).expect("fdatasync");
        let dir = user::open(&d.mnt, libc::O_RDONLY, 0).expect("open");
        user::fsync(&dir).expect("fsync of a directory");
        user::fdatasync(&dir).expect("fdatasync of a directory");
        // SAFETY: a descriptor.
        assert_eq!(
            check(unsafe { libc::syncfs(std::os::fd::AsRawFd::as_raw_fd(&dir)) }),
            Ok(0)
        );
        let s = user::open(
            &d.at("s"),
            libc::O_CREAT | libc::O_WRONLY | libc::O_SYNC,
            0o644,
        )
        .expect("create");
        assert_eq!(user::write(&s, b"sync"), Ok(4));
    });
}
