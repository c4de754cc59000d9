// SPDX-License-Identifier: GPL-2.0

//! SYMLINK and READLINK.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

use crate::through::{each, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        symlink_readlink,
        symlink_long,
        symlink_loop,
        symlink_arguments,
    ]
}

fn symlink_readlink() {
    each(|d| {
        write(&d.at("f"), b"target");
        user::symlink("f", &d.at("l")).expect("symlink");
        same(d, "l");
        assert_eq!(user::readlink(&d.at("l")), Ok("f".into()));
        assert_eq!(read(&d.at("l")), b"target");
        assert_eq!(
            user::lstat(&d.at("l")).map(|s| s.mode),
            Ok(libc::S_IFLNK | 0o777)
        );
        assert_eq!(user::symlink("x", &d.at("l")), Err(EEXIST));
        assert_eq!(user::readlink(&d.at("f")).err(), Some(EINVAL));
        user::symlink("missing", &d.at("dangling")).expect("symlink");
        assert_eq!(user::stat(&d.at("dangling")).err(), Some(ENOENT));
        // Made through the link.
        write(&d.at("dangling"), b"now there");
        assert_eq!(read(&d.behind("missing")), b"now there");
        user::unlink(&d.at("l")).expect("unlink");
        same(d, "f");
    });
}

/// Targets up to a page less one byte.
fn symlink_long() {
    each(|d| {
        for n in [1, 255, 1000, 4000, 4095] {
            let text = "x".repeat(n);
            let name = format!("l{n}");
            user::symlink(&text, &d.at(&name)).unwrap_or_else(|e| panic!("{n}: {e}"));
            assert_eq!(user::readlink(&d.at(&name)), Ok(text), "{n}");
            user::unlink(&d.at(&name)).expect("unlink");
        }
        assert_eq!(
            user::symlink(&"x".repeat(4096), &d.at("l")),
            Err(ENAMETOOLONG)
        );
        assert_eq!(user::symlink("", &d.at("l")), Err(ENOENT));
    });
}

/// The VFS counts the links it follows, forty at most.
fn symlink_loop() {
    each(|d| {
        user::symlink("b", &d.at("a")).expect("symlink");
        user::symlink("a", &d.at("b")).expect("symlink");
        assert_eq!(user::stat(&d.at("a")).err(), Some(ELOOP));
        assert_eq!(user::open(&d.at("a"), libc::O_RDONLY, 0).err(), Some(ELOOP));
        assert_eq!(
            user::open(&d.at("a"), libc::O_RDONLY | libc::O_NOFOLLOW, 0).err(),
            Some(ELOOP)
        );
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::symlink("../d", &d.at("d/up")).expect("symlink");
        let many = format!("d{}", "/up".repeat(39));
        assert!(user::stat(&d.at(&many)).is_ok());
        let more = format!("d{}", "/up".repeat(45));
        assert_eq!(user::stat(&d.at(&more)).err(), Some(ELOOP));
        user::unlink(&d.at("d/up")).expect("unlink");
    });
}

/// The name comes before the target, which may hold any byte.
fn symlink_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<String> = m.run(&mut fs, |mnt| {
        user::symlink("to/where ever\n", &mnt.join("l"))?;
        user::readlink(&mnt.join("l"))
    });
    assert_eq!(r, Ok("to/where ever\n".into()));
    let all = m.rec.all();
    let s = all.iter().find(|r| r.op == Op::SYMLINK).expect("SYMLINK");
    assert_eq!(s.names(), ["l", "to/where ever\n"]);
    m.finish();
}
