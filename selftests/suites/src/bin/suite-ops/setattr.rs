// SPDX-License-Identifier: GPL-2.0

//! SETATTR: modes, owners, times and sizes.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::*;
use mockd::Mock;

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
        truncate_by_path_and_fd,
        setattr_arguments,
    ]
}

/// Set-id bits and the sticky bit are bits as all others, on files and directories.
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

/// Owner, group, both or none of them, and numbers beyond 16 and 31 bits.
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

/// A file that changes hands does not keep a mode that would give its new owner's rights away.
fn chown_clears_setuid() {
    each(|d| {
        write(&d.at("f"), b"");
        user::chmod(&d.at("f"), 0o6755).expect("chmod");
        user::lchown(&d.at("f"), 5, 5).expect("chown");
        same(d, "f");
        assert_eq!(user::lstat(&d.at("f")).map(|s| s.mode & 0o7777), Ok(0o755));
    });
}

/// Each time is set, left or now, by itself; times before 1970 and after 2106 are times.
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

/// Sizes around the borders of pages, smaller and larger, and what was cut off is zero.
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

/// SETATTR has the handle where the caller has an open file.
fn truncate_by_path_and_fd() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[1; 100]);
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::truncate(&mnt.join("f"), 50)?;
        let fd = user::open(&mnt.join("f"), libc::O_WRONLY, 0)?;
        user::ftruncate(&fd, 25)
    });
    assert_eq!(r, Ok(()));
    let with_fh: Vec<bool> = m
        .rec
        .all()
        .iter()
        .filter(|r| r.op == Op::SETATTR)
        .map(|r| r.get("valid") as u32 & FATTR_FH != 0)
        .collect();
    assert_eq!(with_fh, [false, true]);
    m.finish();
}

/// Which fields are marked as valid, for each way to ask for a change.
fn setattr_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[1; 100]);
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        user::chmod(&f, 0o4711)?;
        user::lchown(&f, 5, u32::MAX)?;
        user::lchown(&f, u32::MAX, 6)?;
        user::lchown(&f, 7, 8)?;
        user::lchown(&f, u32::MAX, u32::MAX)?;
        user::utimes(&f, Some((1, 2)), None)?;
        user::utimes(&f, None, Some((3, 4)))?;
        user::utimes(&f, Some((0, libc::UTIME_NOW)), Some((5, 6)))?;
        user::utimes(&f, Some((0, libc::UTIME_NOW)), Some((0, libc::UTIME_NOW)))?;
        user::utimes(&f, Some((-1, 999_999_999)), Some((1 << 40, 0)))?;
        let fd = user::open(&f, libc::O_RDWR, 0)?;
        user::fchmod(&fd, 0o600)?;
        user::fchown(&fd, 1, 1)?;
        user::ftruncate(&fd, 3)
    });
    assert_eq!(r, Ok(()));
    m.finish_compared();
}
