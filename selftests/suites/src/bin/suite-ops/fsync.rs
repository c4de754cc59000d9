// SPDX-License-Identifier: GPL-2.0

//! FSYNC, FSYNCDIR and SYNCFS.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

use crate::through::each;

pub fn cases() -> Vec<Case> {
    cases![fsync_all_kinds, fsync_flags, fsync_of_directory]
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

/// Data alone is bit 0 of the flags, and O_SYNC and O_DSYNC ask for the one or the other after each
/// WRITE; the daemon's error is the caller's.
fn fsync_flags() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::fsync(&fd)?;
        user::fdatasync(&fd)?;
        let s = user::open(&mnt.join("f"), libc::O_RDWR | libc::O_SYNC, 0)?;
        user::write(&s, b"x")?;
        let d = user::open(&mnt.join("f"), libc::O_RDWR | libc::O_DSYNC, 0)?;
        user::write(&d, b"x").map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish();
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    fs.on(Op::FSYNC, Answer::Err(EIO));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::fsync(&user::open(&mnt.join("f"), libc::O_RDWR, 0)?)
    });
    assert_eq!(r, Err(EIO));
    m.finish();
}

/// The same bit in FSYNCDIR.
fn fsync_of_directory() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(mnt, libc::O_RDONLY, 0)?;
        user::fsync(&fd)?;
        user::fdatasync(&fd)
    });
    assert_eq!(r, Ok(()));
    let flags: Vec<u64> = m
        .rec
        .all()
        .iter()
        .filter(|r| r.op == Op::FSYNCDIR)
        .map(|r| r.get("fsync_flags"))
        .collect();
    assert_eq!(flags, [0, 1]);
    m.finish();
}
