// SPDX-License-Identifier: GPL-2.0

//! CREATE: a file made and opened in one request.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::{open_out, LONG};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Entry, Mock};

use crate::through::{each, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        create_unlink,
        create_exclusive,
        create_makes_one_request,
        create_exclusive_flags,
        create_on_directory_entry,
        create_failed_eexist,
    ]
}

fn create_unlink() {
    each(|d| {
        let fd = user::open(&d.at("f"), libc::O_CREAT | libc::O_RDWR, 0o640).expect("create");
        same(d, "f");
        assert_eq!(user::write(&fd, b"hello"), Ok(5));
        assert_eq!(user::fstat(&fd).map(|s| s.size), Ok(5));
        user::close(fd).expect("close");
        same(d, "f");
        assert_eq!(read(&d.behind("f")), b"hello");
        user::unlink(&d.at("f")).expect("unlink");
        assert_eq!(user::lstat(&d.at("f")).err(), Some(ENOENT));
        assert_eq!(user::lstat(&d.behind("f")).err(), Some(ENOENT));
    });
}

/// O_EXCL refuses whatever has the name: a file, a link to nowhere, a directory, a file that the
/// kernel has not seen yet.
fn create_exclusive() {
    each(|d| {
        let f = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
        user::open(&d.at("f"), f, 0o644).expect("first");
        assert_eq!(user::open(&d.at("f"), f, 0o644).err(), Some(EEXIST));
        user::symlink("nowhere", &d.at("l")).expect("symlink");
        assert_eq!(user::open(&d.at("l"), f, 0o644).err(), Some(EEXIST));
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        assert_eq!(user::open(&d.at("d"), f, 0o644).err(), Some(EEXIST));
        write(&d.behind("b"), b"made behind");
        assert_eq!(user::open(&d.at("b"), f, 0o644).err(), Some(EEXIST));
    });
}

/// One CREATE after the LOOKUP, not a MKNOD and an OPEN.
fn create_makes_one_request() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::open(&mnt.join("f"), libc::O_CREAT | libc::O_RDWR, 0o640).map(drop)
    });
    assert_eq!(r, Ok(()));
    assert_eq!(
        (
            m.rec.count(Op::LOOKUP),
            m.rec.count(Op::CREATE),
            m.rec.count(Op::OPEN)
        ),
        (1, 1, 0)
    );
    m.finish();
}

/// CREATE has the caller's flags, O_EXCL among them, but not O_NOCTTY. A name that is there is
/// refused without it.
fn create_exclusive_flags() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("there", b"");
    let flags = libc::O_CREAT
        | libc::O_EXCL
        | libc::O_WRONLY
        | libc::O_APPEND
        | libc::O_NOCTTY
        | libc::O_SYNC;
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        (
            user::open(&mnt.join("new"), flags, 0o640).map(drop),
            user::open(&mnt.join("there"), flags, 0o640).map(drop),
        )
    });
    assert_eq!(r, (Ok(()), Err(EEXIST)));
    m.finish_compared();
}

/// What the daemon made in the meantime is opened, by OPEN.
fn create_on_directory_entry() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        user::open(p, libc::O_CREAT | libc::O_RDWR, 0o640).map(drop)
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &Entry::new(Attr::file(4, 0)).bytes());
    let r = m.expect(Op::OPEN);
    assert_eq!(r.get("flags") as i32 & (libc::O_CREAT | libc::O_EXCL), 0);
    m.reply(&r, &open_out(1, 0));
    let r = m.expect(Op::FLUSH);
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    m.finish();
}

/// Somebody was faster between LOOKUP and CREATE: the error is the caller's even without O_EXCL,
/// and the next caller asks for the name again.
fn create_failed_eexist() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        user::open(p, libc::O_CREAT | libc::O_RDWR, 0o640).map(drop)
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &Entry::negative(LONG).bytes());
    let r = m.expect_name(Op::CREATE, "f");
    m.fail(&r, EEXIST);
    let mut c = [c];
    let mut fs = Memfs::new();
    m.serve_all(&mut c, &mut |r| fs.handle(r));
    let [c] = c;
    let res = c.join::<Res<()>>();
    println!("{res:?}");
    assert_eq!(res, Err(EEXIST));
    // The entry is forgotten: asked for again.
    let c = m.call("f", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "f");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}
