// SPDX-License-Identifier: GPL-2.0

//! What type `fuseblk` asks its daemon beyond what type `fuse` does: SYNCFS and BMAP.

use std::os::fd::AsRawFd;
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::message;
use mockd::request::Request;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock};
use suites::blockdev::{finish, gone, start_umount, LoopDevice};

use crate::blk::device;

pub fn cases() -> Vec<Case> {
    cases![
        syncfs_sent,
        syncfs_errors,
        syncfs_enosys,
        syncfs_wrong_length,
        syncfs_of_sync,
        syncfs_of_a_file_below,
        syncfs_in_user_interrupted,
        syncfs_killed,
        syncfs_killed_then_umount,
        syncfs_dead_daemon,
        syncfs_by_another_user,
        syncfs_not_of_plain_type,
        bmap_asked,
        bmap_blocksize,
        bmap_errors,
        bmap_enosys,
        bmap_wrong_length,
        bmap_huge,
        bmap_of_directories,
        bmap_interrupted,
        bmap_killed,
        bmap_dead_daemon,
    ]
}

const FIBMAP: u32 = 1;

/// syncfs(2) of the filesystem that a path is in.
fn syncfs(p: &Path) -> Res<()> {
    let f = user::open(p, libc::O_RDONLY, 0)?;
    // SAFETY: an open descriptor.
    check(unsafe { libc::syncfs(f.as_raw_fd()) }).map(drop)
}

/// Which block of the device block `n` of a file is in.
fn fibmap(p: &Path, n: i32) -> Res<i32> {
    let f = user::open(p, libc::O_RDONLY, 0)?;
    let mut b = n.to_ne_bytes();
    user::ioctl(&f, FIBMAP, &mut b)?;
    Ok(i32::from_ne_bytes(b))
}

/// A mount with "f" in it.
fn mounted(d: &LoopDevice) -> (Mock, Memfs) {
    let mut fs = Memfs::new();
    fs.file("f", &[1; 10_000]);
    (d.mount(), fs)
}

/// What syncfs(2) says, called so often, if SYNCFS is answered so; and how often it was asked.
fn answered(answer: Answer, times: usize) -> (Vec<Res<()>>, usize) {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    fs.on(Op::SYNCFS, answer);
    let r = m.run(&mut fs, |mnt| {
        vec![(); times].iter().map(|()| syncfs(mnt)).collect()
    });
    let n = m.rec.count(Op::SYNCFS);
    finish(m);
    (r, n)
}

/// What a caller gets, and each SYNCFS that it sends: node, bytes, user.
fn asked(m: &mut Mock, fs: &mut Memfs, c: Caller) -> (Res<()>, Vec<(u64, usize, u32)>) {
    let mut seen = vec![];
    let r = m.serve(c, &mut |r| match r.op {
        Op::SYNCFS => {
            seen.push((r.node, r.len(), r.uid));
            Answer::Ok(vec![])
        }
        _ => fs.handle(r),
    });
    (r, seen)
}

/// To the root, and nothing is said.
fn syncfs_sent() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let c = m.caller(|mnt, _| syncfs(mnt));
    assert_eq!(asked(&mut m, &mut fs, c), (Ok(()), vec![(1, 48, 0)]));
    finish(m);
}

/// They are the caller's.
fn syncfs_errors() {
    for e in [EIO, ENOSPC, EDQUOT, EPERM, EINTR, EOPNOTSUPP] {
        assert_eq!(
            answered(Answer::Err(e), 2),
            (vec![Err(e), Err(e)], 2),
            "{e}"
        );
    }
}

/// It is not asked again, and that is no error.
fn syncfs_enosys() {
    assert_eq!(answered(Answer::Err(ENOSYS), 3), (vec![Ok(()); 3], 1));
}

fn syncfs_wrong_length() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let c = m.caller(|mnt, _| syncfs(mnt));
    let r = m.serve_until(Op::SYNCFS, &mut fs);
    assert_eq!(m.write(&message(r.unique, 0, &[0; 8])), Err(EINVAL));
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Err(EIO));
    finish(m);
}

/// sync(2) is of all filesystems, and knows no errors.
fn syncfs_of_sync() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    fs.on(Op::SYNCFS, Answer::Err(EIO));
    let r: Res<()> = m.run(&mut fs, |_| {
        // SAFETY: no arguments.
        unsafe { libc::sync() };
        Ok(())
    });
    assert_eq!((r, m.rec.count(Op::SYNCFS)), (Ok(()), 1));
    finish(m);
}

/// It goes to the root all the same.
fn syncfs_of_a_file_below() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let c = m.call("f", syncfs);
    assert_eq!(asked(&mut m, &mut fs, c), (Ok(()), vec![(1, 48, 0)]));
    finish(m);
}

fn syncfs_in_user_interrupted() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        syncfs(mnt)
    });
    let r = m.serve_until(Op::SYNCFS, &mut fs);
    c.kill(libc::SIGUSR1);
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    m.fail(&r, EINTR);
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Err(EINTR));
    finish(m);
}

/// The SYNCFS of a caller that has been killed.
fn killed(m: &mut Mock, fs: &mut Memfs) -> (Caller, Request) {
    let c = m.caller(|mnt, _| syncfs(mnt));
    let r = m.serve_until(Op::SYNCFS, fs);
    c.kill(libc::SIGKILL);
    m.expect(Op::INTERRUPT);
    (c, r)
}

fn syncfs_killed() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let (mut c, r) = killed(&mut m, &mut fs);
    m.reply(&r, &[]);
    c.reap();
    m.drain(&mut |r| fs.handle(r));
    finish(m);
}

/// The unmount waits for what a killed caller has asked: DESTROY comes after the answer. On C's
/// module the caller itself waits for that.
fn syncfs_killed_then_umount() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let (mut c, r) = killed(&mut m, &mut fs);
    let left = ktap::implementation() == ktap::Impl::Rust;
    if !left {
        m.reply(&r, &[]);
    }
    c.reap();
    m.drain(&mut |r| fs.handle(r));
    let c = start_umount(&mut m);
    if left {
        c.wait_asleep();
        assert!(!m.pending(), "DESTROY before the answer to SYNCFS");
        m.reply(&r, &[]);
    }
    let r = m.find("DESTROY", |r| r.op == Op::DESTROY);
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    gone(m);
}

fn syncfs_dead_daemon() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let c = m.caller(|mnt, _| syncfs(mnt));
    m.serve_until(Op::SYNCFS, &mut fs);
    let mnt = m.die();
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    suites::daemon::umount_soon(&mnt);
}

/// Whoever may open something of it may sync it.
fn syncfs_by_another_user() {
    let d = device();
    let s = d.setup().opt("allow_other", "");
    let (mut m, mut fs) = (Mock::with(&s, &Init::plain()), Memfs::new());
    let c = m.caller(|mnt, _| {
        user::become_user(1000, 1000);
        syncfs(mnt)
    });
    assert_eq!(asked(&mut m, &mut fs, c), (Ok(()), vec![(1, 48, 1000)]));
    finish(m);
}

fn syncfs_not_of_plain_type() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, syncfs);
    assert_eq!((r, m.rec.count(Op::SYNCFS)), (Ok(()), 0));
    m.finish();
}

/// What FIBMAP says of "f" if BMAP is answered so.
fn mapped(blocks: &[i32], answer: impl Fn(&Request) -> Answer) -> (Vec<Res<i32>>, usize) {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let c = m.call("f", |p| {
        blocks.iter().map(|b| fibmap(p, *b)).collect::<Vec<_>>()
    });
    let r = m.serve(c, &mut |r| match r.op {
        Op::BMAP => answer(r),
        _ => fs.handle(r),
    });
    let n = m.rec.count(Op::BMAP);
    finish(m);
    (r, n)
}

fn block(n: u64) -> Answer {
    Answer::Ok(n.to_ne_bytes().to_vec())
}

/// The file is not opened for it; each time anew.
fn bmap_asked() {
    let plus_100 = |r: &Request| block(r.get("block") + 100);
    let (r, n) = mapped(&[0, 1, 1, i32::MAX - 100, -1], plus_100);
    let expected = [Ok(100), Ok(101), Ok(101), Ok(i32::MAX), Err(EINVAL)];
    assert_eq!((&r[..], n), (&expected[..], 4));
}

/// The daemon is told how long blocks are.
fn bmap_blocksize() {
    for size in [512u64, 1024, 4096] {
        let d = device();
        let s = d.setup().opt("blksize", &size.to_string());
        let (mut m, mut fs) = (Mock::with(&s, &Init::plain()), Memfs::new());
        fs.file("f", b"");
        let mut asked = vec![];
        let c = m.call("f", |p| fibmap(p, 3));
        let r: Res<i32> = m.serve(c, &mut |r| match r.op {
            Op::BMAP => {
                asked.push((r.get("block"), r.get("blocksize"), r.len()));
                block(9)
            }
            _ => fs.handle(r),
        });
        assert_eq!((r, asked), (Ok(9), vec![(3, size, 56)]));
        finish(m);
    }
}

/// What cannot be told is in no block.
fn bmap_errors() {
    for e in [EIO, EPERM, ENOENT, EINVAL, EINTR, ENOMEM] {
        let (r, n) = mapped(&[1, 2], |_| Answer::Err(e));
        assert_eq!((r, n), (vec![Ok(0), Ok(0)], 2), "{e}");
    }
}

fn bmap_enosys() {
    let (r, n) = mapped(&[1, 2, 3], |_| Answer::Err(ENOSYS));
    assert_eq!((r, n), (vec![Ok(0); 3], 1));
}

fn bmap_wrong_length() {
    for len in [0, 4, 7, 9, 16] {
        let d = device();
        let (mut m, mut fs) = mounted(&d);
        let c = m.call("f", |p| fibmap(p, 1));
        let r = m.serve_until(Op::BMAP, &mut fs);
        assert_eq!(
            m.write(&message(r.unique, 0, &vec![1; len])),
            Err(EINVAL),
            "{len}"
        );
        let r: Res<i32> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, Ok(0), "{len}");
        finish(m);
    }
}

/// FIBMAP has 31 bits.
fn bmap_huge() {
    for n in [1u64 << 31, 1 << 32, (1 << 32) + 5, 1 << 63, u64::MAX] {
        let (r, _) = mapped(&[1], |_| block(n));
        assert_eq!(r, [Err(ERANGE)], "{n:#x}");
    }
    let (r, _) = mapped(&[1], |_| block((1 << 31) - 1));
    assert_eq!(r, [Ok(i32::MAX)]);
}

/// FIBMAP is of regular files.
fn bmap_of_directories() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let r: Res<i32> = m.run(&mut fs, |mnt| fibmap(mnt, 0));
    println!("{r:?}");
    assert!(r.is_err());
    assert_eq!(m.rec.count(Op::BMAP), 0);
    finish(m);
}

fn bmap_interrupted() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let c = m.call("f", |p| {
        user::catch_signal(libc::SIGUSR1, false);
        fibmap(p, 1)
    });
    let r = m.serve_until(Op::BMAP, &mut fs);
    c.kill(libc::SIGUSR1);
    m.expect(Op::INTERRUPT);
    m.reply(&r, &7u64.to_ne_bytes());
    let r: Res<i32> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(7));
    finish(m);
}

fn bmap_killed() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let mut c = m.call("f", |p| fibmap(p, 1));
    let r = m.serve_until(Op::BMAP, &mut fs);
    c.kill(libc::SIGKILL);
    m.expect(Op::INTERRUPT);
    m.reply(&r, &7u64.to_ne_bytes());
    let end = m.find("FLUSH", |r| r.op == Op::FLUSH);
    m.reply(&end, &[]);
    c.reap();
    m.drain(&mut |r| fs.handle(r));
    finish(m);
}

fn bmap_dead_daemon() {
    let d = device();
    let (mut m, mut fs) = mounted(&d);
    let c = m.call("f", |p| fibmap(p, 1));
    m.serve_until(Op::BMAP, &mut fs);
    let mnt = m.die();
    assert_eq!(c.join::<Res<i32>>(), Ok(0));
    suites::daemon::umount_soon(&mnt);
}
