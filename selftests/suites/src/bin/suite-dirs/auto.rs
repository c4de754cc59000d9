// SPDX-License-Identifier: GPL-2.0

//! When READDIRPLUS is asked rather than READDIR: never, always, or as it seems worth it.
//!
//! With READDIRPLUS_AUTO the first request of a directory is a READDIRPLUS; a later one is if
//! somebody has looked a name of the directory up, or has looked at one that a READDIRPLUS had told
//! of, since the last time that this was asked.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::Op;
use mockd::Init;

use crate::kit::{asked, auto, files, list, mock, plus, FLAGS};

pub fn cases() -> Vec<Case> {
    cases![
        plain_never,
        plus_at_every_position,
        auto_alone_is_nothing,
        auto_at_the_beginning,
        auto_after_a_look,
        auto_each_look_counts_once,
        auto_look_at_several,
        auto_after_lookup,
        auto_not_after_missing_name,
        auto_not_after_expired_name,
        auto_look_elsewhere,
        auto_after_open,
        auto_after_access,
        auto_rewind,
        auto_two_readers,
        auto_after_create,
        auto_in_directory_below,
        auto_without_parallel_dirops,
    ]
}

/// Room for four of the records.
const SMALL: usize = 100;

/// What was asked of a directory of ten files, by a reader with a small buffer, who does something
/// between one call and the next.
fn with(init: &Init, fs: &mut Memfs, between: impl Fn(&Path, usize)) -> Vec<(Op, u64)> {
    let mut m = mock(init);
    let all: Res<usize> = m.run(fs, |mnt| {
        let fd = user::open(mnt, FLAGS, 0)?;
        let mut all = 0;
        for call in 0.. {
            let some = user::getdents(&fd, SMALL)?.len();
            if some == 0 {
                break;
            }
            all += some;
            between(mnt, call);
        }
        Ok(all)
    });
    assert_eq!(all, Ok(12));
    let asked = asked(&m);
    m.finish();
    println!("{asked:?}");
    asked
}

/// Which ones they were.
fn ops(asked: &[(Op, u64)]) -> Vec<Op> {
    asked.iter().map(|a| a.0).collect()
}

fn plain_never() {
    let asked = with(&Init::plain(), &mut files(10), |_, _| {});
    assert!(asked.len() > 2);
    assert!(ops(&asked).iter().all(|op| *op == Op::READDIR));
}

fn plus_at_every_position() {
    let asked = with(&plus(), &mut files(10), |_, _| {});
    assert!(asked.len() > 2);
    assert!(ops(&asked).iter().all(|op| *op == Op::READDIRPLUS));
    assert!(asked.windows(2).all(|w| w[0].1 < w[1].1));
}

/// READDIRPLUS_AUTO says how to use READDIRPLUS, and not that it may be used.
fn auto_alone_is_nothing() {
    let init = Init::plain().with("READDIRPLUS_AUTO");
    let asked = with(&init, &mut files(10), |_, _| {});
    assert!(ops(&asked).iter().all(|op| *op == Op::READDIR));
}

/// Nobody looks at the files: the rest is READDIR.
fn auto_at_the_beginning() {
    let asked = with(&auto(), &mut files(10), |_, _| {});
    let ops = ops(&asked);
    assert_eq!(ops[0], Op::READDIRPLUS);
    assert!(ops.len() > 2 && ops[1..].iter().all(|op| *op == Op::READDIR));
}

/// Somebody looks at a file that has been told of.
fn auto_after_a_look() {
    let asked = with(&auto(), &mut files(10), |mnt, call| {
        if call == 0 {
            user::lstat(&mnt.join("f00")).expect("lstat");
        }
    });
    let ops = ops(&asked);
    assert_eq!(ops[..2], [Op::READDIRPLUS, Op::READDIRPLUS]);
    assert!(ops.len() > 3 && ops[2..].iter().all(|op| *op == Op::READDIR));
}

/// A second look at the same file says nothing new, until a READDIRPLUS tells of it again.
fn auto_each_look_counts_once() {
    let asked = with(&auto(), &mut files(10), |mnt, _| {
        user::lstat(&mnt.join("f00")).expect("lstat");
    });
    let ops = ops(&asked);
    assert_eq!(ops[..2], [Op::READDIRPLUS, Op::READDIRPLUS]);
    assert!(ops[2..].iter().all(|op| *op == Op::READDIR));
}

/// A look at one file more each time.
fn auto_look_at_several() {
    let asked = with(&auto(), &mut files(10), |mnt, call| {
        let _ = user::lstat(&mnt.join(format!("f0{}", call.min(9))));
    });
    assert!(ops(&asked).iter().all(|op| *op == Op::READDIRPLUS));
}

/// A name that has to be looked up says that names are looked at, too.
fn auto_after_lookup() {
    let mut fs = files(10);
    let d = fs.dir("zz");
    fs.add(d, "g", libc::S_IFREG | 0o644, b"");
    let mut m = mock(&auto());
    let all: Res<(usize, usize)> = m.run(&mut fs, |mnt| {
        let fd = user::open(mnt, FLAGS, 0)?;
        // Past the beginning, so that nobody is told of anything.
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(3))?;
        let a = user::getdents(&fd, SMALL)?.len();
        user::lstat(&mnt.join("f00"))?;
        let b = user::getdents(&fd, SMALL)?.len();
        Ok((a, b))
    });
    assert!(all.is_ok_and(|(a, b)| a > 0 && b > 0));
    assert_eq!(ops(&asked(&m)), [Op::READDIR, Op::READDIRPLUS]);
    m.finish();
}

fn auto_not_after_missing_name() {
    let asked = with(&auto(), &mut files(10), |mnt, _| {
        assert_eq!(user::lstat(&mnt.join("none")).err(), Some(ENOENT));
    });
    let ops = ops(&asked);
    assert_eq!(ops[0], Op::READDIRPLUS);
    assert!(ops[1..].iter().all(|op| *op == Op::READDIR));
}

/// What is looked up because it has timed out says nothing.
fn auto_not_after_expired_name() {
    let mut fs = files(10);
    fs.entry_valid = ZERO;
    let asked = with(&auto(), &mut fs, |mnt, _| {
        user::lstat(&mnt.join("f00")).expect("lstat");
    });
    let ops = ops(&asked);
    assert_eq!(ops[0], Op::READDIRPLUS);
    assert!(ops[1..].iter().all(|op| *op == Op::READDIR), "{ops:?}");
}

/// It is the directory of the name that is told.
fn auto_look_elsewhere() {
    let mut fs = files(9);
    let d = fs.dir("a");
    for i in 0..10 {
        fs.add(d, &format!("g{i}"), libc::S_IFREG | 0o644, b"");
    }
    let asked = with(&auto(), &mut fs, |mnt, call| {
        if call > 0 {
            user::lstat(&mnt.join(format!("a/g{}", call.min(9)))).expect("lstat");
        }
    });
    let ops = ops(&asked);
    // The look at "a" itself, on the way.
    assert_eq!(ops[0], Op::READDIRPLUS);
    let more = ops[1..].iter().filter(|op| **op == Op::READDIRPLUS).count();
    assert_eq!(more, 1, "{ops:?}");
}

fn auto_after_open() {
    let asked = with(&auto(), &mut files(10), |mnt, call| {
        if call == 0 {
            user::open(&mnt.join("f01"), libc::O_RDONLY, 0).expect("open");
        }
    });
    assert_eq!(ops(&asked)[..2], [Op::READDIRPLUS, Op::READDIRPLUS]);
    assert!(ops(&asked)[2..].iter().all(|op| *op == Op::READDIR));
}

fn auto_after_access() {
    let asked = with(&auto(), &mut files(10), |mnt, call| {
        if call == 1 {
            user::access(&mnt.join("f01"), libc::R_OK).expect("access");
        }
    });
    let ops = ops(&asked);
    assert_eq!(ops[..3], [Op::READDIRPLUS, Op::READDIR, Op::READDIRPLUS]);
}

/// At the beginning it is always READDIRPLUS, and advice is used up first.
fn auto_rewind() {
    let mut m = mock(&auto());
    let done: Res<()> = m.run(&mut files(10), |mnt| {
        let fd = user::open(mnt, FLAGS, 0)?;
        for look in [false, false, true, true] {
            rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(0))?;
            user::getdents(&fd, SMALL)?;
            if look {
                user::lstat(&mnt.join("f00"))?;
            }
            user::getdents(&fd, SMALL)?;
        }
        Ok(())
    });
    assert_eq!(done, Ok(()));
    let (p, r) = (Op::READDIRPLUS, Op::READDIR);
    assert_eq!(ops(&asked(&m)), [p, r, p, r, p, p, p, p]);
    m.finish();
}

/// Advice is the directory's, and whoever reads next uses it.
fn auto_two_readers() {
    let mut m = mock(&auto());
    let done: Res<()> = m.run(&mut files(10), |mnt| {
        let (a, b) = (user::open(mnt, FLAGS, 0)?, user::open(mnt, FLAGS, 0)?);
        user::getdents(&a, SMALL)?;
        user::getdents(&b, SMALL)?;
        user::lstat(&mnt.join("f00"))?;
        user::getdents(&b, SMALL)?;
        user::getdents(&a, SMALL)?;
        Ok(())
    });
    assert_eq!(done, Ok(()));
    let (p, r) = (Op::READDIRPLUS, Op::READDIR);
    assert_eq!(ops(&asked(&m)), [p, p, p, r]);
    m.finish();
}

/// What was made here was looked up before, and not found.
fn auto_after_create() {
    let mut m = mock(&auto());
    let done: Res<()> = m.run(&mut files(10), |mnt| {
        let fd = user::open(mnt, FLAGS, 0)?;
        user::getdents(&fd, SMALL)?;
        user::open(&mnt.join("new"), libc::O_CREAT | libc::O_WRONLY, 0o644)?;
        user::getdents(&fd, SMALL)?;
        user::mkdir(&mnt.join("newer"), 0o755)?;
        user::getdents(&fd, SMALL)?;
        user::lstat(&mnt.join("new"))?;
        user::getdents(&fd, SMALL)?;
        Ok(())
    });
    assert_eq!(done, Ok(()));
    m.finish_compared();
}

/// A walk, as `ls -lR` does it, and one as `find` does.
fn auto_in_directory_below() {
    for look in [true, false] {
        let mut fs = files(3);
        for name in ["a", "b"] {
            let d = fs.dir(name);
            for i in 0..8 {
                fs.add(d, &format!("g{i}"), libc::S_IFREG | 0o644, b"");
            }
        }
        let mut m = mock(&auto());
        let done: Res<()> = m.run(&mut fs, |mnt| {
            for dir in [mnt.to_path_buf(), mnt.join("a"), mnt.join("b")] {
                let names = list(&user::open(&dir, FLAGS, 0)?, SMALL)?;
                for name in names.iter().filter(|_| look) {
                    user::lstat(&dir.join(name))?;
                }
            }
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(m.rec.count(Op::LOOKUP), 0);
        m.finish();
    }
}

fn auto_without_parallel_dirops() {
    let asked = with(
        &auto().without("PARALLEL_DIROPS"),
        &mut files(10),
        |mnt, call| {
            if call == 0 {
                user::lstat(&mnt.join("f00")).expect("lstat");
            }
        },
    );
    assert_eq!(
        ops(&asked)[..3],
        [Op::READDIRPLUS, Op::READDIRPLUS, Op::READDIR]
    );
}
