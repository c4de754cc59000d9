// SPDX-License-Identifier: GPL-2.0

//! Attributes and permissions, request by request.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::*;
use mockd::{Init, Mock, Setup};

const RW: i32 = libc::O_RDWR;

pub fn cases() -> Vec<Case> {
    cases![
        write_invalidates_times,
        truncate_by_path_and_fd,
        setattr_arguments,
        access_masks,
        access_not_sent_with_default_permissions,
        chdir_and_open_ask_access,
        exec_checks_mode_first,
        size_change_seen_in_getattr,
    ]
}

/// After a write the attributes are asked for again, after a read the time of access.
fn write_invalidates_times() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"abc");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), RW, 0)?;
        user::fstat(&fd)?;
        user::pread(&fd, 1, 0)?;
        user::fstat(&fd)?;
        user::fstat(&fd)?;
        user::pwrite(&fd, b"x", 0)?;
        user::fstat(&fd)?;
        user::fstat(&fd).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

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
        let fd = user::open(&f, RW, 0)?;
        user::fchmod(&fd, 0o600)?;
        user::fchown(&fd, 1, 1)?;
        user::ftruncate(&fd, 3)
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

fn access_masks() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.add(ROOT, "f", libc::S_IFREG | 0o755, b"");
    let masks = [
        libc::F_OK,
        libc::R_OK,
        libc::W_OK,
        libc::X_OK,
        libc::R_OK | libc::W_OK | libc::X_OK,
    ];
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        masks
            .iter()
            .map(|k| user::access(&mnt.join("f"), *k))
            .collect()
    });
    assert_eq!(r, vec![Ok(()); 5]);
    let sent: Vec<u64> = m
        .rec
        .all()
        .iter()
        .filter(|r| r.op == Op::ACCESS)
        .map(|r| r.get("mask"))
        .collect();
    println!("{sent:?}");
    assert_eq!(sent, [0, 4, 2, 1, 7]);
    fs.on(Op::ACCESS, Answer::Err(EACCES));
    let r: Res<()> = m.run(&mut fs, |mnt| user::access(&mnt.join("f"), libc::R_OK));
    assert_eq!(r, Err(EACCES));
    m.finish();
}

fn access_not_sent_with_default_permissions() {
    let mut m = Mock::with(
        &Setup::default().opt("default_permissions", ""),
        &Init::plain(),
    );
    let mut fs = Memfs::new();
    fs.add(ROOT, "f", libc::S_IFREG | 0o640, b"");
    fs.dir("d");
    let r: (Res<()>, Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        (
            user::access(&mnt.join("f"), libc::R_OK),
            user::access(&mnt.join("f"), libc::X_OK),
            user::chdir(&mnt.join("d")),
        )
    });
    assert_eq!(r, (Ok(()), Err(EACCES), Ok(())));
    assert_eq!(m.rec.count(Op::ACCESS), 0);
    m.finish();
}

fn chdir_and_open_ask_access() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    fs.add(d, "f", libc::S_IFREG | 0o644, b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::chdir(&mnt.join("d"))?;
        user::open(&mnt.join("d/f"), RW, 0).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

/// A file that nobody may execute is not, whatever the daemon would say.
fn exec_checks_mode_first() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.add(ROOT, "no", libc::S_IFREG | 0o644, b"#!/bin/true\n");
    fs.add(ROOT, "yes", libc::S_IFREG | 0o755, b"#!/bin/true\n");
    let run = |p: std::path::PathBuf| -> Res<bool> {
        Ok(std::process::Command::new(p).status()?.success())
    };
    let r: (Res<bool>, Res<bool>) =
        m.run(&mut fs, |mnt| (run(mnt.join("no")), run(mnt.join("yes"))));
    assert_eq!(r, (Err(EACCES), Ok(true)));
    m.without_record();
    m.finish();
}

/// A file that shrank or grew at the daemon, seen by GETATTR.
fn size_change_seen_in_getattr() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.attr_valid = ZERO;
    let f = fs.file("f", &[1; 5_000]);
    let mut c = m.caller(|mnt, io| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let a = user::pread(&fd, 10_000, 0)?.len();
        io.put(());
        io.wait();
        let s = user::fstat(&fd)?.size;
        let b = user::pread(&fd, 10_000, 0)?.len();
        Ok::<_, Errno>((a, s, b))
    });
    let start = std::time::Instant::now();
    while !mockd::caller::readable(c.fd(), std::time::Duration::ZERO)
        && start.elapsed() < ktap::patience()
    {
        if m.pending() {
            let r = m.request();
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
        }
    }
    c.get::<()>();
    let n = fs.nodes.get_mut(&f).expect("f");
    n.data.resize(2_000, 0);
    n.attr.size = 2_000;
    c.go();
    let r: Res<(usize, u64, usize)> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok((5_000, 2_000, 2_000)));
    m.finish();
}
