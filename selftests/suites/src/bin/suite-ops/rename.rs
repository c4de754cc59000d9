// SPDX-License-Identifier: GPL-2.0

//! RENAME and RENAME2.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::Mock;

use crate::through::{each, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        rename_file,
        rename_over,
        rename_directory,
        rename_errors,
        rename_flags_refused_by_daemon,
        rename_arguments,
        rename_noreplace,
        rename_exchange,
        rename_looks_at_target_again,
    ]
}

fn rename_file() {
    each(|d| {
        write(&d.at("a"), b"A");
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::rename(&d.at("a"), &d.at("b")).expect("rename");
        assert_eq!(user::lstat(&d.at("a")).err(), Some(ENOENT));
        same(d, "b");
        user::rename(&d.at("b"), &d.at("d/c")).expect("rename");
        same(d, "d/c");
        same(d, "d");
        same(d, "");
        assert_eq!(read(&d.at("d/c")), b"A");
        user::rename(&d.at("d/c"), &d.at("d/c")).expect("onto itself");
        let fd = user::open(&d.at("d/c"), libc::O_RDONLY, 0).expect("open");
        user::rename(&d.at("d/c"), &d.at("a")).expect("rename");
        assert_eq!(user::pread(&fd, 5, 0), Ok(b"A".to_vec()));
    });
}

/// The file that was replaced lives on for whoever has it open.
fn rename_over() {
    each(|d| {
        write(&d.at("a"), b"A");
        write(&d.at("b"), b"B");
        let old = user::open(&d.at("b"), libc::O_RDONLY, 0).expect("open");
        user::rename(&d.at("a"), &d.at("b")).expect("rename");
        assert_eq!(read(&d.at("b")), b"A");
        assert_eq!(user::pread(&old, 5, 0), Ok(b"B".to_vec()));
        assert_eq!(user::fstat(&old).map(|s| s.nlink), Ok(0));
        drop(old);
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::mkdir(&d.at("e"), 0o755).expect("mkdir");
        user::rename(&d.at("d"), &d.at("e")).expect("over an empty directory");
        same(d, "e");
        // Two links of one file: nothing happens.
        user::link(&d.at("b"), &d.at("c")).expect("link");
        user::rename(&d.at("b"), &d.at("c")).expect("rename");
        assert!(user::lstat(&d.at("b")).is_ok());
    });
}

/// What was known below it is found below its new name.
fn rename_directory() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o755).expect("mkdir");
        user::mkdir(&d.at("a/b"), 0o755).expect("mkdir");
        write(&d.at("a/b/f"), b"deep");
        user::mkdir(&d.at("z"), 0o755).expect("mkdir");
        user::rename(&d.at("a/b"), &d.at("z/b")).expect("rename");
        assert_eq!(read(&d.at("z/b/f")), b"deep");
        same(d, "a");
        same(d, "z");
        assert_eq!(user::lstat(&d.at("a/b/f")).err(), Some(ENOENT));
        let up = user::lstat(&d.at("z/b/..")).expect("dotdot");
        assert_eq!(up.ino, user::lstat(&d.at("z")).expect("z").ino);
    });
}

fn rename_errors() {
    each(|d| {
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::mkdir(&d.at("d/e"), 0o755).expect("mkdir");
        write(&d.at("f"), b"");
        assert_eq!(user::rename(&d.at("none"), &d.at("x")), Err(ENOENT));
        assert_eq!(user::rename(&d.at("f"), &d.at("d")), Err(EISDIR));
        assert_eq!(user::rename(&d.at("d"), &d.at("f")), Err(ENOTDIR));
        assert_eq!(user::rename(&d.at("d"), &d.at("d/e/x")), Err(EINVAL));
        user::mkdir(&d.at("g"), 0o755).expect("mkdir");
        assert_eq!(user::rename(&d.at("g"), &d.at("d")), Err(ENOTEMPTY));
        assert_eq!(user::rename(&d.at("d/e"), &d.at("d")), Err(ENOTEMPTY));
        assert_eq!(user::rename(&d.at("f"), &d.behind("x")), Err(EXDEV));
        assert_eq!(user::rename(&d.at("f"), &d.at("f/x")), Err(ENOTDIR));
    });
}

/// passthrough_ll refuses flags of rename; its error must arrive.
fn rename_flags_refused_by_daemon() {
    each(|d| {
        write(&d.at("a"), b"A");
        write(&d.at("b"), b"B");
        // The VFS answers this one itself.
        assert_eq!(
            user::rename2(&d.at("a"), &d.at("b"), libc::RENAME_NOREPLACE),
            Err(EEXIST)
        );
        assert_eq!(
            user::rename2(&d.at("a"), &d.at("c"), libc::RENAME_NOREPLACE),
            Err(EINVAL)
        );
        assert_eq!(
            user::rename2(&d.at("a"), &d.at("b"), libc::RENAME_EXCHANGE),
            Err(EINVAL)
        );
        assert_eq!(user::rename2(&d.at("a"), &d.at("b"), 0x80), Err(EINVAL));
        assert_eq!(read(&d.at("a")), b"A");
    });
}

/// Without flags it is RENAME, with the new directory and both names.
fn rename_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let d = fs.dir("d");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::rename(&mnt.join("f"), &mnt.join("d/g"))
    });
    assert_eq!(r, Ok(()));
    let all = m.rec.all();
    let l = all.iter().find(|r| r.op == Op::RENAME).expect("RENAME");
    assert_eq!(
        (l.node, l.get("newdir"), l.names()),
        (ROOT, d, vec!["f".to_string(), "g".to_string()])
    );
    m.finish();
}

/// The VFS refuses a name that is there; only what may succeed is sent, as RENAME2.
fn rename_noreplace() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    fs.file("g", b"");
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let no = libc::RENAME_NOREPLACE;
        (
            user::rename2(&mnt.join("f"), &mnt.join("g"), no),
            user::rename2(&mnt.join("f"), &mnt.join("h"), no),
        )
    });
    assert_eq!(r, (Err(EEXIST), Ok(())));
    assert_eq!((m.rec.count(Op::RENAME2), m.rec.count(Op::RENAME)), (1, 0));
    m.finish();
}

/// Both names must be there, and each leads to the other's node after it.
fn rename_exchange() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let f = fs.file("f", b"1");
    let g = fs.dir("g");
    let r: Res<(u64, u64, Res<()>)> = m.run(&mut fs, |mnt| {
        let no = user::rename2(&mnt.join("f"), &mnt.join("none"), libc::RENAME_EXCHANGE);
        user::rename2(&mnt.join("f"), &mnt.join("g"), libc::RENAME_EXCHANGE)?;
        Ok((
            user::lstat(&mnt.join("f"))?.ino,
            user::lstat(&mnt.join("g"))?.ino,
            no,
        ))
    });
    assert_eq!(r, Ok((g, f, Err(ENOENT))));
    m.finish();
}

/// The target of a rename is looked up even if it is valid, for its type matters.
fn rename_looks_at_target_again() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"1");
    fs.file("g", b"1");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::lstat(&mnt.join("f"))?;
        user::lstat(&mnt.join("g"))?;
        user::rename(&mnt.join("f"), &mnt.join("g"))
    });
    assert_eq!(r, Ok(()));
    m.finish_compared();
}
