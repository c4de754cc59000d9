// SPDX-License-Identifier: GPL-2.0

//! Which answers are remembered: ENOSYS for some operations, and never another error.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Init, Mock, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        flush,
        fsync,
        fsyncdir,
        access,
        create,
        open,
        opendir,
        rename2,
        link,
        statfs,
        not_remembered,
        other_errors_are_not_remembered,
        every_error_passes,
        errors_outside_the_range,
    ]
}

/// Does `f` twice while the daemon answers `op` with ENOSYS: both results and how often it was asked.
fn twice(op: Op, fs: &mut Memfs, f: fn(&Path) -> Res<()>) -> (Res<()>, Res<()>, usize) {
    let mut m = Mock::with(
        &Setup::default(),
        &Init::plain()
            .with("NO_OPEN_SUPPORT")
            .with("NO_OPENDIR_SUPPORT"),
    );
    fs.on(op, Answer::Err(ENOSYS));
    let r: (Res<()>, Res<()>) = m.run(fs, |mnt| (f(mnt), f(mnt)));
    let n = m.rec.count(op);
    m.finish();
    (r.0, r.1, n)
}

fn with_file() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", b"text");
    fs
}

fn flush() {
    let r = twice(Op::FLUSH, &mut with_file(), |m| {
        user::close(user::open(&m.join("f"), libc::O_RDWR, 0)?)
    });
    assert_eq!(r, (Ok(()), Ok(()), 1));
}

fn fsync() {
    let r = twice(Op::FSYNC, &mut with_file(), |m| {
        user::fsync(&user::open(&m.join("f"), libc::O_RDWR, 0)?)
    });
    assert_eq!(r, (Ok(()), Ok(()), 1));
}

fn fsyncdir() {
    let r = twice(Op::FSYNCDIR, &mut with_file(), |m| {
        user::fsync(&user::open(m, libc::O_RDONLY, 0)?)
    });
    assert_eq!(r, (Ok(()), Ok(()), 1));
}

fn access() {
    let r = twice(Op::ACCESS, &mut with_file(), |m| {
        user::access(&m.join("f"), libc::R_OK)
    });
    assert_eq!(r, (Ok(()), Ok(()), 1));
}

/// Without CREATE it is MKNOD and OPEN.
fn create() {
    let mut fs = Memfs::new();
    let mut m = Mock::new();
    fs.on(Op::CREATE, Answer::Err(ENOSYS));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for n in ["a", "b"] {
            let fd = user::open(
                &mnt.join(n),
                libc::O_CREAT | libc::O_EXCL | libc::O_RDWR,
                0o640,
            )?;
            user::write(&fd, n.as_bytes())?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    assert_eq!(
        (
            m.rec.count(Op::CREATE),
            m.rec.count(Op::MKNOD),
            m.rec.count(Op::OPEN)
        ),
        (1, 2, 2)
    );
    m.finish();
}

fn open() {
    let r = twice(Op::OPEN, &mut with_file(), |m| {
        user::open(&m.join("f"), libc::O_RDWR, 0).map(drop)
    });
    assert_eq!(r, (Ok(()), Ok(()), 1));
}

fn opendir() {
    let r = twice(Op::OPENDIR, &mut with_file(), |m| user::list(m).map(drop));
    assert_eq!(r, (Ok(()), Ok(()), 1));
}

fn rename2() {
    let r = twice(Op::RENAME2, &mut with_file(), |m| {
        user::rename2(&m.join("f"), &m.join("g"), libc::RENAME_NOREPLACE)
    });
    assert_eq!(r, (Err(EINVAL), Err(EINVAL), 1));
}

fn link() {
    let r = twice(Op::LINK, &mut with_file(), |m| {
        user::link(&m.join("f"), &m.join("g"))
    });
    assert_eq!(r, (Err(EPERM), Err(EPERM), 1));
}

fn statfs() {
    let r = twice(Op::STATFS, &mut with_file(), |m| user::statfs(m).map(drop));
    assert_eq!(r, (Err(ENOSYS), Err(ENOSYS), 2));
}

/// ENOSYS that is an error like any other.
fn not_remembered() {
    type Row = (Op, fn(&Path) -> Res<()>);
    let rows: &[Row] = &[
        (Op::LOOKUP, |m| user::lstat(&m.join("f")).map(drop)),
        (Op::MKDIR, |m| user::mkdir(&m.join("d"), 0o755)),
        (Op::MKNOD, |m| user::mknod(&m.join("n"), 0o644, 0)),
        (Op::SYMLINK, |m| user::symlink("x", &m.join("s"))),
        (Op::UNLINK, |m| user::unlink(&m.join("f"))),
        (Op::RMDIR, |m| user::rmdir(&m.join("dir"))),
        (Op::RENAME, |m| user::rename(&m.join("f"), &m.join("g"))),
        (Op::SETATTR, |m| user::chmod(&m.join("f"), 0o600)),
        (Op::READLINK, |m| user::readlink(&m.join("l")).map(drop)),
        (Op::WRITE, |m| {
            user::pwrite(&user::open(&m.join("f"), libc::O_WRONLY, 0)?, b"x", 0).map(drop)
        }),
        (Op::READDIR, |m| user::list(m).map(drop)),
    ];
    for (op, f) in rows {
        let mut fs = with_file();
        fs.dir("dir");
        fs.add(ROOT, "l", libc::S_IFLNK | 0o777, b"f");
        let r = twice(*op, &mut fs, *f);
        assert_eq!(r, (Err(ENOSYS), Err(ENOSYS), 2), "{op:?}");
    }
}

fn other_errors_are_not_remembered() {
    type Row = (Op, fn(&Path) -> Res<()>);
    let rows: &[Row] = &[
        (Op::FLUSH, |m| {
            user::close(user::open(&m.join("f"), libc::O_RDWR, 0)?)
        }),
        (Op::FSYNC, |m| {
            user::fsync(&user::open(&m.join("f"), libc::O_RDWR, 0)?)
        }),
        (Op::FSYNCDIR, |m| {
            user::fsync(&user::open(m, libc::O_RDONLY, 0)?)
        }),
        (Op::ACCESS, |m| user::access(&m.join("f"), libc::R_OK)),
        (Op::OPEN, |m| {
            user::open(&m.join("f"), libc::O_RDWR, 0).map(drop)
        }),
        (Op::OPENDIR, |m| user::list(m).map(drop)),
        (Op::RENAME2, |m| {
            user::rename2(&m.join("f"), &m.join("g"), libc::RENAME_NOREPLACE)
        }),
        (Op::LINK, |m| user::link(&m.join("f"), &m.join("g"))),
        (Op::CREATE, |m| {
            user::open(&m.join("n"), libc::O_CREAT | libc::O_RDWR, 0o644).map(drop)
        }),
    ];
    for (op, f) in rows {
        let mut m = Mock::new();
        let mut fs = with_file();
        fs.on(*op, Answer::Err(EOPNOTSUPP));
        let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| (f(mnt), f(mnt)));
        assert_eq!(r, (Err(EOPNOTSUPP), Err(EOPNOTSUPP)), "{op:?}");
        assert_eq!(m.rec.count(*op), 2, "{op:?}");
        m.finish();
    }
}

/// Any errno that the protocol allows reaches the caller as it is.
fn every_error_passes() {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    let numbers: Vec<i32> = (1..=133).chain([200, 400, 511]).collect();
    for n in numbers {
        fs.on(Op::MKDIR, Answer::Err(Errno(n)));
        let r: Res<()> = m.run(&mut fs, |mnt| user::mkdir(&mnt.join("d"), 0o755));
        assert_eq!(r, Err(Errno(n)));
    }
    m.without_record();
    m.finish();
}

/// Others are refused with EINVAL, and the request goes on waiting.
fn errors_outside_the_range() {
    let mut m = Mock::new();
    let c = m.call("d", |p| user::mkdir(p, 0o755));
    let r = m.expect_name(Op::LOOKUP, "d");
    for e in [1, 2, 511, i32::MAX, -512, -513, -1000, -4095, i32::MIN] {
        assert_eq!(
            m.write(&mockd::reply::message(r.unique, e, &[])),
            Err(EINVAL),
            "{e}"
        );
    }
    m.fail(&r, Errno(511));
    assert_eq!(c.join::<Res<()>>(), Err(Errno(511)));
    m.finish();
}
