// SPDX-License-Identifier: GPL-2.0

//! STATX: the time of birth, for which the daemon is asked only if a caller wants it.

use ktap::{cases, Case};
use libc::{AT_STATX_DONT_SYNC, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, STATX_BTIME};
use mockd::errno::*;
use mockd::memfs::{Memfs, BIRTH};
use mockd::mock::Answer;
use mockd::reply::{statx_out, Valid, LONG, ZERO};
use mockd::user::{self, Statx};
use mockd::wire::Op;
use mockd::{Attr, Mock};

pub fn cases() -> Vec<Case> {
    cases![
        born_once,
        born_by_flags,
        born_unknown,
        born_unknown_alone,
        born_nowhere,
        born_in_part,
        born_impossibly,
        born_out_of_range,
        born_but_stale,
        born_of_each_type,
        errors_of_statx,
    ]
}

const ALL: u32 = STATX_BASIC_STATS | STATX_BTIME;

/// Five bytes in "f".
fn sample(valid: Valid) -> (Mock, Memfs) {
    let mut fs = Memfs::new();
    fs.attr_valid = valid;
    fs.file("f", b"12345");
    (Mock::new(), fs)
}

/// Calls with these flags and masks, one after the other.
fn ask(m: &mut Mock, fs: &mut Memfs, calls: &[(i32, u32)]) -> Vec<Res<Statx>> {
    let calls = calls.to_vec();
    m.run(fs, move |mnt| {
        let f = mnt.join("f");
        let all = calls.iter().map(|c| user::statx(&f, c.0, c.1));
        all.collect::<Vec<_>>()
    })
}

/// The daemon is asked once, and what it says is known then, for stat(2) as well. It is asked again
/// for the basic ones when those have changed.
fn born_once() {
    let (mut m, mut fs) = sample(LONG);
    let r = ask(
        &mut m,
        &mut fs,
        &[(0, STATX_BTIME), (0, ALL), (0, STATX_BASIC_STATS)],
    );
    assert_eq!(r, [Ok((ALL, BIRTH, 5)); 3]);
    assert_eq!(m.rec.count(Op::STATX), 1);
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        user::chmod(&f, 0o600)?;
        user::ftruncate(&user::open(&f, libc::O_RDWR, 0)?, 4)?;
        user::lstat(&f).map(drop)
    });
    assert_eq!(r, Ok(()));
    let r = ask(&mut m, &mut fs, &[(0, ALL), (0, STATX_BTIME)]);
    assert_eq!(r, [Ok((ALL, BIRTH, 4)); 2]);
    m.finish();
}

/// When the daemon is asked, and by which operation: each mask with each flag.
fn born_by_flags() {
    let masks = [
        0,
        libc::STATX_SIZE,
        STATX_BASIC_STATS,
        STATX_BTIME,
        ALL,
        !0 >> 1,
    ];
    for valid in [LONG, ZERO] {
        let (mut m, mut fs) = sample(valid);
        for flags in [AT_STATX_DONT_SYNC, 0, AT_STATX_FORCE_SYNC] {
            for mask in masks {
                let r = ask(&mut m, &mut fs, &[(flags, mask)]);
                println!("{flags:#x} {mask:#x} {r:?}");
                let (has, born, size) = r[0].expect("statx");
                assert_eq!(has & mask & STATX_BASIC_STATS, mask & STATX_BASIC_STATS);
                assert_eq!(has & STATX_BTIME != 0, born == BIRTH);
                assert_eq!(size, 5);
            }
        }
        m.finish();
    }
}

/// ENOSYS is remembered, and GETATTR asks for the rest.
fn born_unknown() {
    let (mut m, mut fs) = sample(ZERO);
    fs.on(Op::STATX, Answer::Err(ENOSYS));
    let r = ask(
        &mut m,
        &mut fs,
        &[(0, ALL), (0, ALL), (AT_STATX_FORCE_SYNC, ALL)],
    );
    assert_eq!(r, [Ok((STATX_BASIC_STATS, (0, 0), 5)); 3]);
    assert_eq!((m.rec.count(Op::STATX), m.rec.count(Op::GETATTR)), (1, 3));
    m.finish();
}

/// Who wants nothing else is then told what is known, and nobody is asked.
fn born_unknown_alone() {
    let (mut m, mut fs) = sample(ZERO);
    fs.on(Op::STATX, Answer::Err(ENOSYS));
    let only = (AT_STATX_FORCE_SYNC, STATX_BTIME);
    let r = ask(&mut m, &mut fs, &[only, only, (0, STATX_BTIME)]);
    println!("{r:?}");
    assert!(r.iter().all(|r| r.is_ok_and(|r| r.1 == (0, 0))));
    assert_eq!((m.rec.count(Op::STATX), m.rec.count(Op::GETATTR)), (1, 0));
    m.finish();
}

/// A daemon that answers but knows no time of birth is not asked for it again.
fn born_nowhere() {
    let (mut m, mut fs) = sample(LONG);
    let attr = Attr::file(2, 5);
    let out = statx_out(LONG, STATX_BASIC_STATS, &attr, BIRTH);
    fs.on(Op::STATX, Answer::Ok(out));
    let r = ask(&mut m, &mut fs, &[(0, ALL), (0, ALL), (0, STATX_BTIME)]);
    println!("{r:?}");
    assert!(r.iter().all(|r| r.is_ok_and(|r| r.0 & STATX_BTIME == 0)));
    assert_eq!(m.rec.count(Op::STATX), 1);
    m.finish();
}

/// A reply of which only a part is true: the caller is told just that, and the inode takes none of
/// it, so the next one asks again.
fn born_in_part() {
    for left_out in [
        libc::STATX_TYPE,
        libc::STATX_SIZE,
        libc::STATX_MTIME,
        STATX_BASIC_STATS,
        libc::STATX_TYPE | libc::STATX_SIZE,
    ] {
        let (mut m, mut fs) = sample(LONG);
        let mut attr = Attr::file(2, 77);
        if left_out & libc::STATX_TYPE != 0 {
            attr.mode = 0o600;
        }
        let out = statx_out(LONG, !left_out, &attr, BIRTH);
        fs.on(Op::STATX, Answer::Ok(out));
        let r = ask(
            &mut m,
            &mut fs,
            &[(0, ALL), (0, STATX_BASIC_STATS), (0, ALL)],
        );
        let part = (ALL & !left_out | libc::STATX_TYPE, BIRTH, 77);
        let known = (STATX_BASIC_STATS, (0, 0), 5);
        assert_eq!(r, [Ok(part), Ok(known), Ok(part)], "{left_out:#x}");
        assert_eq!(m.rec.count(Op::STATX), 2);
        m.finish();
    }
}

/// What the daemon says is true, and cannot be: the inode is bad then, and another one takes its
/// place.
fn born_impossibly() {
    let file = Attr::file(2, 5);
    for (mask, attr, good) in [
        (ALL, file.mode(0o644), false),
        (ALL, file.mode(0o170_644), false),
        (ALL, file.mode(libc::S_IFDIR | 0o755), false),
        (ALL, Attr::file(2, u64::MAX), false),
        (ALL, Attr::file(2, 1 << 63), false),
        (libc::STATX_TYPE, file.mode(libc::S_IFDIR | 0o755), false),
        (libc::STATX_SIZE, Attr::file(2, 1 << 63), false),
        (libc::STATX_SIZE, file.mode(libc::S_IFDIR | 0o755), true),
    ] {
        let (mut m, mut fs) = sample(LONG);
        let out = statx_out(LONG, mask, &attr, BIRTH);
        fs.on(Op::STATX, Answer::Ok(out));
        let r = ask(&mut m, &mut fs, &[(0, ALL), (0, STATX_BASIC_STATS)]);
        // The name is looked up anew after it.
        println!("{r:?} {}", m.rec.count(Op::LOOKUP));
        assert_eq!(r[0].err(), (!good).then_some(EIO), "{mask:#x} {attr:?}");
        assert_eq!(r[1], Ok((STATX_BASIC_STATS, (0, 0), 5)));
        m.finish();
    }
}

/// Too many nanoseconds are almost a second; seconds may be anything.
fn born_out_of_range() {
    for (sec, nsec) in [
        (0, 0),
        (-1, 1),
        (i64::MIN, u32::MAX),
        (i64::MAX, 1_000_000_000),
    ] {
        let (mut m, mut fs) = sample(LONG);
        let out = statx_out(LONG, ALL, &Attr::file(2, 5), (sec, nsec));
        fs.on(Op::STATX, Answer::Ok(out));
        let r = ask(&mut m, &mut fs, &[(0, ALL), (0, ALL)]);
        assert_eq!(r, [Ok((ALL, (sec, nsec.min(999_999_999)), 5)); 2]);
        m.finish();
    }
}

/// A reply that is older than a change made meanwhile: its caller gets it, the inode does not.
fn born_but_stale() {
    let (mut m, mut fs) = sample(LONG);
    let mut c = m.caller(|mnt, io| {
        let f = mnt.join("f");
        user::lstat(&f)?;
        io.put(());
        user::statx(&f, 0, ALL)
    });
    let held = m.serve_until(Op::STATX, &mut fs);
    c.get::<()>();
    let old = fs.handle(&held);
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::ftruncate(&f, 3)
    });
    assert_eq!(r, Ok(()));
    m.answer(&held, &old).expect("answer");
    let r: Res<Statx> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok((ALL, BIRTH, 5)));
    let r = ask(&mut m, &mut fs, &[(AT_STATX_DONT_SYNC, ALL), (0, ALL)]);
    let known = (STATX_BASIC_STATS, (0, 0), 3);
    assert_eq!(r, [Ok(known), Ok((ALL, BIRTH, 3))]);
    m.finish();
}

/// Directories, links and what no daemon opens have a time of birth too, and nothing but the type
/// counts of a device's number.
fn born_of_each_type() {
    let (mut m, mut fs) = sample(ZERO);
    let kinds = [
        libc::S_IFREG,
        libc::S_IFDIR,
        libc::S_IFLNK,
        libc::S_IFIFO,
        libc::S_IFSOCK,
        libc::S_IFCHR,
        libc::S_IFBLK,
    ];
    for (i, kind) in kinds.iter().enumerate() {
        fs.add(mockd::wire::ROOT, &format!("n{i}"), kind | 0o644, b"");
    }
    let n = kinds.len();
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for i in 0..n {
            let (mask, born, _) = user::statx(&mnt.join(format!("n{i}")), 0, ALL)?;
            assert_eq!((mask, born), (ALL, BIRTH), "n{i}");
        }
        user::statx(mnt, 0, ALL).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

/// Other errors are the caller's, each time.
fn errors_of_statx() {
    for e in [
        EIO, EACCES, ENOENT, ESTALE, EINTR, EAGAIN, EOPNOTSUPP, EPERM,
    ] {
        let (mut m, mut fs) = sample(ZERO);
        fs.on(Op::STATX, Answer::Err(e));
        let r = ask(
            &mut m,
            &mut fs,
            &[(0, ALL), (0, ALL), (0, STATX_BASIC_STATS)],
        );
        println!("{e:?}: {r:?}");
        assert_eq!(r[..2], [Err(e); 2]);
        // The path is walked once more.
        let each = if e == ESTALE { 2 } else { 1 };
        assert_eq!(m.rec.count(Op::STATX), 2 * each);
        m.finish();
    }
}
