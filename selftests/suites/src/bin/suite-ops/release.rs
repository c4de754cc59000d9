// SPDX-License-Identifier: GPL-2.0

//! FLUSH and RELEASE: a descriptor closed, and the last one of an open file.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::*;
use mockd::Mock;

pub fn cases() -> Vec<Case> {
    cases![
        release_gets_open_flags,
        flush_for_each_close,
        noflush,
        dup_and_fork_share_handle,
    ]
}

/// RELEASE has the flags of the file as they are when it is closed.
fn release_gets_open_flags() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        use std::os::fd::AsRawFd;
        let fd = user::open(&mnt.join("f"), libc::O_RDWR | libc::O_APPEND, 0)?;
        // SAFETY: a descriptor and flags.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
        user::close(fd)
    });
    assert_eq!(r, Ok(()));
    m.finish_compared();
}

/// FLUSH comes with every close of a descriptor, RELEASE with the last.
fn flush_for_each_close() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let a = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
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
        user::close(user::open(&mnt.join("f"), libc::O_RDWR, 0)?)
    });
    assert_eq!(r, Err(EDQUOT));
    assert_eq!(m.rec.count(Op::RELEASE), 2);
    m.finish();
}

/// FOPEN_NOFLUSH: RELEASE alone tells that a file is closed.
fn noflush() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_NOFLUSH;
    fs.file("f", b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::close(user::open(&mnt.join("f"), libc::O_RDWR, 0)?)
    });
    assert_eq!(r, Ok(()));
    assert_eq!((m.rec.count(Op::FLUSH), m.rec.count(Op::RELEASE)), (0, 1));
    m.finish();
}

/// One open file, with one position, whoever has a descriptor of it.
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
