// SPDX-License-Identifier: GPL-2.0

//! Which answers are remembered: ENOSYS for some operations, and never another error.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Mock, Setup};
use suites::catalogue::{self, Names, Place, Row, Unknown};

/// A case for each call of the catalogue that is not sent again, and what is not about one call.
pub fn cases() -> Vec<Case> {
    let names = catalogue::main().filter(|row| remembered(row).is_some());
    let mut all = suites::cases_of(names.map(|row| row.name.to_string()), is_remembered);
    all.extend(cases![
        create,
        list_without_opendir,
        not_remembered,
        other_errors_are_not_remembered,
        every_error_passes,
        errors_outside_the_range,
    ]);
    all
}

/// What a caller gets each time, if ENOSYS is remembered.
fn remembered(row: &Row) -> Option<Res<()>> {
    match row.unknown {
        Unknown::Remembered(result) => Some(result),
        Unknown::Error | Unknown::Becomes(_) | Unknown::Replaced | Unknown::Otherwise => None,
    }
}

/// From a daemon that need not know OPEN and OPENDIR.
fn init() -> Init {
    Init::plain()
        .with("NO_OPEN_SUPPORT")
        .with("NO_OPENDIR_SUPPORT")
}

/// Mounts for such a daemon.
fn mock() -> Mock {
    Mock::with(&Setup::default(), &init())
}

/// Makes the call twice while the daemon answers its operation with an error: both results and how
/// often it was asked.
fn twice(row: &Row, e: Errno) -> (Res<()>, Res<()>, usize) {
    let mut m = Mock::with(&Setup::default(), &row.init(init()));
    let mut fs = catalogue::sample();
    (row.files)(&mut fs);
    fs.on(row.op, Answer::Err(e));
    let ready = row.ready;
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let mut act = ready(&Place::new(mnt, Names::ROOT)).expect("preparation");
        (act.run(), act.run())
    });
    let n = m.rec.count(row.op);
    m.finish();
    (r.0, r.1, n)
}

fn is_remembered() {
    let row = catalogue::find(&suites::case());
    let result = remembered(row).expect("a row with a case");
    assert_eq!(twice(row, ENOSYS), (result, result, 1));
}

/// ENOSYS that is an error like any other, or another one.
fn not_remembered() {
    for row in catalogue::main() {
        let e = match row.unknown {
            Unknown::Error => Err(ENOSYS),
            Unknown::Becomes(e) => Err(e),
            _ => continue,
        };
        assert_eq!(twice(row, ENOSYS), (e, e, 2), "{}", row.name);
    }
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

/// A directory that need not be opened is read all the same.
fn list_without_opendir() {
    let (mut m, mut fs) = (mock(), catalogue::sample());
    fs.on(Op::OPENDIR, Answer::Err(ENOSYS));
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let list = || user::list(mnt).map(drop);
        (list(), list())
    });
    assert_eq!((r, m.rec.count(Op::OPENDIR)), ((Ok(()), Ok(())), 1));
    m.finish();
}

fn other_errors_are_not_remembered() {
    let remembers = |row: &&Row| matches!(row.unknown, Unknown::Remembered(_) | Unknown::Replaced);
    for row in catalogue::main().filter(remembers) {
        let e = Err(row.error.unwrap_or(EOPNOTSUPP));
        assert_eq!(twice(row, EOPNOTSUPP), (e, e, 2), "{}", row.name);
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
