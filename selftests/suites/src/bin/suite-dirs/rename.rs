// SPDX-License-Identifier: GPL-2.0

//! RENAME2 with every combination of flags, and what names lead to after it.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Mock};

use crate::kit::mock;

pub fn cases() -> Vec<Case> {
    cases![
        every_combination,
        every_combination_of_directories,
        refused_by_the_daemon,
        unknown_is_remembered,
        too_old_a_protocol,
        whiteout_leaves_a_node,
        exchange_across_directories,
        exchange_of_file_and_directory,
        exchange_keeps_open_files,
        noreplace_race,
        exchange_race,
    ]
}

/// RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT, and what there is none of.
const FLAGS: [u32; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1 << 31];

/// Renames each of several pairs with each combination, where there is a target and where there is
/// none. The daemon agrees to all.
fn combinations(kind: u32) {
    let mut m = mock(&Init::plain());
    let mut fs = Memfs::new();
    for (i, _) in FLAGS.iter().enumerate() {
        for there in [true, false] {
            for (name, is) in [("old", true), ("new", there)] {
                if is {
                    fs.add(1, &format!("{name}{i}{there}"), kind, b"");
                }
            }
        }
    }
    fs.on(Op::RENAME2, Answer::Ok(vec![]));
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let mut all = Vec::new();
        for (i, flags) in FLAGS.iter().enumerate() {
            for there in [true, false] {
                let at = |name: &str| mnt.join(format!("{name}{i}{there}"));
                all.push(user::rename2(&at("old"), &at("new"), *flags));
                // What the kernel makes of an answer that the daemon has not carried out.
                let _ = (user::lstat(&at("old")), user::lstat(&at("new")));
            }
        }
        all
    });
    m.rec.note(format!("{got:?}"));
    let sent = m.rec.all();
    let flags: Vec<u64> = sent
        .iter()
        .filter(|r| r.op == Op::RENAME2)
        .map(|r| r.get("flags"))
        .collect();
    println!("{got:?} {flags:?}");
    assert!(flags.iter().all(|f| (1..8).contains(f)));
    assert!(flags.contains(&1) && flags.contains(&2) && flags.contains(&4));
    m.finish();
}

fn every_combination() {
    combinations(libc::S_IFREG | 0o644);
}

fn every_combination_of_directories() {
    combinations(libc::S_IFDIR | 0o755);
}

/// Nothing is different then.
fn refused_by_the_daemon() {
    for e in [EPERM, EACCES, EBUSY, ENOENT, EINTR, EEXIST] {
        let mut m = mock(&Init::plain());
        let mut fs = Memfs::new();
        fs.file("a", b"1");
        fs.file("b", b"22");
        fs.on(Op::RENAME2, Answer::Err(e));
        let got: Vec<Res<u64>> = m.run(&mut fs, |mnt| {
            let rename = user::rename2(&mnt.join("a"), &mnt.join("b"), libc::RENAME_EXCHANGE);
            let size = |name: &str| user::lstat(&mnt.join(name)).map(|s| s.size);
            vec![rename.map(|()| 0), size("a"), size("b")]
        });
        assert_eq!(got, [Err(e), Ok(1), Ok(2)]);
        m.finish();
    }
}

/// ENOSYS becomes EINVAL, for good.
fn unknown_is_remembered() {
    let mut m = mock(&Init::plain());
    let mut fs = Memfs::new();
    fs.file("a", b"");
    fs.file("b", b"");
    fs.on(Op::RENAME2, Answer::Err(ENOSYS));
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let rename = |flags| user::rename2(&mnt.join("a"), &mnt.join("b"), flags);
        vec![rename(2), rename(2), rename(4), rename(0)]
    });
    assert_eq!(got, [Err(EINVAL), Err(EINVAL), Err(EINVAL), Ok(())]);
    assert_eq!((m.rec.count(Op::RENAME2), m.rec.count(Op::RENAME)), (1, 1));
    m.finish();
}

/// A daemon before 7.23 is not asked.
fn too_old_a_protocol() {
    for minor in [22, 23] {
        let init = Init {
            minor,
            ..Init::plain()
        };
        let mut m = mock(&init);
        let mut fs = Memfs::new();
        fs.file("a", b"");
        let got: Res<()> = m.run(&mut fs, |mnt| {
            user::rename2(&mnt.join("a"), &mnt.join("c"), libc::RENAME_NOREPLACE)
        });
        assert_eq!(got, if minor < 23 { Err(EINVAL) } else { Ok(()) });
        assert_eq!(m.rec.count(Op::RENAME2), usize::from(minor >= 23));
        m.finish();
    }
}

/// The old name is the whiteout's, which the kernel has to look up.
fn whiteout_leaves_a_node() {
    let mut m = mock(&Init::plain());
    let mut fs = Memfs::new();
    let a = fs.file("a", b"1");
    fs.on(Op::RENAME2, Answer::Ok(vec![]));
    let got: Res<(Res<u64>, u64)> = m.run(&mut fs, |mnt| {
        user::lstat(&mnt.join("a"))?;
        user::rename2(&mnt.join("a"), &mnt.join("b"), libc::RENAME_WHITEOUT)?;
        Ok((
            user::lstat(&mnt.join("a")).map(|s| s.ino),
            user::lstat(&mnt.join("b"))?.ino,
        ))
    });
    m.rec.note(format!("{got:?}"));
    assert!(got.is_ok_and(|(_, b)| b == a));
    assert_eq!(m.rec.count(Op::RENAME2), 1);
    m.finish();
}

/// What is where is what the daemon says.
fn where_they_are(m: &mut Mock, fs: &mut Memfs, names: &'static [&'static str]) -> Vec<Res<u64>> {
    m.run(fs, |mnt| {
        names
            .iter()
            .map(|n| user::lstat(&mnt.join(n)).map(|s| s.ino))
            .collect()
    })
}

fn exchange_across_directories() {
    let mut m = mock(&Init::plain());
    let mut fs = Memfs::new();
    let (d, e) = (fs.dir("d"), fs.dir("e"));
    let x = fs.add(d, "x", libc::S_IFDIR | 0o755, b"");
    let y = fs.add(e, "y", libc::S_IFDIR | 0o755, b"");
    let below = fs.add(x, "below", libc::S_IFREG | 0o644, b"");
    let names: &[&str] = &["d/x", "e/y", "d/x/below", "e/y/below"];
    let before = where_they_are(&mut m, &mut fs, names);
    assert_eq!(before, [Ok(x), Ok(y), Ok(below), Err(ENOENT)]);
    let done: Res<()> = m.run(&mut fs, |mnt| {
        user::rename2(&mnt.join("d/x"), &mnt.join("e/y"), libc::RENAME_EXCHANGE)
    });
    assert_eq!(done, Ok(()));
    let after = where_they_are(&mut m, &mut fs, names);
    assert_eq!(after, [Ok(y), Ok(x), Err(ENOENT), Ok(below)]);
    m.finish();
}

fn exchange_of_file_and_directory() {
    let mut m = mock(&Init::plain());
    let mut fs = Memfs::new();
    let (f, d) = (fs.file("f", b""), fs.dir("d"));
    let g = fs.add(d, "g", libc::S_IFREG | 0o644, b"");
    let done: Res<()> = m.run(&mut fs, |mnt| {
        user::rename2(&mnt.join("f"), &mnt.join("d"), libc::RENAME_EXCHANGE)
    });
    assert_eq!(done, Ok(()));
    let after = where_they_are(&mut m, &mut fs, &["f", "d", "f/g", "d/g"]);
    assert_eq!(after, [Ok(d), Ok(f), Ok(g), Err(ENOTDIR)]);
    m.finish();
}

fn exchange_keeps_open_files() {
    let mut m = mock(&Init::plain());
    let mut fs = Memfs::new();
    fs.file("a", b"first");
    fs.file("b", b"second");
    let got: Res<(Vec<u8>, Vec<u8>, u64)> = m.run(&mut fs, |mnt| {
        let a = user::open(&mnt.join("a"), libc::O_RDONLY, 0)?;
        user::rename2(&mnt.join("a"), &mnt.join("b"), libc::RENAME_EXCHANGE)?;
        let b = user::open(&mnt.join("a"), libc::O_RDONLY, 0)?;
        let nlink = user::fstat(&a)?.nlink;
        Ok((user::pread(&a, 9, 0)?, user::pread(&b, 9, 0)?, nlink))
    });
    assert_eq!(got, Ok((b"first".to_vec(), b"second".to_vec(), 1)));
    m.finish();
}

/// The name turns up between its LOOKUP and the RENAME2.
fn noreplace_race() {
    let mut m = mock(&Init::plain());
    let mut fs = Memfs::new();
    fs.file("a", b"1");
    fs.on(Op::RENAME2, Answer::Err(EEXIST));
    let got: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let r = user::rename2(&mnt.join("a"), &mnt.join("b"), libc::RENAME_NOREPLACE);
        (r, user::lstat(&mnt.join("b")).map(drop))
    });
    assert_eq!(got, (Err(EEXIST), Err(ENOENT)));
    m.finish();
}

/// One of the names goes away meanwhile.
fn exchange_race() {
    let mut m = mock(&Init::plain());
    let mut fs = Memfs::new();
    fs.file("a", b"1");
    let b = fs.file("b", b"2");
    fs.on(Op::RENAME2, Answer::Err(ENOENT));
    let got: Vec<Res<u64>> = m.run(&mut fs, |mnt| {
        let r = user::rename2(&mnt.join("a"), &mnt.join("b"), libc::RENAME_EXCHANGE);
        vec![r.map(|()| 0), user::lstat(&mnt.join("b")).map(|s| s.ino)]
    });
    assert_eq!(got, [Err(ENOENT), Ok(b)]);
    m.finish();
}
