// SPDX-License-Identifier: GPL-2.0

//! GETATTR, of stat and statx: when the daemon is asked for attributes, and when they are still
//! known.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

use crate::through::{each, read, same, write};
use crate::wire::stat_times;

pub fn cases() -> Vec<Case> {
    cases![
        stat_of_root,
        statx_masks,
        changed_behind,
        write_changes_times,
        attr_timeout_zero,
        attr_timeout_nanoseconds,
        write_invalidates_times,
        size_change_seen_in_getattr,
        fstat_uses_handle,
        directory_attributes_refreshed,
    ]
}

/// The one node whose attributes no LOOKUP brings.
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

/// What was asked for is there, whatever the mask and the flags; both flags at once are refused.
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

/// Times are set behind by a write, and the kernel's old ones must not stay.
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

fn attr_timeout_zero() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.attr_valid = ZERO;
    fs.file("f", b"x");
    stat_times(&mut m, &mut fs, "f", 3);
    // The first time, what LOOKUP brought counts for nothing either.
    println!("{} {}", m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR));
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (1, 3));
    m.finish();
}

/// Nanoseconds alone make a time, and too many of them count as almost a second.
fn attr_timeout_nanoseconds() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.attr_valid = (100, 4_000_000_000);
    fs.entry_valid = (100, 4_000_000_000);
    fs.file("f", b"x");
    stat_times(&mut m, &mut fs, "f", 3);
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (1, 0));
    fs.attr_valid = (u64::MAX, u32::MAX);
    fs.entry_valid = (u64::MAX, u32::MAX);
    fs.file("g", b"x");
    stat_times(&mut m, &mut fs, "g", 2);
    println!("{} {}", m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR));
    m.finish();
}

/// After a write the attributes are asked for again, after a read the time of access.
fn write_invalidates_times() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"abc");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::fstat(&fd)?;
        user::pread(&fd, 1, 0)?;
        user::fstat(&fd)?;
        user::fstat(&fd)?;
        user::pwrite(&fd, b"x", 0)?;
        user::fstat(&fd)?;
        user::fstat(&fd).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish_compared();
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

/// As in C, and whatever this case is called, GETATTR names no handle, for fstat no more than for
/// stat.
fn fstat_uses_handle() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.attr_valid = ZERO;
    fs.file("f", b"x");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::fstat(&fd)?;
        user::lstat(&mnt.join("f")).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish_compared();
}

/// Changing a directory makes its attributes stale, whatever their timeout.
fn directory_attributes_refreshed() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.dir("d");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let d = mnt.join("d");
        user::lstat(&d)?;
        user::mkdir(&d.join("a"), 0o755)?;
        user::lstat(&d)?;
        user::mknod(&d.join("b"), 0o644, 0)?;
        user::lstat(&d)?;
        user::rename(&d.join("b"), &d.join("c"))?;
        user::lstat(&d)?;
        user::link(&d.join("c"), &d.join("e"))?;
        user::lstat(&d)?;
        user::unlink(&d.join("c"))?;
        user::lstat(&d)?;
        user::rmdir(&d.join("a"))?;
        user::lstat(&d)?;
        user::symlink("x", &d.join("s"))?;
        user::lstat(&d)?;
        drop(user::open(
            &d.join("f"),
            libc::O_CREAT | libc::O_RDWR,
            0o644,
        )?);
        user::lstat(&d).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish_compared();
}
