// SPDX-License-Identifier: GPL-2.0

//! Directories in the page cache that change: by this kernel's doing, which it knows, and by
//! others', which the time of modification tells.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Init, Mock};

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![
        create_drops,
        mknod_drops,
        mkdir_drops,
        symlink_drops,
        link_drops,
        unlink_drops,
        rmdir_drops,
        rename_drops,
        rename_to_other_directory_drops_both,
        exchange_drops,
        tmpfile_does_not,
        failed_change,
        change_of_file_does_not,
        change_of_directory_itself,
        change_below_does_not,
        changed_while_it_is_read,
        reader_in_the_middle,
        time_has_changed,
        time_is_the_same,
        time_expires,
        epoch_has_changed,
        removed_while_it_is_open,
        forgotten_and_made_again,
    ]
}

fn caching(n: usize) -> Memfs {
    let mut fs = files(n);
    fs.opendir_flags = KEEP_CACHE | CACHE_DIR;
    fs
}

/// What a list costs when it is read before and after something, and that it is right.
fn changed(fs: &mut Memfs, by: impl Fn(&Path) -> Res<()>) -> usize {
    let mut m = mock(&Init::plain());
    let done: Res<()> = m.run(fs, |mnt| {
        // What is known of a root that nobody has asked about changes with the first answer.
        user::stat(mnt)?;
        user::list(mnt)?;
        user::list(mnt)?;
        by(mnt)
    });
    assert_eq!(done, Ok(()));
    let before = asked(&m).len();
    assert_eq!(before, 2);
    for _ in 0..2 {
        let names: Res<Vec<String>> = m.run(fs, user::list);
        let mut want: Vec<String> = fs.nodes[&ROOT].children.keys().cloned().collect();
        want.sort();
        assert_eq!(names, Ok(want));
    }
    let after = asked(&m).len() - before;
    m.finish();
    after
}

fn create_drops() {
    let n = changed(&mut caching(5), |mnt| {
        user::open(&mnt.join("new"), libc::O_CREAT | libc::O_WRONLY, 0o644).map(drop)
    });
    assert_eq!(n, 2);
}

fn mknod_drops() {
    let n = changed(&mut caching(5), |mnt| {
        user::mknod(&mnt.join("new"), libc::S_IFIFO | 0o644, 0)
    });
    assert_eq!(n, 2);
}

fn mkdir_drops() {
    let n = changed(&mut caching(5), |mnt| user::mkdir(&mnt.join("new"), 0o755));
    assert_eq!(n, 2);
}

fn symlink_drops() {
    let n = changed(&mut caching(5), |mnt| user::symlink("x", &mnt.join("new")));
    assert_eq!(n, 2);
}

fn link_drops() {
    let n = changed(&mut caching(5), |mnt| {
        user::link(&mnt.join("f01"), &mnt.join("new"))
    });
    assert_eq!(n, 2);
}

fn unlink_drops() {
    let n = changed(&mut caching(5), |mnt| user::unlink(&mnt.join("f01")));
    assert_eq!(n, 2);
}

fn rmdir_drops() {
    let mut fs = caching(5);
    fs.dir("d");
    assert_eq!(changed(&mut fs, |mnt| user::rmdir(&mnt.join("d"))), 2);
}

fn rename_drops() {
    let n = changed(&mut caching(5), |mnt| {
        user::rename(&mnt.join("f01"), &mnt.join("new"))
    });
    assert_eq!(n, 2);
}

fn rename_to_other_directory_drops_both() {
    for there in [true, false] {
        let mut fs = caching(5);
        let d = fs.dir("d");
        fs.add(d, "g", libc::S_IFREG | 0o644, b"");
        let mut m = mock(&Init::plain());
        let lists: Res<Vec<usize>> = m.run(&mut fs, |mnt| {
            let list = |rel: &str| user::list(&mnt.join(rel)).map(|list| list.len());
            let mut all = vec![list("")?, list("d")?, list("")?, list("d")?];
            if there {
                user::rename(&mnt.join("f01"), &mnt.join("d/f01"))?;
            } else {
                user::rename(&mnt.join("d/g"), &mnt.join("g"))?;
            }
            all.extend([list("")?, list("d")?, list("")?, list("d")?]);
            Ok(all)
        });
        let after = if there { [5, 2] } else { [7, 0] };
        assert_eq!(lists, Ok([[6, 1], [6, 1], after, after].concat()));
        assert_eq!(asked(&m).len(), 8);
        m.finish();
    }
}

fn exchange_drops() {
    let n = changed(&mut caching(5), |mnt| {
        user::rename2(&mnt.join("f01"), &mnt.join("f02"), libc::RENAME_EXCHANGE)
    });
    assert_eq!(n, 2);
}

/// A file without a name changes no directory.
fn tmpfile_does_not() {
    let n = changed(&mut caching(5), |mnt| {
        let _ = user::open(mnt, libc::O_TMPFILE | libc::O_RDWR, 0o644);
        Ok(())
    });
    println!("{n} READDIRs");
}

/// The daemon has not done it, or perhaps it has.
fn failed_change() {
    for e in [EACCES, EEXIST, ENOENT, EINTR] {
        let mut fs = caching(5);
        fs.on(Op::MKDIR, mockd::mock::Answer::Err(e));
        fs.on(Op::UNLINK, mockd::mock::Answer::Err(e));
        let n = changed(&mut fs, |mnt| {
            assert_eq!(user::mkdir(&mnt.join("new"), 0o755), Err(e));
            assert_eq!(user::unlink(&mnt.join("f01")), Err(e));
            Ok(())
        });
        println!("{e}: {n} READDIRs");
    }
}

/// What is in a file, and what is said of it, is no part of the list.
fn change_of_file_does_not() {
    let n = changed(&mut caching(5), |mnt| {
        let f = mnt.join("f01");
        let fd = user::open(&f, libc::O_RDWR, 0)?;
        user::pwrite(&fd, b"xyz", 0)?;
        user::chmod(&f, 0o600)?;
        user::truncate(&f, 1)
    });
    assert_eq!(n, 0);
}

fn change_of_directory_itself() {
    let n = changed(&mut caching(5), |mnt| user::chmod(mnt, 0o700));
    assert_eq!(n, 0);
}

fn change_below_does_not() {
    let mut fs = caching(5);
    fs.dir("d");
    let n = changed(&mut fs, |mnt| user::mkdir(&mnt.join("d/e"), 0o755));
    assert_eq!(n, 0);
}

/// What was read of it before is not taken for the whole.
fn changed_while_it_is_read() {
    let mut m = mock(&Init::plain());
    let mut fs = caching(20);
    let got: Res<(usize, Vec<String>)> = m.run(&mut fs, |mnt| {
        let fd = user::open(mnt, FLAGS, 0)?;
        let first = user::getdents(&fd, 150)?.len();
        user::mkdir(&mnt.join("a-new-one"), 0o755)?;
        let rest = list(&fd, 150)?.len();
        Ok((first + rest, user::list(mnt)?))
    });
    assert!(got.is_ok_and(|(_, names)| names.len() == 21 && names[0] == "a-new-one"));
    m.finish();
}

/// A reader that is past the beginning goes on with what it has begun with.
fn reader_in_the_middle() {
    let mut m = mock(&Init::plain());
    let mut fs = caching(20);
    let got: Res<(usize, usize)> = m.run(&mut fs, |mnt| {
        user::list(mnt)?;
        let fd = user::open(mnt, FLAGS, 0)?;
        let first = user::getdents(&fd, 150)?.len();
        user::unlink(&mnt.join("f19"))?;
        let rest = list(&fd, 150)?.len();
        Ok((first + rest, user::list(mnt)?.len()))
    });
    m.rec.note(format!("{got:?}"));
    assert!(got.is_ok_and(|(_, after)| after == 19));
    m.finish();
}

/// Lists, changes the time of modification that the daemon says, lets `look` ask for it, and lists
/// again; gives how many READDIRs that costs.
fn time(by: u64, look: bool) -> usize {
    let mut m = mock(&Init::plain());
    let mut fs = caching(5);
    fs.attr_valid = ZERO;
    let names: Res<Vec<String>> = m.run(&mut fs, |mnt| {
        user::stat(mnt)?;
        user::list(mnt)
    });
    assert_eq!(names.map(|names| names.len()), Ok(5));
    fs.file("behind", b"");
    if let Some(root) = fs.nodes.get_mut(&ROOT) {
        root.attr.mtime += by;
    }
    let names: Res<Vec<String>> = m.run(&mut fs, |mnt| {
        if look {
            user::stat(mnt)?;
        }
        user::list(mnt)
    });
    let n = asked(&m).len() - 2;
    assert_eq!(
        names.map(|names| names.len()),
        Ok(if n == 0 { 5 } else { 6 })
    );
    m.finish();
    n
}

fn time_has_changed() {
    assert_eq!(time(1, true), 2);
}

fn time_is_the_same() {
    assert_eq!(time(0, true), 0);
}

/// Nobody asks, so nobody knows.
fn time_expires() {
    assert_eq!(time(1, false), 0);
}

fn epoch_has_changed() {
    let mut m = mock(&Init::plain());
    let mut fs = caching(5);
    for round in 1..4 {
        for _ in 0..2 {
            let names: Res<Vec<String>> = m.run(&mut fs, user::list);
            assert_eq!(names.map(|names| names.len()), Ok(5));
            assert_eq!(asked(&m).len(), 2 * round);
        }
        let notify = mockd::reply::message(0, 8, &[]);
        assert_eq!(m.write(&notify), Ok(notify.len()));
    }
    m.finish();
}

fn removed_while_it_is_open() {
    let mut m = mock(&Init::plain());
    let mut fs = caching(2);
    let d = fs.dir("d");
    let got: Res<(usize, Res<usize>)> = m.run(&mut fs, |mnt| {
        let p = mnt.join("d");
        let before = user::list(&p)?.len();
        let fd = user::open(&p, FLAGS, 0)?;
        user::rmdir(&p)?;
        Ok((before, user::getdents(&fd, 4096).map(|v| v.len())))
    });
    assert_eq!(got, Ok((0, Err(ENOENT))));
    m.await_forgotten(&mut fs, d);
    m.finish();
}

/// An inode that was evicted has nothing cached.
fn forgotten_and_made_again() {
    let mut m = mock(&Init::plain());
    let mut fs = caching(2);
    let d = fs.dir("d");
    fs.add(d, "g", libc::S_IFREG | 0o644, b"");
    let list = |m: &mut Mock, fs: &mut Memfs| {
        let names: Res<usize> = m.run(fs, |mnt| user::list(&mnt.join("d")).map(|l| l.len()));
        assert_eq!(names, Ok(1));
        asked(m).len()
    };
    assert_eq!(list(&mut m, &mut fs), 2);
    assert_eq!(list(&mut m, &mut fs), 2);
    let start = std::time::Instant::now();
    while !fs.held().is_empty() && start.elapsed() < ktap::patience() {
        user::drop_caches();
        m.drain(&mut |r| fs.handle(r));
    }
    assert_eq!(list(&mut m, &mut fs), 4);
    m.finish();
}
